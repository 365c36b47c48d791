"""repowright analyse: the map of a repository, for people, as JSON or as a page."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from repowright_server.commands.exits import CANNOT, DONE
from repowright_server.commands.progress import width_of
from repowright_server.commands.session import call_of, perform, session
from repowright_server.runs.run import Attempt, Status
from repowright_server.settings import Settings, load_settings

if TYPE_CHECKING:
    from repowright_server.engine import Engine
    from repowright_server.report.facts import Facts
    from repowright_server.report.summary import Look
    from repowright_server.report.target import Target


def run(args: argparse.Namespace) -> int:
    target = None
    if args.html is not None:
        from repowright_server.report.target import Target, Unwritable

        try:
            target = Target(args.html)  # refused now, before anything is worked on
        except Unwritable as refusal:
            sys.stderr.write(f"repowright: {refusal}\n")
            return CANNOT
    path = args.path.expanduser().resolve()
    settings = settings_for(path)

    async def analyse() -> tuple[Attempt, "Facts | None"]:
        async with session(settings) as engine:
            attempt = await perform(engine, call_of(engine, "analyse_repo", _arguments(path, args)))
            wanted = attempt.status is Status.COMPLETE and attempt.result is not None and not args.json
            return attempt, await _facts(engine, attempt, args.exclude) if wanted else None

    attempt, facts = anyio.run(analyse)
    if attempt.status is not Status.COMPLETE or attempt.result is None:
        return complain(attempt)
    if facts is None:
        sys.stdout.write(json.dumps(attempt.result, ensure_ascii=False, indent=1) + "\n")
        return DONE
    return _show(attempt.result, facts, target)


def settings_for(path: Path) -> Settings:
    """The settings, with the work tree around this path allowed: who names it on the command line means it."""
    settings = load_settings()
    return settings.model_copy(update={"allowed_roots": (str(work_tree_of(path)), *settings.allowed_roots)})


def work_tree_of(path: Path) -> Path:
    """The work tree that a folder lies in; the folder itself if it lies in none."""
    return next((folder for folder in (path, *path.parents) if (folder / ".git").exists()), path)


def complain(attempt: Attempt) -> int:
    """Say on stderr why an attempt did not complete."""
    advice = "" if attempt.error is None else f"\n{attempt.error['what_to_do']}"
    if attempt.status is Status.INPUT_REQUIRED:
        advice = "\nA model has to answer: set LLM_PROVIDER to one that can, or have your assistant call the tool."
    sys.stderr.write(f"repowright: {attempt.status_message}{advice}\n")
    return CANNOT


def _arguments(path: Path, args: argparse.Namespace) -> dict[str, Any]:
    given = {"focus": args.focus, "exclude": args.exclude, "token_budget": args.tokens, "stories": args.stories}
    return {"source": str(path)} | {name: value for name, value in given.items() if value not in (None, [], False)}


async def _facts(engine: "Engine", attempt: Attempt, exclude: list[str]) -> "Facts":
    """What the stage's result has no field for, from the index that it has just filled."""
    from repowright_server.report.facts import Facts, folder_tokens
    from repowright_server.runs import store
    from repowright_tools.index.overview import overview
    from repowright_tools.threads import in_thread

    run = await (await engine.dispatcher()).store.transaction(lambda db: store.run_of(db, attempt.run_id))
    assert run is not None
    assert run.repository is not None
    kept = await engine.adapters.index(run.repository)
    index = await kept.open(Path(run.repository.root), exclude=exclude)
    known = await in_thread(overview, index, await index.commits())
    return Facts(known, folder_tokens(index.files))


def _show(result: dict[str, Any], facts: "Facts", target: "Target | None") -> int:
    if target is None:
        from repowright_server.report.summary import summary

        _write(summary(result, facts, _look()))
        return DONE
    from repowright_server.report.page import page
    from repowright_server.report.target import Unwritable

    try:
        written = target.write(page(result, facts))
    except Unwritable as refusal:  # it could be written before the work, and cannot any more
        sys.stderr.write(f"repowright: {refusal}\n")
        return CANNOT
    sys.stdout.write(f"{written}\n")
    return DONE


def _look() -> "Look":
    """What stdout can show: nothing but plain text unless it is a terminal; NO_COLOR is respected (no-color.org)."""
    from repowright_server.report.summary import Look

    blocks = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    if not sys.stdout.isatty():
        return Look(blocks=blocks)
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Look(width=max(40, width_of(sys.stdout)), colour=colour, blocks=blocks)


def _write(text: str) -> None:
    """Text on stdout; characters that its encoding does not have are replaced, since names can be of any."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
