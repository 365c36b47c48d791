"""Whether a change breaks the syntax of a file: one that parsed before must parse after, a new one must parse.

Run as a program it is the parser's process: parsing is native code that cannot be interrupted, and what it reads was
written by a model. It reads a JSON list of [grammar, text] and prints the line of the first error of each, or null.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib import import_module

import anyio

from repowright_tools.index.languages import grammar_named

_DEADLINE_S = 30.0
DATA_FORMATS = ("toml", "json")
"""Formats that the standard library parses; they are named like the suffixes of their files."""


class ParserFailed(Exception):
    """The parser's process crashed or did not end in time."""


async def first_errors(files: Sequence[tuple[str, bytes]]) -> list[int | None]:
    """The line of the first syntax error of each file, given as grammar and bytes; None where it parses.

    Raises:
        ParserFailed: the parser crashed or did not end in time.
    """
    if not files:
        return []
    request = json.dumps([[grammar, data.decode(errors="replace")] for grammar, data in files])
    # -P and no environment: nothing in the folder the server runs in can take the place of a module.
    command = [sys.executable, "-P", "-m", __spec__.name]
    try:
        with anyio.fail_after(_DEADLINE_S):
            done = await anyio.run_process(
                command, input=request.encode(), stderr=subprocess.DEVNULL, check=True, cwd="/", env={}
            )
    except (TimeoutError, subprocess.CalledProcessError) as error:
        raise ParserFailed("the parser crashed or did not end in time") from error
    lines: list[int | None] = json.loads(done.stdout)
    return lines


def first_error(grammar: str, text: str) -> int | None:
    """The line of the first syntax error, counted from 1; None when there is none."""
    if grammar in DATA_FORMATS:
        return _first_error_of_data(grammar, text.removeprefix("\ufeff"))
    from tree_sitter import Language, Parser

    described, _ = grammar_named(grammar)
    grammar_pointer: object = getattr(import_module(described.package), described.function)()
    node = Parser(Language(grammar_pointer)).parse(text.encode()).root_node
    if not node.has_error:
        return None
    while not (node.is_error or node.is_missing):
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None:
            break
        node = inner
    return node.start_point.row + 1


def _first_error_of_data(data_format: str, text: str) -> int | None:
    try:
        if data_format == "toml":
            tomllib.loads(text)
        else:
            json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return error.lineno
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+), column \d+\)\Z", str(error))
        return int(place[1]) if place else text.count("\n") + 1
    except (ValueError, RecursionError):  # NaN, a number of thousands of digits, thousands of nested lists
        return 1
    return None


def _no_constant(name: str) -> None:
    """Python's parser takes NaN and Infinity, which are not JSON."""
    raise ValueError(f"{name} is not JSON")


if __name__ == "__main__":
    sys.stdout.write(json.dumps([first_error(grammar, text) for grammar, text in json.load(sys.stdin)]))
