"""The line that runs the tests: pytest is recognised and made to report each test; anything else runs as given."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass

from repowright_tools.errors import InvalidArguments
from repowright_tools.run_tests_sandboxed.deciding import Deciding
from repowright_tools.run_tests_sandboxed.runners.base import Reporting
from repowright_tools.run_tests_sandboxed.runners.declared import PYTEST_OPTIONS, REPORT, declared_reporting
from repowright_tools.run_tests_sandboxed.runners.detect import reporting
from repowright_tools.run_tests_sandboxed.runners.words import PYTHON, plain_words
from repowright_tools.run_tests_sandboxed.selection import read_selector, selection
from repowright_tools.secrets import redact, strip_invisible

_LIKE_UNITTEST = ["-o", "python_files=test*.py"]
_QUOTED = 120
_NEW = "scripts or packages of the change, which the base has not, are run as well"
_NEW_LEFT_OUT = "scripts or packages of the change, which the base has not, are not run"
_UNKNOWN = (
    "it starts no runner that is known here, or too many at once, so single tests are read from JUnit XML alone: let it"
    " write that to $JUNIT_OUTPUT, or give a `command` that starts the runner itself"
)


@dataclass(frozen=True)
class TestCommand:
    """What runs the tests.

    Attributes:
        line: for `sh`.
        reports: every test is reported, so that a missing report is suspicious.
        selects: a selector narrows what the command runs.
        remarks: what a reader of the results must know of what was run.
        reporting: how it reports its tests, when it is not pytest.
    """

    __test__ = False

    line: str
    reports: bool
    selects: bool = False
    remarks: tuple[str, ...] = ()
    reporting: Reporting | None = None

    @property
    def single(self) -> Reporting:
        """How single results are reported by what is not pytest."""
        return self.reporting or declared_reporting(self.line)


def check_arguments(command: str | None, selector: str | None) -> None:
    """Refuse what no repository could make right. Raises InvalidArguments."""
    if selector is not None:
        read_selector(selector)
        if command and _pytest_arguments(command) is None:
            raise _unselectable()


def test_command(
    command: str,
    selector: str | None,
    paths: Collection[str],
    *,
    by_caller: bool,
    files: Deciding | None = None,  # noqa: PT028 - this is no test, it makes them run
) -> TestCommand:
    """What runs `command` on the tests that `selector` names.

    Args:
        command: a line for `sh`.
        selector: see `read_selector`; None for all tests.
        paths: the files of the repository.
        by_caller: the command is the caller's, not the repository's own.
        files: what says which runner a command starts.

    Raises:
        InvalidArguments: a selector for a command that is not pytest, or one that cannot be read.
    """
    words = _pytest_arguments(command)
    remarks: list[str] = []
    if selector is not None:
        remarks.append(f"run with the selector {_quoted(selector)}, which may leave tests out")
    if by_caller:
        remarks.append(f"run with the command {_quoted(command)}")
    if words is None:
        if selector is not None:
            raise _unselectable()
        found, more = _found(command, files or Deciding({}, {}))
        return TestCommand(found.line, reports=False, remarks=(*remarks, *more), reporting=found)
    if words[:2] == _LIKE_UNITTEST:
        remarks.append("pytest ran the tests in place of unittest")
    chosen = [] if selector is None else selection(selector, paths)
    line = shlex.join(["python3", "-m", "pytest", *words, *PYTEST_OPTIONS.split(), *chosen])
    return TestCommand(line, reports=True, selects=selector is not None, remarks=tuple(remarks))


def _found(command: str, files: Deciding) -> tuple[Reporting, list[str]]:
    """How a command that is not pytest reports, and what is to be said of it.

    What only the change has is run too where that is understood, after what the base has.
    """
    base, whole = reporting(command, files.known), reporting(command, files.extended)
    found = whole if whole.known else base
    remarks = [_quoted(doubt).strip("`") for doubt in found.doubts]
    if base.reporting.line != whole.reporting.line:
        remarks.append(_NEW if whole.known else _NEW_LEFT_OUT)
    if not found.known and found.reporting.collect == (REPORT,):
        remarks.append(_UNKNOWN)
    return found.reporting, remarks


def _unselectable() -> InvalidArguments:
    return InvalidArguments("`selector` works with pytest only; put the selection into `command` instead")


def _quoted(text: str) -> str:
    """The text on one line between backticks, shortened and without what could be taken for the end of it."""
    line = " ".join(redact(strip_invisible(text)).split()).replace("`", "'")
    return f"`{line if len(line) <= _QUOTED else line[: _QUOTED - 3] + '...'}`"


def _pytest_arguments(command: str) -> list[str] | None:
    """The arguments of pytest in a plain command; None when it is not pytest, or more than one plain command."""
    words = plain_words(command)
    match words:
        case ["pytest" | "py.test", *arguments]:
            return arguments
        case [python, "-m", "pytest", *arguments] if PYTHON.fullmatch(python):
            return arguments
        case [python, "-m", "unittest", *arguments] if PYTHON.fullmatch(python):
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
    return [*_LIKE_UNITTEST, *folders]
