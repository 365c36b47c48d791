"""From observed runs to classes and one verdict."""

from typing import Any

import pytest

from repowright_tools.models import TestReport
from repowright_tools.run_tests_sandboxed.classify import classify
from repowright_tools.run_tests_sandboxed.command import TestCommand
from repowright_tools.run_tests_sandboxed.models import Case, CaseOutcome, Run
from repowright_tools.run_tests_sandboxed.stage import RunTestsSandboxed
from repowright_tools.run_tests_sandboxed.verdict import judge, totals


def cases(**outcomes: CaseOutcome) -> list[Case]:
    return [Case(id=name, outcome=outcome, duration_s=0.1) for name, outcome in outcomes.items()]


def run(found: list[Case] | None = None, **changes: Any) -> Run:
    bad = any(case.outcome in ("failed", "error") for case in found or [])
    values: dict[str, Any] = {
        "exit_code": 1 if bad else 0,
        "timed_out": False,
        "oom_killed": False,
        "limits_hit": [],
        "cases": found,
        "output_tail": "",
        "duration_s": 1.0,
    }
    return Run.model_validate(values | changes)


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (["passed"], "passed", "unchanged"),
        (["failed"], "failed", "pre_existing"),
        (["error"], "failed", "pre_existing"),
        (["failed"], "passed", "new_failure"),
        (["failed"], "skipped", "new_failure"),
        (["failed"], None, "new_failure"),
        (["passed"], None, "new"),
        (["skipped"], None, "new"),
        (["passed"], "failed", "fixed"),
        (["skipped"], "failed", "unchanged"),
        (["skipped"], "passed", "unchanged"),
        (["passed", "failed"], "passed", "flaky"),
        (["failed", "passed"], None, "flaky"),
        (["failed", "failed"], "passed", "new_failure"),
        ([], "passed", "vanished"),
    ],
)
def test_a_test_is_classified_by_its_runs_and_its_past(now: list[CaseOutcome], before: Any, expected: str) -> None:
    past = [] if before is None else cases(t=before)
    [found] = classify([cases(t=outcome) for outcome in now] or [[]], [past])
    assert found.class_ == expected


def test_on_the_same_tree_a_difference_is_no_effect_of_the_change() -> None:
    [found] = classify([cases(t="failed")], [cases(t="passed")], same_tree=True)
    assert found.class_ == "flaky"


def test_without_a_baseline_nothing_is_classified() -> None:
    assert [test.class_ for test in classify([cases(a="passed", b="failed")], None)] == [None, None]


PYTEST = TestCommand("pytest", reports=True)


def verdict(runs: list[Run], baseline: Run | None, command: TestCommand = PYTEST) -> tuple[str, str]:
    before = None if baseline is None else (baseline.cases or [])
    tests = classify([one.cases or [] for one in runs], None if before is None else [before])
    judged = judge(runs, baseline, tests, command)
    return judged.verdict, judged.reason


def test_failed_means_a_new_failure_with_a_baseline_and_any_failure_without() -> None:
    mixed = run(cases(a="failed", b="passed"))
    assert verdict([mixed], run(cases(a="failed", b="passed")))[0] == "passed"
    assert verdict([mixed], run(cases(a="passed", b="passed")))[0] == "failed"
    assert verdict([mixed], None)[0] == "failed"


def test_flaky_old_vanished_and_newly_skipped_tests_are_named() -> None:
    before = run(cases(flaky="passed", old="failed", gone="passed", skipped="passed", good="passed"))
    now = cases(flaky="passed", old="failed", skipped="skipped", good="passed")
    again = cases(flaky="failed", old="failed", skipped="skipped", good="passed")
    found, reason = verdict([run(now), run(again)], before)
    assert found == "passed"
    for said in ("1 flaky: flaky", "1 failed before already: old", "1 no longer there: gone", "skipped now: skipped"):
        assert said in reason


