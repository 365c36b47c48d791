"""What is believed of a record, whose events hostile code may have made."""

import json
import os
import zlib
from typing import Any

import pytest

from repowright_tools.run_tests_sandboxed.in_box.reporter import sender
from repowright_tools.run_tests_sandboxed.in_box.supervisor import Listener
from repowright_tools.run_tests_sandboxed.record import Observed, read_record

TEST = "tests/test_a.py::test_x"


def reported(name: str = TEST, outcome: str = "passed", **more: Any) -> list[dict[str, Any]]:
    """What an honest run says of one test."""
    call = {"event": "report", "id": name, "when": "call", "outcome": outcome, "duration": 0.5, "raised": ""}
    return [
        {"event": "start", "id": name},
        {"event": "report", "id": name, "when": "setup", "outcome": "passed", "duration": 0.25},
        {**call, **more},
        {"event": "report", "id": name, "when": "teardown", "outcome": "passed", "duration": 0.25},
    ]


def observed(*events: dict[str, Any], ids: tuple[str, ...] = (TEST,), code: int = 0, **record: Any) -> Observed:
    whole = [{"event": "collected", "ids": list(ids)}, *events, {"event": "finish"}, {"event": "end", "exit": code}]
    values = {"events": whole, "strange": 0, "flooded": False, "alone": True, "exit": code, **record}
    return read_record(zlib.compress(json.dumps(values).encode()))


def kinds(found: Observed) -> list[str]:
    return [entry.kind for entry in found.contradictions]


def test_an_honest_run_is_read_as_it_is() -> None:
    failed = reported("t.py::y", "failed", raised="AssertionError", message="assert 1 == 2\nE  more")
    found = observed(*reported(), *failed, ids=(TEST, "t.py::y"), code=1)
    assert kinds(found) == []
    assert [(case.id, case.outcome, case.duration_s) for case in found.cases or []] == [
        (TEST, "passed", 1.0),
        ("t.py::y", "failed", 1.0),
    ]
    assert (found.cases or [])[1].message == "assert 1 == 2\nE  more"


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        (reported(raised="AssertionError"), "results_contradict"),
        (reported(raised=None), "results_contradict"),
        (reported()[1:], "results_contradict"),
        (reported()[:2], "results_contradict"),
        ([], "results_contradict"),
        ([*reported(), {"event": "altered", "name": "_pytest.runner.x"}], "runner_altered"),
        ([*reported(), {"event": "changed", "path": "tests/test_b.py"}], "test_altered"),
    ],
)
def test_a_pass_that_cannot_be_true_is_a_contradiction(events: list[dict[str, Any]], kind: str) -> None:
    assert kinds(observed(*events)) == [kind]


@pytest.mark.parametrize("record", [{"strange": 1}, {"flooded": True}, {"alone": False}])
def test_a_channel_that_others_used_is_a_contradiction(record: dict[str, Any]) -> None:
    assert kinds(observed(*reported(), **record)) == ["results_forged"]


def test_an_exit_code_that_pytest_did_not_give_is_a_contradiction() -> None:
    failed = reported(outcome="failed", raised="AssertionError")
    assert kinds(observed(*failed, code=1, exit=0)) == ["results_contradict"]


def test_a_run_that_stops_at_a_failure_owes_no_other_results() -> None:
    failed = reported(outcome="failed", raised="AssertionError")
    assert kinds(observed(*failed, ids=(TEST, "t.py::later"), code=1)) == []


def test_expected_failures_attempts_and_other_processes_are_no_contradictions() -> None:
    expected = reported(outcome="skipped", raised="AssertionError", xfail=True)
    again = [*reported(outcome="rerun", raised="AssertionError"), *reported()]
    workers: dict[str, Any] = {"event": "collected", "ids": [], "elsewhere": True}
    assert [kinds(observed(*events)) for events in (expected, again)] == [[], []]
    assert kinds(observed(workers, *reported(raised=None))) == []


def test_a_run_without_an_end_has_no_results() -> None:
    events = [{"event": "collected", "ids": [TEST]}, *reported()]
    values = {"events": events, "strange": 0, "flooded": False, "alone": True, "exit": 0}
    found = read_record(zlib.compress(json.dumps(values).encode()))
    assert (found.cases, found.began) == (None, True)


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"events": [{"event": 1}], "strange": 0, "flooded": false, "alone": true, "exit": 0}',
        b'{"events": [], "strange": "0", "flooded": false, "alone": true, "exit": 0}',
    ],
)
def test_what_is_no_record_says_nothing(data: bytes | None) -> None:
    assert read_record(data) == Observed()
    assert read_record(None if data is None else zlib.compress(data)) == Observed()


def test_a_small_record_that_would_be_huge_is_none() -> None:
    assert read_record(zlib.compress(b'{"events": [], "x": "' + b"x" * 70_000_000 + b'"}')) == Observed()


def test_endless_names_numbers_and_messages_are_bounded() -> None:
    long = "x" * 10_000
    [case] = observed(*reported(long, "failed", duration=1e300, message=long, raised="E"), ids=(long,)).cases or []
    assert (len(case.id), len(case.message or ""), case.duration_s < 1e6) == (500, 2000, True)


@pytest.mark.parametrize("lines", [[0, 0], [1], [1, 0], [0, 2]])
def test_events_that_are_repeated_left_out_or_signed_by_others_are_no_events(lines: list[int]) -> None:
    """The first argument of a signature is the place of the event, so that none can be played again."""
    read, write = os.pipe()
    sent: list[bytes] = []
    for key in (b"k" * 32, b"x" * 32):
        inner, outer = os.pipe()
        send = sender(outer, key)
        send({"event": "start"})
        send({"event": "end"})
        sent += os.read(inner, 1 << 16).splitlines(keepends=True)
        os.close(inner)
        os.close(outer)
    os.write(write, b"".join(sent[number] for number in lines))
    os.close(write)
    listener = Listener(b"k" * 32)
    listener.take(read, 1.0)
    os.close(read)
    assert listener.heard()["strange"] > 0
    assert len(json.loads(listener.events())) < len(lines)
