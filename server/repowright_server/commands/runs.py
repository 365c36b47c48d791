"""repowright runs: list, show, export, resume, cancel."""

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anyio

from repowright_server.commands.analyse import complain
from repowright_server.commands.exits import CANNOT, DONE, NO
from repowright_server.commands.session import call_of, perform, session
from repowright_server.runs.run import Status
from repowright_server.settings import load_settings

if TYPE_CHECKING:
    from repowright_server.engine import Engine

_NEWEST = 50


def run(args: argparse.Namespace) -> int:
    async def act() -> int:
        async with session(load_settings()) as engine:
            return await _ACTIONS[args.action](engine, args)

    return anyio.run(act)


async def _list(engine: "Engine", args: argparse.Namespace) -> int:
    rows = await engine.newest_runs(_NEWEST)
    if args.json:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
        return DONE
    for row in rows:
        sys.stdout.write(
            f"{row['run_id']}  {_time(row['created'])}  {row['status']:<15} {row['stage']:<22} {row['source']}\n"
        )
    if not rows:
        sys.stdout.write("There are no runs yet.\n")
    return DONE


async def _show(engine: "Engine", args: argparse.Namespace) -> int:
    state = await engine.state(args.run_id)
    if args.json:
        sys.stdout.write(json.dumps(state.evidence() | {"results": state.results}, indent=1) + "\n")
        return DONE
    dispatcher = await engine.dispatcher()
    sys.stdout.write(f"run {state.run.id} on {state.run.source.get('source')}\n")
    for each in state.latest:
        gone = each.active and not dispatcher.is_alive(state.run)
        said = f"interrupted: go on with `repowright runs resume {state.run.id}`" if gone else each.status_message
        sys.stdout.write(f"  {each.stage:<22} {each.status:<15} {said}\n")
    cost = state.cost(None)
    price = "price unknown" if cost.usd is None else f"{cost.usd:.4f} USD"
    sys.stdout.write(f"cost: {price}, {cost.input_tokens} tokens in, {cost.output_tokens} out, {cost.calls} calls\n")
    broken = state.evidence()["journal_broken_at"]
    intact = "intact" if broken is None else f"BROKEN at entry {broken}: it was changed after it was written"
    sys.stdout.write(f"journal: {len(state.journal)} entries, {intact}\n")
    for row in state.events:
        sys.stdout.write(f"  {_time(row['at'])}  {row['body']['text']}\n")
    return DONE


async def _export(engine: "Engine", args: argparse.Namespace) -> int:
    state = await engine.state(args.run_id)
    from repowright_server.runs.export import document_of, recording_of

    document = document_of(state)
    sys.stdout.write(json.dumps(recording_of(state) if args.recording else document, indent=1) + "\n")
    broken = document["journal_broken_at"]
    if broken is None:
        return DONE
    sys.stderr.write(
        f"repowright: the journal of run {args.run_id} is broken at entry {broken}: it was changed after it was "
        "written, or held a secret that is hidden now. What was printed proves nothing from there on.\n"
    )
    return NO


async def _resume(engine: "Engine", args: argparse.Namespace) -> int:
    state = await engine.state(args.run_id)
    if not state.attempts:
        sys.stderr.write(f"repowright: nothing was called on run {args.run_id} yet\n")
        return CANNOT
    last = next(each for each in reversed(state.attempts) if each.parent is None)
    attempt = last
    if last.status is not Status.COMPLETE:
        await (await engine.dispatcher()).tell(last)  # whoever resumes a failed run knows that it failed
        attempt = await perform(engine, call_of(engine, last.stage, {}, args.run_id))
    if attempt.status is Status.COMPLETE:
        said = json.dumps(attempt.result, indent=1) if args.json else attempt.status_message
        sys.stdout.write(f"{said}\n")
        return DONE
    return complain(attempt)


async def _cancel(engine: "Engine", args: argparse.Namespace) -> int:
    await (await engine.dispatcher()).cancel(args.run_id, engine.principal)
    sys.stdout.write(f"run {args.run_id} does nothing any more\n")
    return DONE


_ACTIONS = {"list": _list, "show": _show, "export": _export, "resume": _resume, "cancel": _cancel}


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")