def test_a_base_that_cannot_be_tested_excuses_nothing() -> None:
    found, reason = verdict([run(cases(a="failed"))], run(None, timed_out=True, exit_code=None))
    assert found == "failed"
    assert "the base itself could not be tested" in reason


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        (run(cases(a="passed"), timed_out=True), "timeout"),
        (run(None, oom_killed=True, exit_code=137), "out_of_memory"),
        (run(None, exit_code=139), "crashed"),
        (run(None, exit_code=None), "crashed"),
        (run(cases(a="passed"), exit_code=3), "crashed"),
        (run([], exit_code=5), "no_tests"),
        (run(None, exit_code=4), "collection_error"),
        (run(None, exit_code=1), "collection_error"),
        (run(None, exit_code=0), "tampered"),
        (run(cases(a="failed"), exit_code=0), "tampered"),
        (run([], exit_code=0), "no_tests"),
        (run(cases(a="skipped"), exit_code=0), "no_tests"),
    ],
)
def test_a_run_that_cannot_be_used_is_never_a_pass(observed: Run, expected: str) -> None:
    """S13"""
    assert verdict([observed], None)[0] == expected


def test_a_command_that_fails_although_every_test_passes_is_mentioned() -> None:
    found, reason = verdict([run(cases(a="passed"), exit_code=1)], None)
    assert found == "passed"
    assert "exit code 1" in reason


def test_a_command_that_fails_newly_is_no_pass_although_no_test_fails() -> None:
    odd = run(cases(a="passed"), exit_code=1)
    found, reason = verdict([odd], run(cases(a="passed")))
    assert found == "failed"
    assert "exit code 1, and on the base with 0" in reason
    assert verdict([run(cases(a="passed")), odd], run(cases(a="passed")))[0] == "failed"
    assert verdict([odd], run(None, exit_code=1))[0] == "failed"
    found, reason = verdict([odd], run(cases(a="passed"), exit_code=1))
    assert found == "passed"  # a threshold that the base does not reach either
    assert "as on the base" in reason


def unread(*files: str) -> list[Case]:
    """What pytest reports of files that it cannot import."""
    message = (
        "collection failure\nImportError while importing test module\nE   ModuleNotFoundError: No module named 'x'"
    )
    return [Case(id=name, outcome="error", duration_s=0.0, message=message) for name in files]


def test_a_file_that_the_base_cannot_collect_either_takes_nothing_from_the_others() -> None:
    before = run(unread("test_a.py") + cases(good="passed"))
    same = run(unread("test_a.py") + cases(good="passed"))
    found, reason = verdict([same], before)
    assert found == "passed"
    assert "1 not collected (import or syntax error), nor on the base: test_a.py" in reason
    assert reason.count("test_a.py") == 1
    tests = classify([same.cases or []], [before.cases or []])
    assert {test.id: test.class_ for test in tests} == {"test_a.py": "pre_existing", "good": "unchanged"}
    assert verdict([run(unread("test_a.py") + cases(good="failed"))], before)[0] == "failed"


def test_a_file_that_the_change_made_uncollectable_is_a_collection_error() -> None:
    before = run(unread("test_a.py") + cases(good="passed"))
    found, reason = verdict([run(unread("test_a.py", "test_b.py") + cases(good="passed"))], before)
    assert (found, "test_b.py" in reason, "test_a.py" in reason) == ("collection_error", True, False)
    assert verdict([run(unread("test_a.py") + cases(good="passed"))], None)[0] == "collection_error"


@pytest.mark.parametrize("command", [PYTEST, TestCommand("make test", reports=False)])
def test_where_nothing_could_be_collected_nothing_is_proven(command: TestCommand) -> None:
    found, reason = verdict([run(unread("test_a.py"))], run(unread("test_a.py")), command)
    assert found == "collection_error"
    assert reason.count("test_a.py") == 1
    assert reason.endswith("it is the same on the base")


def test_skipped_tests_beside_a_file_that_was_never_collected_are_no_pass() -> None:
    both = run(unread("test_a.py") + cases(a="skipped"))
    assert verdict([both], both)[0] == "no_tests"


