"""From the evidence to the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from repowright_tools.models import Environment, Tamper, TestOutcome, TestReport
from repowright_tools.run_tests_sandboxed.changed_lines import coverage
from repowright_tools.run_tests_sandboxed.classify import Merged, classify
from repowright_tools.run_tests_sandboxed.command import TestCommand
from repowright_tools.run_tests_sandboxed.judged import Judged
from repowright_tools.run_tests_sandboxed.models import Case, Run
from repowright_tools.run_tests_sandboxed.runners.declared import REPORT
from repowright_tools.run_tests_sandboxed.runs import Setup
from repowright_tools.run_tests_sandboxed.sequential import Answer
from repowright_tools.run_tests_sandboxed.sources import Sources
from repowright_tools.run_tests_sandboxed.tampering import avoided_tests, described, findings, hidden_failures
from repowright_tools.run_tests_sandboxed.test_files import is_test_file
from repowright_tools.run_tests_sandboxed.verdict import Judgement, broken, judge, named, totals, uncollected

if TYPE_CHECKING:
    from repowright_tools.sandbox.base import Sandbox

_NAMED = 5


@dataclass(frozen=True)
class Evidence:
    """What was observed.

    Attributes:
        runs: of the candidate, each with the base's tests and its own merged.
        baselines: of the base; empty when it was not tested.
        merged: see `merge`, one for each of `runs`.
        answers: see `settle`.
        suspects: the tests that could be flaky; those without an answer are undecided.
        wanted: see `changed_statements`.
        same_tree: the change changes nothing.
        renamed_by: the file in which the change names another test command than the base's, which was run.
    """

    runs: Sequence[Run]
    baselines: Sequence[Run]
    merged: Sequence[Merged]
    answers: Mapping[str, Answer]
    suspects: Sequence[str]
    wanted: Mapping[str, list[int]]
    same_tree: bool
    renamed_by: str | None = None


def make_report(sandbox: Sandbox, setup: Setup, sources: Sources, tree: Judged, seen: Evidence) -> TestReport:
    """The report of a call."""
    before = _usable(seen.baselines, setup.command)
    runs = [run.cases or [] for run in seen.runs]
    tests = classify(runs, before, same_tree=seen.same_tree, answers=seen.answers)
    judgement = judge(seen.runs, seen.baselines[0] if seen.baselines else None, tests, setup.command)
    judgement, tamper = _with_tampering(judgement, tests, sources, tree, seen, before)
    notes = [judgement.reason, *_undecided(seen, tests), *_blamable(setup, tests), *_restored(sources, tree)]
    watched = list(seen.runs) if setup.command.reports else []
    return TestReport(
        verdict=judgement.verdict,
        reason="; ".join(notes),
        totals=totals(tests),
        tests=tests,
        coverage=coverage(seen.wanted, watched) if watched else None,
        environment=Environment(
            backend=sandbox.name,
            image=setup.image.name,
            image_digest=setup.image.digest,
            limits=asdict(sandbox.limits) | {"timeout_s": setup.timeout_s},
        ),
        limits_hit=list(dict.fromkeys(name for run in seen.runs for name in run.limits_hit)),
        tamper=tamper,
        output_tail=seen.runs[-1].output_tail,
    )


def _usable(baselines: Sequence[Run], command: TestCommand) -> list[list[Case]] | None:
    """The base's results; empty when it could not be tested, so that nothing is called pre-existing."""
    if not baselines:
        return None
    return [[] if broken(run, command, uncollected(run)) is not None else run.cases or [] for run in baselines]


def _with_tampering(
    judgement: Judgement,
    tests: Sequence[TestOutcome],
    sources: Sources,
    tree: Judged,
    seen: Evidence,
    before: Sequence[Sequence[Case]] | None,
) -> tuple[Judgement, list[Tamper]]:
    """The verdict with all that speaks against it, and what does.

    A change of tests or configuration that hides nothing is listed and turns no verdict.
    """
    found, decisive = findings(sources.base_data, sources.candidate_data, tree)
    last = seen.runs[-1]
    contradicted = [
        Tamper(kind=entry.kind, path=entry.path or REPORT, detail=entry.detail) for entry in last.contradictions
    ]
    if judgement.verdict == "tampered" and not contradicted:
        contradicted = [Tamper(kind="results_contradict", path=REPORT, detail=judgement.reason)]
    merged = seen.merged[-1]
    hidden = hidden_failures(tests, merged, found)
    avoided = avoided_tests(merged.judged, before[0], tree) if before else []
    turning = [*hidden, *avoided, *decisive]
    if judgement.verdict in ("passed", "failed") and turning:
        judgement = Judgement("tampered", f"{described(turning)}; without that: {judgement.reason}")
    if seen.renamed_by is not None:
        detail = "names another test command than the base, whose command was run"
        found = [Tamper(kind="steering_changed", path=seen.renamed_by, detail=detail), *found]
    return judgement, [*contradicted, *hidden, *avoided, *found]


def _undecided(seen: Evidence, tests: Sequence[TestOutcome]) -> list[str]:
    names = [name for name in seen.suspects if name not in seen.answers]
    failing = {test.id for test in tests if test.class_ in ("new_failure", "fixed")}
    left = [name for name in names if name in failing]
    return [f"not known whether flaky: {named(left)}"] if left else []


def _blamable(setup: Setup, tests: Sequence[TestOutcome]) -> list[str]:
    """That what failed before may have failed because of the change: the base has no environment of its own."""
    names = [test.id for test in tests if test.class_ == "pre_existing"]
    if not names or not setup.changes_dependencies:
        return []
    why = "the base was tested with the change's dependencies, which differ from its own"
    return [f"{why}, so what failed before may have failed because of them: {named(names)}"]


def _restored(sources: Sources, tree: Judged) -> list[str]:
    """What of the change did not decide, new tests apart: there is nothing that they could replace."""
    names = [path for path in tree.restored if path in sources.base_data or not is_test_file(path)]
    if not names:
        return []
    return [f"restored from the base to judge the change: {named(names)}"]
