"""`go test`: its own events, one JSON object a line (`go doc test2json`)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from repowright_tools.run_tests_sandboxed.json_objects import read_object
from repowright_tools.run_tests_sandboxed.models import Case, CaseOutcome
from repowright_tools.run_tests_sandboxed.runners.base import (
    MOST_BYTES,
    Cases,
    Reporting,
    kept,
    number_of,
    text_of,
)

_REPORT = "go.json"
_KEPT = 4_000
_UNBUILT = re.compile(rb"^FAIL\t(\S{1,500}) \[(?:build|setup) failed\]", re.MULTILINE)
"""How Go before 1.24 says it, between its events."""
_ENDS: dict[str, CaseOutcome] = {"pass": "passed", "fail": "failed", "skip": "skipped"}


def go_reporting(words: list[str]) -> Reporting | None:
    """How `go test` with these words reports; None when it is something else."""
    if words[:2] != ["go", "test"]:
        return None
    more = [word for word in words[2:] if word not in ("-json", "-v")]
    # The cache of results would pass a test without running it
    return Reporting(kept(["go", "test", "-json", "-count=1", *more], _REPORT), (_REPORT,), _read, foreign=True)


@dataclass
class _Package:
    started: dict[str, None] = field(default_factory=dict[str, None])
    ended: set[str] = field(default_factory=set[str])
    said: dict[str, str] = field(default_factory=lambda: defaultdict[str, str](str))
    outcome: str = ""


def _read(files: Mapping[str, bytes], _paths: Collection[str]) -> list[Case] | None:
    return read_go(files.get(_REPORT, b""))


def read_go(data: bytes) -> list[Case] | None:
    """The tests as `package::Test/subtest`. One that was started and never ended, as by a panic, has failed.

    A package that fails while no test of it does, for it could not be built, is an error by its own name.
    """
    packages, cases = defaultdict[str, _Package](_Package), Cases()
    for name in _UNBUILT.findall(data[:MOST_BYTES]):
        packages[name.decode(errors="replace")].outcome = "fail"
    for event in _events(data):
        package = packages[text_of(event.get("Package"))]
        _take(event, package, cases)
    for name, package in packages.items():
        for test in package.started:
            if test not in package.ended:
                cases.add(f"{name}::{test}", "failed", message=f"did not end\n{package.said[test]}")
    found = cases.all()
    failed = {case.id.partition("::")[0] for case in found if case.outcome == "failed"}
    for name, package in packages.items():
        if package.outcome == "fail" and name not in failed:
            cases.add(name, "error", message=package.said[""] or "the package could not be built or tested")
    return cases.all() or None


def _events(data: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in data[:MOST_BYTES].splitlines():
        event = read_object(line) if line.startswith(b"{") else None  # the others are what the compiler says
        if event is not None:
            found.append(event)
    return found


def _take(event: dict[str, Any], package: _Package, cases: Cases) -> None:
    action, test = text_of(event.get("Action")), text_of(event.get("Test"))
    if action == "output":
        package.said[test] = (package.said[test] + text_of(event.get("Output")))[-_KEPT:]
    elif not test:
        package.outcome = action if action in _ENDS else package.outcome
    elif action == "run":
        package.started[test] = None
    elif action in _ENDS:
        package.ended.add(test)
        message = "" if action == "pass" else package.said[test]
        name = f"{text_of(event.get('Package'))}::{test}"
        cases.add(name, _ENDS[action], number_of(event.get("Elapsed")), message)
