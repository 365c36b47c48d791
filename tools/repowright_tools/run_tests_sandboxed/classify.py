"""What became of each test: the change's runs against the base's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from repowright_tools.models import TestClass, TestOutcome
from repowright_tools.run_tests_sandboxed.models import FAILING, Case
from repowright_tools.run_tests_sandboxed.sequential import Answer

_SEVERITY = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}


@dataclass(frozen=True)
class Merged:
    """The base's tests and the change's own, both on the change's code.

    Attributes:
        cases: one entry a test.
        judged: the base's tests alone.
        hidden: ids of tests that fail as the base has them, and do not, or are not there, as the change has them.
    """

    cases: list[Case]
    judged: Sequence[Case]
    hidden: set[str]


def merge(judged: Sequence[Case], own: Sequence[Case], own_files: Collection[str] | None) -> Merged:
    """Each test with the worse of its two outcomes. A test that the change's version does not have counts only if the
    base's version fails; the same goes for a file that cannot be read in the base's version.

    Args:
        judged: the base's tests.
        own: the change's own tests.
        own_files: the files that the change's own tests come from, as far as they differ; None for all.
    """
    mine = {case.id: case for case in own}
    read = {name.partition("::")[0] for name in mine if "::" in name}
    cases: dict[str, Case] = {}
    hidden: set[str] = set()
    for case in judged:
        path = case.id.partition("::")[0]
        now = mine.get(case.id)
        doubled = own_files is None or path in own_files
        if now is not None:
            cases[case.id] = max(case, now, key=lambda one: _SEVERITY[one.outcome])
        elif not doubled or (case.outcome in FAILING and not (case.is_uncollected and path in read)):
            cases[case.id] = case
        if case.outcome in FAILING and doubled and (now is None or now.outcome not in FAILING):
            hidden.add(case.id)
    return Merged([*cases.values(), *(case for case in own if case.id not in cases)], judged, hidden)


def classify(
    runs: Sequence[Sequence[Case]],
    baselines: Sequence[Sequence[Case]] | None,
    *,
    same_tree: bool = False,
    answers: Mapping[str, Answer] | None = None,
) -> list[TestOutcome]:
    """One entry a test, in the order of the candidate's first run; vanished ones last.

    Args:
        runs: the candidate's runs. Of a test that behaves differently between them, the worst outcome counts.
        baselines: the base's runs; None to leave every class open.
        same_tree: the base is the same tree, so that a difference is no effect of the change.
        answers: of the tests that fail on one side alone, those that were asked about; see `settle`.
    """
    before = None if baselines is None else _by_id(baselines)
    seen = _by_id(runs)
    found = [
        _outcome(cases, None if before is None else _class(cases, before.get(name, []), same_tree, answers or {}))
        for name, cases in seen.items()
    ]
    collected = {name.partition("::")[0] for name in seen if "::" in name}
    gone = [
        cases
        for name, cases in (before or {}).items()
        if name not in seen and not (cases[0].is_uncollected and name in collected)  # its tests are there now
    ]
    return found + [_outcome(cases, "vanished") for cases in gone]


def _by_id(runs: Sequence[Sequence[Case]]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for run in runs:
        for case in run:
            found.setdefault(case.id, []).append(case)
    return found


def _class(cases: Sequence[Case], before: Sequence[Case], same_tree: bool, answers: Mapping[str, Answer]) -> TestClass:
    failed = {case.outcome in FAILING for case in cases}
    failed_before = {case.outcome in FAILING for case in before}
    if len(failed) > 1 or len(failed_before) > 1:
        return "flaky"
    fails = failed == {True}
    if not before:
        return "new_failure" if fails else "new"
    if failed == failed_before:
        return "pre_existing" if fails else "unchanged"
    if same_tree or answers.get(cases[0].id) == "flaky":
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
            failed.setdefault(case.id, set()).add(case.outcome in FAILING)
    return [name for name, outcomes in failed.items() if len(outcomes) > 1]