def test_a_file_that_can_be_collected_now_has_not_vanished() -> None:
    tests = classify(
        [[Case(id="test_a.py::test_x", outcome="passed", duration_s=0.1)]], [unread("test_a.py", "test_gone.py")]
    )
    assert {test.id: test.class_ for test in tests} == {"test_a.py::test_x": "new", "test_gone.py": "vanished"}


NARROW = TestCommand(
    "pytest", reports=True, selects=True, remarks=("run with the selector `x`, which may leave tests out",)
)


@pytest.mark.parametrize(
    "observed",
    [run(cases(a="passed")), run(cases(a="failed")), run([], exit_code=5), run(None, exit_code=139)],
)
def test_every_reason_says_what_was_left_out(observed: Run) -> None:
    assert "run with the selector `x`, which may leave tests out" in verdict([observed], None, NARROW)[1]


@pytest.mark.parametrize(
    "observed",
    [
        run([], exit_code=5),
        run(None, exit_code=4, output_tail="x\nERROR: not found: /work/repo/test_a.py::nope\n"),
        run([], exit_code=4, output_tail="ERROR: file or directory not found: nope.py\n"),
    ],
)
def test_a_selector_that_matches_nothing_is_told_from_a_repository_without_tests(observed: Run) -> None:
    found, reason = verdict([observed], None, NARROW)
    assert (found, reason.startswith("the selector matched no test")) == ("no_tests", True)
    assert "selector" not in verdict([observed], None)[1]
    [action] = RunTestsSandboxed().next_actions(report(verdict="no_tests", reason=reason))
    assert (action.tool, "selector" in action.why) == ("run_tests_sandboxed", True)
    [action] = RunTestsSandboxed().next_actions(report(verdict="no_tests", reason="pytest found no tests"))
    assert action.tool == "generate_code"


def test_what_comes_next_is_true_of_a_run_without_a_change_too() -> None:
    [after_pass] = RunTestsSandboxed().next_actions(report(verdict="passed"))
    assert (after_pass.tool, "if this run holds one" in after_pass.why) == ("open_pr", True)
    [after_failure] = RunTestsSandboxed().next_actions(report(verdict="failed"))
    assert (after_failure.tool, "`instruction`" in after_failure.why) == ("generate_code", True)


def report(**values: Any) -> TestReport:
    environment = {"backend": "docker", "image": "i", "image_digest": "d"}
    known = {"reason": "", "totals": totals([]), "environment": environment, "output_tail": ""}
    return TestReport.model_validate(known | values)


def test_the_summary_gives_the_exception_of_a_file_that_cannot_be_collected() -> None:
    tests = classify([unread("test_a.py")], [unread("test_a.py")])
    summary = RunTestsSandboxed().summarise(report(verdict="collection_error", tests=tests))
    assert "- test_a.py: pre_existing - ModuleNotFoundError: No module named 'x'" in summary


def test_vanished_tests_are_not_counted() -> None:
    tests = classify([cases(a="passed", b="error")], [cases(a="passed", gone="passed")])
    assert totals(tests).model_dump() == {"passed": 1, "failed": 0, "skipped": 0, "errors": 1}


def test_the_summary_gives_verdict_counts_and_failures_the_new_ones_first() -> None:
    tests = classify(
        [cases(old="failed", new="failed", good="passed")], [cases(old="failed", new="passed", good="passed")]
    )
    found = report(verdict="failed", reason="1 failed newly: new", totals=totals(tests), tests=tests)
    stage = RunTestsSandboxed()
    assert stage.summarise(found).splitlines() == [
        "failed: 1 failed newly: new",
        "1 passed, 2 failed, 0 skipped, 0 errors",
        "- new: new_failure",
        "- old: pre_existing",
    ]
    assert [action.tool for action in stage.next_actions(found)] == ["generate_code"]
    [artifact] = stage.artifacts(found)
    assert (artifact.name, artifact.mime_type) == ("tests", "application/json")
    assert '"class": "new_failure"' in artifact.text
