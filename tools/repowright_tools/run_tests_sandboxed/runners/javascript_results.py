"""What Node's own runner told our reporter, and the JSON of Jest, Vitest and Mocha."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Collection
from typing import Any

from repowright_tools.run_tests_sandboxed.json_objects import is_list, is_table, read_object
from repowright_tools.run_tests_sandboxed.models import FAILING, Case, CaseOutcome
from repowright_tools.run_tests_sandboxed.runners.base import (
    MOST_BYTES,
    Cases,
    number_of,
    relative,
    text_of,
)

_MOST_DEPTH = 50
_NOT_RUN = "Test suite failed to run"
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
        nesting, name = event.get("nesting"), text_of(event.get("name"))[:2_000]
        if not isinstance(nesting, int) or not 0 <= nesting < _MOST_DEPTH:
            continue
        if event.get("type") == "start":
            open_[nesting:] = [name]
        else:
            _end(cases, event, "::".join([*open_[:nesting], name]), paths)
    return cases.all()


def _end(cases: Cases, event: dict[str, Any], name: str, paths: Collection[str]) -> None:
    file, failed = relative(text_of(event.get("file"))), event.get("type") == "fail"
    message, took = text_of(event.get("message")), _seconds(event.get("ms"))
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
    """The tests as `path::suite::test`, of Jest or Vitest; a file that could not be run, or set up, is an error."""
    document = _load(data)
    if "testResults" not in document:
        return None
    cases = Cases()
    for suite in _list(document["testResults"]):
        path = relative(text_of(suite.get("name")))
        failed = False
        for test in _list(suite.get("assertionResults")):
            name = "::".join([path, *filter(None, _texts(test.get("ancestorTitles"))), text_of(test.get("title"))])
            said = "\n".join(_texts(test.get("failureMessages")))
            outcome = _STATES.get(text_of(test.get("status")), "error")
            cases.add_apart(name, outcome, _seconds(test.get("duration")), said)
            failed = failed or outcome in FAILING
        if _fails_itself(suite, failed=failed):
            cases.add_apart(path, "error", message=text_of(suite.get("message")))
    return cases.all()


def _fails_itself(suite: dict[str, Any], *, failed: bool) -> bool:
    """Whether a file fails beside its tests, as by an `afterAll`: Jest says so in words where a test fails too."""
    message = suite.get("message")
    if failed:
        return isinstance(message, str) and _NOT_RUN in message
    return suite.get("status") == "failed" or bool(text_of(message).strip())


def read_mocha(data: bytes) -> list[Case] | None:
    """The tests as `path::suites and test`; a hook that failed is an error by its own name."""
    document = _load(data)
    if "tests" not in document:
        return None
    cases, tests = Cases(), _list(document["tests"])
    left_out = Counter(_mocha_id(test) for test in _list(document.get("pending")))
    failures = defaultdict[str, deque[str]](deque)
    for test in _list(document.get("failures")):
        failures[_mocha_id(test)].append(_stack(test) or "failed")
    for test in tests:
        if _stack(test) and failures[_mocha_id(test)]:
            failures[_mocha_id(test)].popleft()
    for test in tests:
        id_, said = _mocha_id(test), _stack(test)
        outcome: CaseOutcome = "passed"
        if not said and failures[id_]:  # what is thrown may have nothing that JSON can show
            said = failures[id_].popleft()
        if said:
            outcome = "failed"
        elif left_out[id_] > 0:
            outcome, left_out[id_] = "skipped", left_out[id_] - 1
        cases.add_apart(id_, outcome, _seconds(test.get("duration")), said)
    for id_, messages in failures.items():
        for said in messages:
            cases.add_apart(id_, "error", message=said)
    return cases.all()


def _mocha_id(test: dict[str, Any]) -> str:
    return "::".join(part for part in (relative(text_of(test.get("file"))), text_of(test.get("fullTitle"))) if part)


def _stack(test: dict[str, Any]) -> str:
    """What a test failed with; empty when it does not say so."""
    error = test.get("err")
    return text_of(error.get("stack")) or text_of(error.get("message")) or "failed" if is_table(error) and error else ""


def _load(data: bytes) -> dict[str, Any]:
    return read_object(data[:MOST_BYTES]) or {}


def _list(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if is_table(entry)] if is_list(value) else []


def _texts(value: Any) -> list[str]:
    return [text_of(entry)[:2_000] for entry in value[:_MOST_DEPTH]] if is_list(value) else []


def _seconds(milliseconds: Any) -> float:
    return number_of(milliseconds) / 1000
