"""From what was observed to one verdict with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from repowright_tools.models import TestOutcome, Totals, Verdict
from repowright_tools.run_tests_sandboxed.classify import disagreeing
from repowright_tools.run_tests_sandboxed.models import Run

_NAMED = 5
_BAD = ("failed", "error")
# Exit codes of pytest: https://docs.pytest.org/en/stable/reference/exit-codes.html
_INTERRUPTED, _INTERNAL, _USAGE, _NOTHING_COLLECTED = 2, 3, 4, 5
_NOT_FOUND, _SIGNALLED = 127, 128
_COLLECTION = "collection failure"


@dataclass(frozen=True)
class Judgement:
    verdict: Verdict
    reason: str


def broken(run: Run, *, reports: bool) -> Judgement | None:
    """Why a run's results cannot be used; None when they can.

    Args:
        run: what was observed.
        reports: whether the command writes a report of every test.
    """
    if run.timed_out:
        return Judgement("timeout", f"the tests were ended after {run.duration_s:.0f} s")
    if run.oom_killed:
        return Judgement("out_of_memory", "the kernel ended a process: the tests need more memory than the box has")
    if run.exit_code is None or run.exit_code > _SIGNALLED:
        return Judgement("crashed", _crash(run.exit_code))
    if reports:
        return _broken_report(run, run.exit_code)
    if run.cases is None and run.exit_code == 0:
        return Judgement("no_tests", "the command succeeded but reported no tests; without tests nothing is proven")
    if run.exit_code == _NOT_FOUND and not run.cases:
        return Judgement("collection_error", "the command, or something it calls, is not in the image; see the output")
    if run.cases is None:
        return Judgement("failed", f"the command ended with exit code {run.exit_code} and reported no single tests")
    return None if run.cases else Judgement("no_tests", "the command reported no tests")


def _crash(exit_code: int | None) -> str:
    if exit_code is None:
        return "the tests lost their box"
    names = {134: "aborted", 135: "bus error", 136: "arithmetic error", 137: "killed", 139: "segmentation fault"}
    return f"the test process died: {names.get(exit_code, f'signal {exit_code - _SIGNALLED}')} (exit code {exit_code})"


def _broken_report(run: Run, exit_code: int) -> Judgement | None:
    """The same for pytest, whose exit codes say what happened."""
    if any(case.outcome == "error" and _COLLECTION in (case.message or "") for case in run.cases or []):
        names = _names([case.id for case in run.cases or [] if case.outcome == "error"])
        return Judgement("collection_error", f"tests could not be collected (import or syntax error): {names}")
    if exit_code == _NOTHING_COLLECTED:
        return Judgement("no_tests", "pytest found no tests")
    if exit_code in (_INTERRUPTED, _INTERNAL):
        return Judgement("crashed", f"pytest broke off (exit code {exit_code}); see the output")
    if exit_code == _USAGE:
        return Judgement(
            "collection_error", "pytest refused to start: a conftest or an option is wrong; see the output"
        )
    if run.cases is None and exit_code == 0:
        return Judgement("tampered", "pytest succeeded but its report is missing: something ended it or removed it")
    if run.cases is None:
        return Judgement("collection_error", f"pytest could not be run (exit code {exit_code}); see the output")
    failures = [case.id for case in run.cases if case.outcome in _BAD]
    if failures and exit_code == 0:
        return Judgement("tampered", f"pytest succeeded although its report has failures: {_names(failures)}")
    return None if run.cases else Judgement("no_tests", "pytest ran no tests")


def judge(runs: Sequence[Run], baseline: Run | None, tests: Sequence[TestOutcome], *, reports: bool) -> Judgement:
    """The verdict on usable runs; the first run that is not usable decides alone.

    `failed` exactly when a test is a new failure, or, without a usable baseline, when any test fails.
    """
    for run in runs:
        if (trouble := broken(run, reports=reports)) is not None:
            return _beside(trouble, baseline)
    compared = baseline is not None
    decisive = [test.id for test in tests if _decides(test, compared)]
    notes = _notes(runs, baseline, tests, reports=reports)
    if decisive:
        what = "failed newly" if compared else "failed"
        return Judgement("failed", "; ".join([f"{len(decisive)} {what}: {_names(decisive)}", *notes]))
    if all(test.outcome == "skipped" or test.class_ == "vanished" for test in tests):
        return Judgement("no_tests", "; ".join(["every test was skipped", *notes]))
    said = "no test fails that passed before" if compared else "every test passed"
    return Judgement("passed", "; ".join([said, *notes]))


def _beside(trouble: Judgement, baseline: Run | None) -> Judgement:
    """The same with what the base did, where only an exit code is known."""
    if trouble.verdict != "failed" or baseline is None or not baseline.exit_code:
        return trouble
    return Judgement("failed", f"{trouble.reason}; on the base it ended with exit code {baseline.exit_code}")


def _decides(test: TestOutcome, compared: bool) -> bool:
    return test.class_ == "new_failure" if compared else test.outcome in _BAD


def _notes(runs: Sequence[Run], baseline: Run | None, tests: Sequence[TestOutcome], *, reports: bool) -> list[str]:
    """What a reader must know beside the verdict."""
    by_class = {name: [test.id for test in tests if test.class_ == name] for name in ("flaky", "pre_existing")}
    flaky = by_class["flaky"] or disagreeing([run.cases or [] for run in runs])
    notes = [f"{len(flaky)} flaky: {_names(flaky)}"] if flaky else []
    if by_class["pre_existing"]:
        notes.append(f"{len(by_class['pre_existing'])} failed before already: {_names(by_class['pre_existing'])}")
    if vanished := [test.id for test in tests if test.class_ == "vanished"]:
        notes.append(f"{len(vanished)} no longer there: {_names(vanished)}")
    if newly := _newly_skipped(baseline, tests):
        notes.append(f"{len(newly)} passed before and are skipped now: {_names(newly)}")
    if baseline is not None and (trouble := broken(baseline, reports=reports)) is not None:
        notes.append(f"the base itself could not be tested ({trouble.reason}), so every failure counts as new")
    odd = [run.exit_code for run in runs if run.exit_code and not any(c.outcome in _BAD for c in run.cases or [])]
    if odd:
        notes.append(f"the command itself ended with exit code {odd[0]} (a coverage threshold, for example)")
    return notes


def _newly_skipped(baseline: Run | None, tests: Sequence[TestOutcome]) -> list[str]:
    passed = {case.id for case in (baseline.cases or []) if case.outcome == "passed"} if baseline else set[str]()
    return [test.id for test in tests if test.outcome == "skipped" and test.class_ != "vanished" and test.id in passed]


def totals(tests: Sequence[TestOutcome]) -> Totals:
    """How many tests ended how, vanished ones left out."""
    ran = [test.outcome for test in tests if test.class_ != "vanished"]
    return Totals(
        passed=ran.count("passed"), failed=ran.count("failed"), skipped=ran.count("skipped"), errors=ran.count("error")
    )


def _names(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return ", ".join(ids[:_NAMED]) + more
