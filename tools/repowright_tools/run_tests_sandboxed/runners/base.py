"""What all runners share: how a command reports, and how single results are kept within bounds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from repowright_tools.run_tests_sandboxed.models import Case, CaseOutcome
from repowright_tools.run_tests_sandboxed.runners.words import joined
from repowright_tools.sandbox.base import OUT, REPOSITORY
from repowright_tools.secrets import redact, strip_invisible

MOST_BYTES = 16 * 1024 * 1024
_MOST_TESTS = 100_000
_MOST_MESSAGE = 2_000
_MOST_TEXT = 4 * _MOST_MESSAGE
_MOST_TOLD = 2 * _MOST_TESTS
_TOO_MANY = f"more than {_MOST_TESTS} tests"
_MOST_ID = 500
_MOST_STEM = _MOST_ID - len(f" #{_MOST_TOLD}")
_MOST_DURATION_S = 86_400.0
_SEVERITY: dict[CaseOutcome, int] = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}

Reader = Callable[[Mapping[str, bytes], Collection[str]], "list[Case] | None"]
"""From the collected files of a run, and the paths of the repository, to its tests; None when nothing can be read.

What it reads is hostile: it never raises, and takes neither more memory nor more time than the size of the files.
"""


@dataclass(frozen=True)
class Reporting:
    """A command that was made to report.

    Attributes:
        line: for `sh`, in place of the command.
        collect: names of the files in `OUT` that hold the results.
        read: what makes tests of them.
        variables: environment of the command.
        foreign: whether the tests are of another language than Python.
    """

    line: str
    collect: tuple[str, ...]
    read: Reader
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    foreign: bool = False


class Cases:
    """Collects tests by their id. Of more than 100,000 it says that they are too many, which is an error."""

    def __init__(self) -> None:
        self._found: dict[str, Case] = {}
        self._told = Counter[str]()
        self._taken = 0

    def add(self, id_: str, outcome: CaseOutcome, duration_s: float = 0.0, message: str = "") -> None:
        """Take a test, which has its worst outcome when it is told of several times.

        Text is made safe and cut, a duration is brought between 0 and a day.
        """
        if self._has_room():
            self._put(_safe_id(id_), outcome, duration_s, message)

    def add_apart(self, id_: str, outcome: CaseOutcome, duration_s: float = 0.0, message: str = "") -> None:
        """Take a test of a runner that allows several of one name: the second is `name #2`, in the order they ran."""
        if not self._has_room():
            return
        name = _safe_id(id_)
        stem = name[:_MOST_STEM]
        while name in self._found:  # each number of a stem is tried once only
            self._told[stem] += 1
            name = f"{stem} #{self._told[stem] + 1}"
        self._put(name, outcome, duration_s, message)

    def _has_room(self) -> bool:
        self._taken += 1
        if self._taken <= _MOST_TOLD and len(self._found) < _MOST_TESTS:
            return True
        self._found[_TOO_MANY] = Case(id=_TOO_MANY, outcome="error", duration_s=0.0, message="only the first were read")
        return False

    def _put(self, name: str, outcome: CaseOutcome, duration_s: float, message: str) -> None:
        known = self._found.get(name)
        if known is not None and _SEVERITY[known.outcome] >= _SEVERITY[outcome]:
            return
        self._found[name] = Case(
            id=name,
            outcome=outcome,
            duration_s=min(max(0.0, duration_s), _MOST_DURATION_S) if math.isfinite(duration_s) else 0.0,
            message=_safe(message.strip()[:_MOST_TEXT])[:_MOST_MESSAGE] or None,
        )

    def all(self) -> list[Case]:
        """In the order in which they were first told of."""
        return list(self._found.values())


def _safe_id(text: str) -> str:
    return _safe(text[: 2 * _MOST_ID])[:_MOST_ID] or "(no name)"


def _safe(text: str) -> str:
    """The text without secrets, what is not seen, and halves of characters, which JSON may hold and UTF-8 may not."""
    return redact(strip_invisible(text.encode(errors="replace").decode())) if text else ""


def text_of(value: Any) -> str:
    """A text of a JSON document, cut; empty for anything else, which could be deep or long as it likes."""
    return value[:_MOST_TEXT] if isinstance(value, str) else ""


def number_of(value: Any) -> float:
    """A number of a JSON document; 0 for anything else, and for what no float can hold."""
    try:
        return float(value) if isinstance(value, int | float) else 0.0
    except OverflowError:
        return 0.0


def relative(path: str) -> str:
    """A path of the box as the repository calls it."""
    return path.removeprefix("file://").removeprefix(f"{REPOSITORY}/").removeprefix("./")


def kept(words: list[str], name: str) -> str:
    """A line for `sh` that runs `words` with all output in the file `name` of `OUT`, and shown as it comes.

    The output is followed, and not piped: a process that is left behind with the pipe open would hold up the end.
    """
    command, file = joined(words), f"{OUT}/{name}"
    return f"{command} >{file} 2>&1 & pid=$!; tail -s 0.1 --pid=$pid -n +1 -f {file}; wait $pid"
