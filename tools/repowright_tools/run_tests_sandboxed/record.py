"""What the supervisor's record says of a run: its tests, and where what was said cannot be true."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from repowright_tools.run_tests_sandboxed.models import FAILING, Case, CaseOutcome, Contradiction
from repowright_tools.run_tests_sandboxed.test_files import is_test_file
from repowright_tools.sandbox.base import REPOSITORY
from repowright_tools.secrets import redact, strip_invisible

_MOST_TESTS = 100_000
_MOST_BYTES = 64 * 1024 * 1024
_MAX_ID = 500
_MAX_MESSAGE = 2_000
_MAX_DURATION_S = 86_400.0
_NAMED = 5
_MOST_HOOKS = 200
_INTERRUPTED, _NOTHING = 2, 5
_SEVERITY: dict[CaseOutcome, int] = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}


class _Event(BaseModel):
    """One event of `Reporter`; what an event does not have stays at its default."""

    model_config = ConfigDict(extra="ignore", strict=True)

    event: str
    id: str = ""
    ids: list[str] = []
    elsewhere: bool = False
    when: str | None = None
    outcome: str = ""
    duration: float | int = 0.0
    xfail: bool = False
    raised: str | None = None
    skipped: bool = False
    message: str = ""
    path: str = ""
    name: str = ""
    hooks: list[str] = []
    ran: dict[str, list[int]] | None = None
    exit: int | None = None


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    events: list[_Event]
    strange: int
    flooded: bool
    alone: bool
    exit: int
    changed: list[str] = []


@dataclass
class Observed:
    """A run as it was watched.

    Attributes:
        cases: each test with its worst outcome; None when pytest did not come to its end.
        began: whether any test was started.
        contradictions: what cannot be true of an honest run.
        hooks: hooks of the repository that could decide results, as `path::hook`.
        ran: the watched lines that ran, by path; None when they were not watched or ran in other processes.
    """

    cases: list[Case] | None = None
    began: bool = False
    contradictions: list[Contradiction] = field(default_factory=list[Contradiction])
    hooks: list[str] = field(default_factory=list[str])
    ran: dict[str, list[int]] | None = None


def read_record(data: bytes | None) -> Observed:
    """What a record shows. Hostile code can have made its events, as far as it found the key; see `supervised_line`.

    An honest run that stops after a failure leaves collected tests unreported; without any failure nothing stops it.
    """
    try:
        record = _Record.model_validate(json.loads(zlib.decompressobj().decompress(data or b"", _MOST_BYTES)))
    except (zlib.error, ValueError, ValidationError, RecursionError):
        return Observed()
    reading = _Reading()
    for event in record.events:
        reading.take(event)
    return reading.observed(record)


class _Reading:
    def __init__(self) -> None:
        self._found = Observed()
        self._cases: dict[str, Case] = {}
        self._phases: dict[str, set[str | None]] = {}
        self._collected: list[str] | None = None
        self._elsewhere = False
        self._started: set[str] = set()
        self._end: int | None = None

    def take(self, event: _Event) -> None:
        match event.event:
            case "collected":
                self._collected = [*(self._collected or []), *event.ids]
                self._elsewhere = event.elsewhere
            case "unreadable":
                self._keep(event, "skipped" if event.skipped else "error")
            case "changed":
                self._doubt(
                    "test_altered", event.path, f"{event.path} was altered by the run itself before its tests were read"
                )
            case "start":
                self._started.add(event.id)
            case "report":
                self._report(event)
            case "altered":
                self._doubt("runner_altered", "", f"the code under test replaced {event.name[:200]}")
            case "equal" if not is_test_file(event.path):
                self._doubt(
                    "equals_everything", event.path, f"{event.name[:200]} is equal to whatever it is compared to"
                )
            case "finish":
                self._found.hooks = [_plain(name) for name in event.hooks[:_MOST_HOOKS]]
                self._found.ran = _relative(event.ran)
            case "end":
                self._end = event.exit
            case _:
                pass

    def _report(self, event: _Event) -> None:
        if event.outcome not in ("passed", "failed", "skipped"):
            return  # an attempt that is repeated, of a plugin for that
        self._phases.setdefault(event.id, set()).add(event.when)
        outcome = cast(CaseOutcome, event.outcome)
        self._keep(event, "error" if outcome == "failed" and event.when != "call" else outcome)
        if event.when != "call" or event.outcome != "passed" or self._elsewhere:
            return
        path = event.id.partition("::")[0]
        if event.raised is None or event.id not in self._started:
            self._doubt("results_contradict", path, f"{event.id[:_MAX_ID]} is reported as passed but was not run")
        elif event.raised and not event.xfail:
            said = f"{event.id[:_MAX_ID]} is reported as passed but raised {event.raised[:100]}"
            self._doubt("results_contradict", path, said)

    def _keep(self, event: _Event, outcome: CaseOutcome) -> None:
        known = self._cases.get(event.id)
        duration = (known.duration_s if known else 0.0) + min(max(0.0, float(event.duration)), _MAX_DURATION_S)
        message = redact(strip_invisible(event.message))[:_MAX_MESSAGE] if event.message else None
        if known is not None and _SEVERITY[known.outcome] >= _SEVERITY[outcome]:
            outcome, message = known.outcome, known.message
        if len(self._cases) < _MOST_TESTS:
            name = redact(strip_invisible(event.id))[:_MAX_ID]
            self._cases[event.id] = Case(id=name, outcome=outcome, duration_s=duration, message=message)

    def _doubt(self, kind: str, path: str, detail: str) -> None:
        found = Contradiction(kind=kind, path=_plain(path), detail=_plain(detail))
        if found not in self._found.contradictions and len(self._found.contradictions) < 100:
            self._found.contradictions.append(found)

    def observed(self, record: _Record) -> Observed:
        if record.strange or record.flooded:
            self._doubt("results_forged", "", "something else than the runner wrote to the channel of the results")
        if not record.alone:
            self._doubt("results_forged", "", "processes that the tests left behind could not be ended")
        for path in record.changed:
            self._doubt("test_altered", path, f"{path} was altered by the run itself")
        self._found.began = bool(self._started)
        if self._end is None:
            return self._found
        self._found.cases = list(self._cases.values())
        if self._end != record.exit:
            said = f"pytest ended with exit code {self._end}, but its process with {record.exit}"
            self._doubt("results_contradict", "", said)
        unreported = [name for name in self._collected or [] if not self._is_whole(name)]
        failures = any(case.outcome in FAILING for case in self._found.cases)
        if unreported and not failures and self._end not in (_INTERRUPTED, _NOTHING):
            self._doubt("results_contradict", "", f"{len(unreported)} collected but never run: {_names(unreported)}")
        return self._found

    def _is_whole(self, name: str) -> bool:
        phases = self._phases.get(name, set())
        case = self._cases.get(name)
        return "call" in phases or (case is not None and case.outcome != "passed")


def _plain(text: str) -> str:
    return " ".join(redact(strip_invisible(text)).split())[: 2 * _MAX_ID]


def _relative(ran: dict[str, list[int]] | None) -> dict[str, list[int]] | None:
    return None if ran is None else {path.removeprefix(f"{REPOSITORY}/"): lines for path, lines in ran.items()}


def _names(ids: Iterable[str]) -> str:
    names: list[Any] = [name[:_MAX_ID] for name in ids]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
