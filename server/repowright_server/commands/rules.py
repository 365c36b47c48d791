"""repowright rules: rules files derived from a repository; shown, checked or written."""

import argparse
import sys
from typing import Any, get_args

import anyio

from repowright_server.commands.analyse import complain, work_tree_of
from repowright_server.commands.exits import DONE, NO
from repowright_server.commands.session import call_of, perform, session
from repowright_server.runs.run import Attempt, Status
from repowright_server.settings import load_settings
from repowright_tools.generate_cursor_rules.models import Target


def run(args: argparse.Namespace) -> int:
    path = args.path.expanduser().resolve()
    settings = load_settings(allowed_roots=(str(work_tree_of(path)),))
    mode = "check" if args.check else "write" if args.write else "preview"
    arguments: dict[str, Any] = {"source": str(path), "mode": mode}
    if args.target or args.check:
        arguments["targets"] = args.target or list(get_args(Target))  # a check is about whatever files there are

    async def derive() -> Attempt:
        async with session(settings) as engine:
            return await perform(engine, call_of(engine, "generate_cursor_rules", arguments))

    attempt = anyio.run(derive)
    if attempt.status is not Status.COMPLETE or attempt.result is None:
        return complain(attempt)
    result = attempt.result
    files: list[dict[str, Any]] = [] if mode == "check" else result["files"]
    for file in files:
        verb = "wrote" if mode == "write" else "would write"
        sys.stdout.write(f"--- {verb} {file['path']} ({file['rules']} rules, {file['tokens']} tokens)\n")
        sys.stdout.write(file["content"] if mode == "preview" else "")
    for drift in result["drift"]:
        sys.stdout.write(f"{drift['path']}:{drift['line']}: {drift['rule']} no longer fits the repository\n")
    for conflict in result["conflicts"]:
        sys.stdout.write(f"{conflict['path']}: left alone: {conflict['reason']}\n")
    if mode == "check" and not result["drift"] and not result["conflicts"]:
        sys.stdout.write("The rules files fit the repository.\n")
    return NO if mode == "check" and (result["drift"] or result["conflicts"]) else DONE
