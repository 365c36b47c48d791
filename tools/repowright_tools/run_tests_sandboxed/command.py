"""The line that runs the tests: pytest is recognised and made to report each test; anything else runs as given."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass

from repowright_tools.errors import InvalidArguments
from repowright_tools.sandbox.base import OUT

REPORT = "junit.xml"
"""The file in `OUT` that per-test results are read from."""
_REPORT_OPTIONS = f"--junitxml={OUT}/{REPORT} -o junit_family=xunit2 -p no:cacheprovider"
REPORT_VARIABLES = {
    "PYTEST_ADDOPTS": _REPORT_OPTIONS,
    "JEST_JUNIT_OUTPUT_FILE": f"{OUT}/{REPORT}",
    "GOTESTSUM_JUNITFILE": f"{OUT}/{REPORT}",
}
"""For a command that is not pytest itself, but may start a runner that reports."""

_SHELL = re.compile(r"[;&|<>()$`\\\n*?#~{}!]")
_RUNNERS = {("uv", "run"), ("poetry", "run"), ("pdm", "run"), ("pipenv", "run"), ("rye", "run"), ("hatch", "run")}
_PYTHON = re.compile(r"python(3(\.\d+)?)?")


@dataclass(frozen=True)
class TestCommand:
    """A line for `sh`. `reports` means that every test is reported, so that a missing report is suspicious."""

    __test__ = False

    line: str
    reports: bool


def test_command(command: str, selector: str | None, paths: Collection[str]) -> TestCommand:
    """The line that runs `command` on the tests that `selector` names; `paths` are the files of the repository.

    Raises:
        InvalidArguments: a selector for a command that is not pytest, or one that cannot be read.
    """
    words = _pytest_arguments(command)
    if words is None:
        if selector is not None:
            raise InvalidArguments("`selector` works with pytest only; put the selection into `command` instead")
        return TestCommand(command, reports=False)
    chosen = [] if selector is None else _selection(selector, paths)
    line = shlex.join(["python3", "-m", "pytest", *words, *_REPORT_OPTIONS.split(), *chosen])
    return TestCommand(line, reports=True)


def _pytest_arguments(command: str) -> list[str] | None:
    """The arguments of pytest in a plain command; None when it is not pytest, or more than one plain command."""
    if _SHELL.search(command):
        return None
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if tuple(words[:2]) in _RUNNERS:  # the environment is ours, so its manager is not needed
        words = words[2:]
    match words:
        case ["pytest" | "py.test", *arguments]:
            return arguments
        case [python, "-m", "pytest", *arguments] if _PYTHON.fullmatch(python):
            return arguments
        case [python, "-m", "unittest", *arguments] if _PYTHON.fullmatch(python):
            return _from_unittest(arguments)
        case _:
            return None


def _from_unittest(arguments: list[str]) -> list[str] | None:
    """What makes pytest find the tests that unittest's discovery finds; None for anything but plain discovery."""
    folders = [word for word in arguments if word not in ("discover", "-s", "--start-directory", "-v", "--verbose")]
    if any(folder.startswith("-") for folder in folders) or len(folders) > 1:
        return None
    if folders and "discover" not in arguments:
        return None
    return ["-o", "python_files=test*.py", *folders]


def _selection(selector: str, paths: Collection[str]) -> list[str]:
    try:
        words = shlex.split(selector)
    except ValueError as error:
        raise InvalidArguments(f"`selector` cannot be read: {error}") from error
    if not words:
        raise InvalidArguments("`selector` is empty; leave it out to run all tests")
    if _is_path(selector, paths):  # a node id may hold spaces
        return [selector]
    if words[0].startswith("-") or all(_is_path(word, paths) for word in words):
        return words
    return ["-k", selector]


def _is_path(word: str, paths: Collection[str]) -> bool:
    path = word.partition("::")[0].removeprefix("./").rstrip("/")
    return any(known == path or known.startswith(f"{path}/") for known in paths)
