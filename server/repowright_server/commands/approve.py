"""repowright approve: the operator's yes or no, outside of the model's reach."""

import argparse
import sys
from typing import Any

import anyio

from repowright_server.commands.exits import CANNOT, DONE, NO
from repowright_server.commands.session import session
from repowright_server.runs.run import Status
from repowright_server.settings import load_settings


def run(args: argparse.Namespace) -> int:
    async def decide() -> int:
        async with session(load_settings()) as engine:
            state = await engine.state(args.run_id)
            waiting = [
                each for each in state.latest
                if each.status is Status.INPUT_REQUIRED and (each.pending or {}).get("digest") is not None
            ]  # fmt: skip
            if not waiting:
                sys.stderr.write(f"repowright: run {args.run_id} waits for no approval\n")
                return CANNOT
            pending: dict[str, Any] = waiting[-1].pending or {}
            sys.stdout.write(f"{pending['message']}\n\nDigest {pending['digest']}\n")
            granted = _answer(args)
            dispatcher = await engine.dispatcher()
            from repowright_server.runs import store

            await dispatcher.store.transaction(
                lambda db: store.set_approval(db, args.run_id, pending["digest"], granted=granted, by="terminal")
            )
            if not granted:
                sys.stdout.write("Declined: nothing leaves the machine.\n")
                return NO
            again = f"Call {waiting[-1].stage} with this run_id again, or: repowright runs resume {args.run_id}"
            sys.stdout.write(f"Approved. {again}\n")
            return DONE

    return anyio.run(decide)


def _answer(args: argparse.Namespace) -> bool:
    """Without --yes and --no: what is answered on the standard input; when that is empty, the command is the yes."""
    if args.yes or args.no:
        return bool(args.yes)
    if sys.stdin.isatty():
        sys.stdout.write("Say yes to exactly this? [y/N] ")
        sys.stdout.flush()
    line = sys.stdin.readline()
    if not line and not sys.stdin.isatty():
        return True
    return line.strip().lower() in ("y", "yes")
