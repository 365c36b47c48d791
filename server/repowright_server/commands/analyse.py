"""repowright analyse: the map of a repository, for people or as JSON."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import anyio

from repowright_server.commands.exits import CANNOT, DONE
from repowright_server.commands.session import call_of, perform, session
from repowright_server.runs.run import Attempt, Status
from repowright_server.settings import load_settings


def run(args: argparse.Namespace) -> int:
    path = args.path.expanduser().resolve()
    settings = load_settings(allowed_roots=(str(work_tree_of(path)),))
    arguments: dict[str, Any] = {"source": str(path)} | ({"focus": args.focus} if args.focus else {})

    async def analyse() -> Attempt:
        async with session(settings) as engine:
            return await perform(engine, call_of(engine, "analyse_repo", arguments))

    attempt = anyio.run(analyse)
    if attempt.status is not Status.COMPLETE or attempt.result is None:
        return complain(attempt)
    if args.json:
        sys.stdout.write(json.dumps(attempt.result, ensure_ascii=False, indent=1) + "\n")
    else:
        sys.stdout.write(_readable(attempt.result))
    return DONE


def work_tree_of(path: Path) -> Path:
    """The work tree that a folder lies in; the folder itself if it lies in none."""
    return next((folder for folder in (path, *path.parents) if (folder / ".git").exists()), path)


def complain(attempt: Attempt) -> int:
    """Say on stderr why an attempt did not complete."""
    advice = "" if attempt.error is None else f"\n{attempt.error['what_to_do']}"
    sys.stderr.write(f"repowright: {attempt.status_message}{advice}\n")
    return CANNOT


def _readable(result: dict[str, Any]) -> str:
    files = result["files"]
    dirty = " with uncommitted changes" if result["dirty"] else ""
    lines = [f"{result['root']} at {(result['commit'] or 'no commit')[:12]}{dirty}", ""]
    lines.append(f"{files['listed']} files, {files['analysed']} analysed")
    lines += [f"  {each['count']:>6} left out: {each['reason']}" for each in files["excluded"]]
    lines += ["", "Languages"]
    lines += [f"  {each['name']:<14}{each['files']:>7} files{each['lines']:>10} lines" for each in result["languages"]]
    commands = {kind: found for kind, found in result["commands"].items() if found}
    if commands:
        lines += ["", "Commands"]
    for kind, found in commands.items():
        lines += [
            f"  {kind:<8}{each['command']}    ({each['evidence']['path']}:{each['evidence']['line']})"
            for each in found[:3]
        ]
    if result["entry_points"]:
        lines += ["", "Entry points"]
        lines += [
            f"  {each['name']}  ({each['kind']}, {each['path']}:{each['line']})" for each in result["entry_points"][:10]
        ]
    if result["relevant"]:
        lines += ["", "Relevant"]
        lines += [f"  {each['path']}  ({each['why']})" for each in result["relevant"][:15]]
    lines += ["", f"Map ({result['map_tokens']} tokens)", "", result["map"]]
    lines += [f"note: {each['message']}" for each in result["warnings"]]
    return "\n".join(lines) + "\n"
