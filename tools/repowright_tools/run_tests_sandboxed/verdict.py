"""From what was observed to one verdict with its reason."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from repowright_tools.models import TestOutcome, Totals, Verdict
from repowright_tools.run_tests_sandboxed.classify import disagreeing
from repowright_tools.run_tests_sandboxed.command import TestCommand
from repowright_tools.run_tests_sandboxed.models import FAILING, SELECTED_NOTHING, Run

_NAMED = 5
# Exit codes of pytest: https://docs.pytest.org/en/stable/reference/exit-codes.html
_INTERRUPTED, _INTERNAL, _USAGE, _NOTHING_COLLECTED = 2, 3, 4, 5
_NOT_FOUND, _SIGNALLED = 127, 128
_NO_SUCH_TEST = re.compile(r"^ERROR: (file or directory )?not found: ", re.MULTILINE)


@dataclass(frozen=True)
class Judgement:
    verdict: Verdict
    reason: str


def uncollected(run: Run) -> list[str]:
    """Ids of the files whose tests could not be found out."""
    return [case.id for case in run.cases or [] if case.is_uncollected]


def known_uncollected(baseline: Run | None, command: TestCommand) -> list[str]:
    """Ids of the files that cannot be collected on a base that was tested otherwise."""
    found = [] if baseline is None else uncollected(baseline)
    return [] if baseline is None or broken(baseline, command, found) is not None else found


def broken(run: Run, command: TestCommand, known: Collection[str] = ()) -> Judgement | None:
    """Why a run's results cannot be used; None when they can.

    Args:
        run: what was observed.
        command: what was run.
        known: ids of files that cannot be collected on the base either: they take nothing from the other results.
    """
    if run.timed_out:
        return Judgement("timeout", f"the tests were ended after {run.duration_s:.0f} s")
    if run.oom_killed:
        return Judgement("out_of_memory", "the kernel ended a process: the tests need more memory than the box has")
    if run.exit_code is None or run.exit_code > _SIGNALLED:
        return Judgement("crashed", _crash(run.exit_code))
    if run.contradictions:
        said = list(dict.fromkeys(entry.detail for entry in run.contradictions))
        return Judgement("tampered", f"the results cannot be true: {named(said)}")
    if command.reports:
        return _broken_report(run, run.exit_code, command, known)
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


def _broken_report(run: Run, exit_code: int, command: TestCommand, known: Collection[str]) -> Judgement | None:
    """The same for pytest, whose exit codes say what happened."""
    files = uncollected(run)
    if newly := [name for name in files if name not in known]:
        return Judgement("collection_error", f"tests could not be collected (import or syntax error): {named(newly)}")
    if files and len(files) == len(run.cases or []):
        return None  # nothing but what is known: for the comparison this is a result
    if exit_code == _NOTHING_COLLECTED or (exit_code == _USAGE and command.selects and _not_found(run)):
        return Judgement("no_tests", SELECTED_NOTHING if command.selects else "pytest found no tests")
    if exit_code in (_INTERRUPTED, _INTERNAL):
        return Judgement("crashed", f"pytest broke off (exit code {exit_code}); see the output")
    if exit_code == _USAGE:
        return Judgement(
            "collection_error", "pytest refused to start: a conftest or an option is wrong; see the output"
        )
    if run.cases is None and run.began and exit_code:
        return Judgement("crashed", f"pytest was ended in the middle (exit code {exit_code}); see the output")
    if run.cases is None and exit_code == 0:
        return Judgement("tampered", "pytest succeeded but its report is missing: something ended it or removed it")
    if run.cases is None:
        return Judgement("collection_error", f"pytest could not be run (exit code {exit_code}); see the output")
    failures = [case.id for case in run.cases if case.outcome in FAILING]
    if failures and exit_code == 0:
        return Judgement("tampered", f"pytest succeeded although its report has failures: {named(failures)}")
    return None if run.cases else Judgement("no_tests", "pytest ran no tests")


def _not_found(run: Run) -> bool:
    """Whether pytest says that something it was told to run is not there; what a test prints decides nothing here."""
    return not run.cases and _NO_SUCH_TEST.search(run.output_tail) is not None


def judge(runs: Sequence[Run], baseline: Run | None, tests: Sequence[TestOutcome], command: TestCommand) -> Judgement:
    """The verdict on usable runs; the first run that is not usable decides alone.

    `failed` exactly when a test is a new failure, or, without a usable baseline, when any test fails; and when the
    command fails newly although no test does.
    """
    known = known_uncollected(baseline, command)
    for run in runs:
        trouble = broken(run, command, known) or _nothing_ran(run)
        if trouble is not None:
            beside = _beside(trouble, baseline, command)
            return Judgement(trouble.verdict, "; ".join([trouble.reason, *command.remarks, *beside]))
    compared = baseline is not None
    decisive = [test.id for test in tests if _decides(test, compared)]
    notes = [*command.remarks, *_notes(runs, baseline, tests, command)]
    if decisive:
        what = "failed newly" if compared else "failed"
        return Judgement("failed", "; ".join([f"{len(decisive)} {what}: {named(decisive)}", *notes]))
    if (newly := _fails_newly(runs, baseline)) is not None:
        return Judgement("failed", "; ".join([newly, *notes]))
    if all(test.outcome == "skipped" or test.class_ == "vanished" or test.id in known for test in tests):
        return Judgement("no_tests", "; ".join(["every test was skipped", *notes]))
    said = "no test fails that passed before" if compared else "every test passed"
    return Judgement("passed", "; ".join([said, *notes]))


def _nothing_ran(run: Run) -> Judgement | None:
    files = uncollected(run)
    if not files or len(files) < len(run.cases or []):
        return None
    return Judgement(
        "collection_error", f"no test ran: nothing could be collected (import or syntax error): {named(files)}"
    )


def _beside(trouble: Judgement, baseline: Run | None, command: TestCommand) -> list[str]:
    """What the base did, where the change alone can be blamed wrongly."""
    if baseline is None:
        return []
    if trouble.verdict == "failed":  # only an exit code is known
        return [f"on the base it ended with exit code {baseline.exit_code}"] if baseline.exit_code else []
    before = broken(baseline, command, uncollected(baseline)) or _nothing_ran(baseline)
    if before is None or before.verdict != trouble.verdict:
        return []
    return ["it is the same on the base" if before == trouble else f"on the base: {before.reason}"]


def _decides(test: TestOutcome, compared: bool) -> bool:
    return test.class_ == "new_failure" if compared else test.outcome in FAILING


def _notes(runs: Sequence[Run], baseline: Run | None, tests: Sequence[TestOutcome], command: TestCommand) -> list[str]:
    """What a reader must know beside the verdict."""
    files = {name for run in runs for name in uncollected(run)}
    flaky = [test.id for test in tests if test.class_ == "flaky"] or disagreeing([run.cases or [] for run in runs])
    notes = [f"{len(flaky)} flaky: {named(flaky)}"] if flaky else []
    old = [test.id for test in tests if test.class_ == "pre_existing"]
    if unread := [name for name in old if name in files]:
        notes.append(f"{len(unread)} not collected (import or syntax error), nor on the base: {named(unread)}")
    if failed := [name for name in old if name not in files]:
        notes.append(f"{len(failed)} failed before already: {named(failed)}")
    if vanished := [test.id for test in tests if test.class_ == "vanished"]:
        notes.append(f"{len(vanished)} no longer there: {named(vanished)}")
    if newly := _newly_skipped(baseline, tests):
        notes.append(f"{len(newly)} passed before and are skipped now: {named(newly)}")
    if baseline is not None and (trouble := broken(baseline, command, uncollected(baseline))) is not None:
        notes.append(f"the base itself could not be tested ({trouble.reason}), so every failure counts as new")
    if odd := _odd(runs):
        before = ", as on the base" if baseline is not None and odd[0] in _odd([baseline]) else ""
        notes.append(f"the command itself ended with exit code {odd[0]} (a coverage threshold, for example){before}")
    return notes


def _odd(runs: Sequence[Run]) -> list[int]:
    """Exit codes that say of a failure where no test does."""
    return [run.exit_code for run in runs if run.exit_code and not any(c.outcome in FAILING for c in run.cases or [])]


def _fails_newly(runs: Sequence[Run], baseline: Run | None) -> str | None:
    """Why the command fails by itself although no test does; None when it does not, or the base can have done so too.

    What fails then is nothing that reports: a check behind the tests, or a runner that could not clean up.
    """
    if baseline is None:
        return None
    before = baseline.exit_code
    if before and baseline.cases and not _odd([baseline]):
        return None  # its tests failed: what the command did beside them is not known
    newly = [code for code in _odd(runs) if code != before or not baseline.cases]
    if not newly:
        return None
    return f"no test failed, but the command ended with exit code {newly[0]}, and on the base with {before}"


def _newly_skipped(baseline: Run | None, tests: Sequence[TestOutcome]) -> list[str]:
    passed = {case.id for case in (baseline.cases or []) if case.outcome == "passed"} if baseline else set[str]()
    return [test.id for test in tests if test.outcome == "skipped" and test.class_ != "vanished" and test.id in passed]


def totals(tests: Sequence[TestOutcome]) -> Totals:
    """How many tests ended how, vanished ones left out."""
    ran = [test.outcome for test in tests if test.class_ != "vanished"]
    return Totals(
        passed=ran.count("passed"), failed=ran.count("failed"), skipped=ran.count("skipped"), errors=ran.count("error")
    )


def named(ids: Sequence[str]) -> str:
    """The first of some names, and how many there are beside."""
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return ", ".join(ids[:_NAMED]) + more
