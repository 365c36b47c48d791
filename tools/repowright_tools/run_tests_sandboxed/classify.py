"""What became of each test: the change's runs against the base's."""

from __future__ import annotations

from collections.abc import Sequence

from repowright_tools.models import TestClass, TestOutcome
from repowright_tools.run_tests_sandboxed.models import Case

_BAD = ("failed", "error")
_SEVERITY = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}


def classify(
    runs: Sequence[Sequence[Case]], baseline: Sequence[Case] | None, *, same_tree: bool = False
) -> list[TestOutcome]:
    """One entry a test, in the order of the candidate's first run; vanished ones last.

    Args:
        runs: the candidate's runs. Of a test that behaves differently between them, the worst outcome counts.
        baseline: the base's run; None to leave every class open.
        same_tree: the base is the same tree, so that a difference is no effect of the change.
    """
    before = None if baseline is None else {case.id: case for case in baseline}
    seen: dict[str, list[Case]] = {}
    for run in runs:
        for case in run:
            seen.setdefault(case.id, []).append(case)
    found = [
        _outcome(cases, None if before is None else _class(cases, before.get(cases[0].id), same_tree))
        for cases in seen.values()
    ]
    collected = {name.partition("::")[0] for name in seen if "::" in name}
    gone = [
        case
        for case in baseline or []
        if case.id not in seen and not (case.is_uncollected and case.id in collected)  # its tests are there now
    ]
    return found + [_outcome([case], "vanished") for case in gone]


def _class(cases: Sequence[Case], before: Case | None, same_tree: bool) -> TestClass:
    failed = {case.outcome in _BAD for case in cases}
    if len(failed) > 1:
        return "flaky"
    fails = failed == {True}
    if before is None:
        return "new_failure" if fails else "new"
    failed_before = before.outcome in _BAD
    if fails == failed_before:
        return "pre_existing" if fails else "unchanged"
    if same_tree:
        return "flaky"
    if fails:
        return "new_failure"
    return "fixed" if all(case.outcome == "passed" for case in cases) else "unchanged"


def _outcome(cases: Sequence[Case], class_: TestClass | None) -> TestOutcome:
    worst = max(cases, key=lambda case: _SEVERITY[case.outcome])
    duration = max(case.duration_s for case in cases)
    return TestOutcome.model_validate({**worst.model_dump(), "duration_s": duration, "class": class_})


def disagreeing(runs: Sequence[Sequence[Case]]) -> list[str]:
    """Ids of tests that both failed and did not, over several runs."""
    failed = dict[str, set[bool]]()
    for run in runs:
        for case in run:
            failed.setdefault(case.id, set()).add(case.outcome in _BAD)
    return [name for name, outcomes in failed.items() if len(outcomes) > 1]
