"""The command `repowright`. Exit codes: 0 done, 1 the answer is no, 2 cannot start or bad usage."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from repowright_server.commands.exits import CANNOT, DONE
from repowright_server.settings import SettingsInvalid
from repowright_tools.errors import RepowrightError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; each is a module of `commands` with a function `run(args) -> int`."""
    args = _parser().parse_args(arguments)
    try:
        status = int(import_module(f"repowright_server.commands.{args.command}").run(args))
        sys.stdout.flush()  # here, where a reader that is gone is no surprise
    except SettingsInvalid as error:
        return _complain(f"A setting is wrong:\n{error}")
    except RepowrightError as error:
        return _complain(f"{error.message}\n{error.what_to_do}")
    except BrokenPipeError:  # whoever read the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        return _complain(
            f"{error.strerror or error}: {error.filename or ''}\nSet REPOWRIGHT_HOME to a folder of yours."
        )
    except KeyboardInterrupt:
        return _complain("Interrupted; what was in progress can be resumed.")
    return status


def _complain(message: str) -> int:
    sys.stderr.write(f"repowright: {message}\n")
    return CANNOT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="repowright", description="Take a feature from request to reviewed pull request, as an MCP server.",
        epilog="Settings are environment variables or the file .env in REPOWRIGHT_HOME; .env.example lists them.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"repowright {version('repowright')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve MCP; what an IDE starts")
    serve.add_argument("--transport", choices=["stdio"], default="stdio", help="how clients connect (default: stdio)")
    _add_roots(serve)
    serve.add_argument("--read-only", action="store_true", help="refuse everything that writes or leaves the machine")

    commands.add_parser("demo", help="run the whole pipeline on a sample repository, offline and without a key")
    commands.add_parser("doctor", help="check everything the server needs, and say how to mend what is missing")

    analyse = commands.add_parser(
        "analyse", help="map a repository",
        description="Map a repository: languages, commands, entry points, tests, hot spots, modules, ranked symbols. "
        "Files are read, nothing of the repository is run, and no model is needed.",
    )  # fmt: skip
    analyse.add_argument("path", type=Path, metavar="PATH", help="folder of a repository")
    analyse.add_argument("--focus", metavar="TEXT", help="a question, paths or symbols to put first")
    analyse.add_argument(
        "--exclude", action="append", metavar="GLOB", default=[],
        help="files to leave out, with the syntax of .gitignore; may be given again",
    )  # fmt: skip
    analyse.add_argument("--tokens", type=int, metavar="N", help="most tokens the map may have (default: 4096)")
    analyse.add_argument("--stories", action="store_true", help="also derive user stories; needs a model")
    form = analyse.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the whole result as JSON")
    form.add_argument("--html", metavar="FILE", type=Path, help="write one page with pictures, to be read offline")

    rules = commands.add_parser("rules", help="derive rules files for coding assistants from a repository")
    rules.add_argument("path", type=Path, metavar="PATH", help="folder of a repository")
    mode = rules.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="exit with 1 if the rules files no longer fit")
    mode.add_argument("--write", action="store_true", help="write the files into the repository")
    rules.add_argument(
        "--target", action="append", metavar="NAME", help="cursor, agents, claude, copilot, devin, gemini"
    )

    runs = commands.add_parser("runs", help="look at runs, export, resume or cancel them")
    actions = runs.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list the newest runs")
    listing.add_argument("--json", action="store_true", help="print JSON")
    for action, what in (("show", "show a run"), ("resume", "go on with a run"), ("cancel", "end what a run is doing")):
        each = actions.add_parser(action, help=what)
        each.add_argument("run_id", metavar="RUN")
        each.add_argument("--json", action="store_true", help="print JSON")

    export = actions.add_parser(
        "export", help="print everything about a run as JSON",
        description="Print one JSON document: the run, its attempts, results, journal, approvals and events, without "
        "secrets. Exits with 1 when the journal was changed after it was written.",
    )  # fmt: skip
    export.add_argument("run_id", metavar="RUN", help="as `repowright runs list` shows it")
    export.add_argument(
        "--recording", action="store_true",
        help="print only the model's answers: with LLM_PROVIDER=scripted and the path of this file as LLM_MODEL, the "
        "same calls get them again, offline and free of charge",
    )  # fmt: skip

    approve = commands.add_parser("approve", help="say yes, or no, to what a run waits for")
    approve.add_argument("run_id", metavar="RUN")
    answer = approve.add_mutually_exclusive_group()
    answer.add_argument("--yes", action="store_true", help="say yes without being asked")
    answer.add_argument("--no", action="store_true", help="decline")
    return parser


def _add_roots(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allow-root", action="append", metavar="DIR", type=Path, default=[],
        help="folder that local repositories may lie in; may be given again (default: the work tree started in)",
    )  # fmt: skip
