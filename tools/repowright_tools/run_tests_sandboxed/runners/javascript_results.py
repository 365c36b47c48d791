"""What Node's own runner told our reporter, and the JSON of Jest, Vitest and Mocha."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from typing import Any

from repowright_tools.run_tests_sandboxed.models import Case, CaseOutcome
from repowright_tools.run_tests_sandboxed.runners.base import MOST_BYTES, Cases, is_list, is_table, relative

_MOST_DEPTH = 50
_STATES: dict[str, CaseOutcome] = {
    "passed": "passed",
    "failed": "failed",
    "pending": "skipped",
    "skipped": "skipped",
    "todo": "skipped",
    "disabled": "skipped",
}


def read_node(data: bytes, paths: Collection[str]) -> list[Case] | None:
    """The tests as `path::suite::test`, those around others too, as Node counts them; a file that has none is one.

    A suite is none, unless it fails by itself: then it is an error, like a file that could not be run.
    """
    cases = Cases()
    open_: list[str] = []
    for line in data[:MOST_BYTES].splitlines():
        event = _load(line)
        nesting, name = event.get("nesting"), str(event.get("name", ""))[:2_000]
        if not isinstance(nesting, int) or not 0 <= nesting < _MOST_DEPTH:
            continue
        if event.get("type") == "start":
            open_[nesting:] = [name]
        else:
            _end(cases, event, "::".join([*open_[:nesting], name]), paths)
    return cases.all()


def _end(cases: Cases, event: dict[str, Any], name: str, paths: Collection[str]) -> None:
    file, failed = relative(str(event.get("file", ""))), event.get("type") == "fail"
    message, took = str(event.get("message", "")), _seconds(event.get("ms"))
    outcome: CaseOutcome = "failed" if failed else "passed"
    if event.get("suite"):
        if not failed or event.get("inner"):
            return
        outcome = "error"
    if event.get("skip") or event.get("todo"):
        outcome = "skipped"
    if relative(name) in paths:  # a process of its own for each file: one without tests is told of like a test
        cases.add(relative(name), "error" if failed else outcome, took, message)
        return
    cases.add_apart("::".join(part for part in (file, name) if part), outcome, took, message)


def read_jest(data: bytes) -> list[Case] | None:
    """The tests as `path::suite::test`, of Jest or Vitest; a file that could not be run is an error by its own name."""
    document = _load(data)
    if "testResults" not in document:
        return None
    cases = Cases()
    for suite in _list(document["testResults"]):
        path = relative(str(suite.get("name", "")))
        tests = _list(suite.get("assertionResults"))
        for test in tests:
            name = "::".join([path, *filter(None, _texts(test.get("ancestorTitles"))), str(test.get("title", ""))])
            said = "\n".join(_texts(test.get("failureMessages")))
            outcome = _STATES.get(str(test.get("status")), "error")
            cases.add_apart(name, outcome, _seconds(test.get("duration")), said)
        if not tests and suite.get("status") == "failed":
            cases.add(path, "error", message=str(suite.get("message", "")))
    return cases.all()


def read_mocha(data: bytes) -> list[Case] | None:
    """The tests as `path::suites and test`; a hook that failed is an error by its own name."""
    document = _load(data)
    if "tests" not in document:
        return None
    cases = Cases()
    tests, failures = _list(document["tests"]), _list(document.get("failures"))
    left_out = Counter(_mocha_id(test) for test in _list(document.get("pending")))
    for test in tests:
        id_, said = _mocha_id(test), _stack(test)
        outcome: CaseOutcome = "passed"
        if said:
            outcome = "failed"
        elif left_out[id_] > 0:
            outcome, left_out[id_] = "skipped", left_out[id_] - 1
        cases.add_apart(id_, outcome, _seconds(test.get("duration")), said)
    known = {_mocha_id(test) for test in tests}
    for test in failures:
        if _mocha_id(test) not in known:
            cases.add_apart(_mocha_id(test), "error", message=_stack(test))
    return cases.all()


def _mocha_id(test: dict[str, Any]) -> str:
    return "::".join(part for part in (relative(str(test.get("file", ""))), str(test.get("fullTitle", ""))) if part)


def _stack(test: dict[str, Any]) -> str:
    """What a test failed with; empty when it did not."""
    error = test.get("err")
    return str(error.get("stack") or error.get("message") or "failed") if is_table(error) and error else ""


def _load(data: bytes | None) -> dict[str, Any]:
    try:
        document = json.loads((data or b"")[:MOST_BYTES])
    except (ValueError, RecursionError):
        return {}
    return document if is_table(document) else {}


def _list(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if is_table(entry)] if is_list(value) else []


def _texts(value: Any) -> list[str]:
    return [str(entry)[:2_000] for entry in value[:_MOST_DEPTH]] if is_list(value) else []


def _seconds(milliseconds: Any) -> float:
    return float(milliseconds) / 1000 if isinstance(milliseconds, int | float) else 0.0
