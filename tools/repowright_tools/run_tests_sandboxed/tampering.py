"""What a change does to the tests and to what runs them, and whether that hides a failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from repowright_tools.models import Tamper, TestOutcome
from repowright_tools.run_tests_sandboxed.classify import Merged
from repowright_tools.run_tests_sandboxed.judged import Judged
from repowright_tools.run_tests_sandboxed.models import FAILING, Case, Contradiction, Run
from repowright_tools.run_tests_sandboxed.suspicious import suspicions
from repowright_tools.run_tests_sandboxed.test_files import (
    is_compiled,
    is_installed,
    is_protected,
    is_steering,
    is_test_file,
)
from repowright_tools.run_tests_sandboxed.weakened import weakenings

Files = Mapping[str, bytes]
_MOST = 200
_NAMED = 5
_RUNS_TESTS = {"pytest_runtest_protocol", "pytest_runtestloop", "pytest_pyfunc_call"}


def findings(base: Files, candidate: Files, judged: Judged) -> tuple[list[Tamper], list[Tamper]]:
    """What the sources show of the change, and those of it that make results worthless by themselves.

    Kinds: steering_changed, compiled_file, test_removed and the others of `Weakening` and `Suspicion`.
    """
    found: list[Tamper] = []
    decisive: list[Tamper] = []
    for path in sorted({*base, *candidate}):
        old, new = base.get(path), candidate.get(path)
        if old == new:
            continue
        if is_compiled(path):
            found.append(Tamper(kind="compiled_file", path=path, detail="could stand for a source; is left out"))
        elif is_installed(path):
            detail = "lies where installed packages do, which the base decides"
            found.append(Tamper(kind="steering_changed", path=path, detail=detail))
        elif path in judged.restored and not is_test_file(path):
            detail = "differs from the base, which decides in its place"
            found.append(Tamper(kind="steering_changed", path=path, detail=detail))
        elif is_steering(path):
            found.append(Tamper(kind="steering_changed", path=path, detail="differs from the base, as planned"))
        elif is_test_file(path):
            found += _of_test_file(path, old, new)
        elif new is not None and path.endswith(".py"):
            for seen in suspicions(old, new):
                entry = Tamper(kind=seen.kind, path=path, line=seen.line, detail=seen.detail)
                found.append(entry)
                if seen.decides:
                    decisive.append(entry)
    return found[:_MOST], decisive[:_MOST]


def _of_test_file(path: str, old: bytes | None, new: bytes | None) -> list[Tamper]:
    if old is None:
        return []
    if new is None:
        return [Tamper(kind="test_removed", path=path, detail="the file is gone")]
    if not path.endswith(".py"):
        return []
    weaker = weakenings(old, new)
    return [Tamper(kind=found.kind, path=path, line=found.line, detail=found.detail) for found in weaker]


def hidden_failures(tests: Sequence[TestOutcome], merged: Merged, found: Sequence[Tamper]) -> list[Tamper]:
    """The new failures that the change's own tests do not show, where something in the change explains why.

    A test that the change altered without weakening it is a plain failure: its expectation was changed, which is the
    plan's to decide.
    """
    steering = any(entry.kind in ("steering_changed", "compiled_file") for entry in found)
    weakened = {entry.path for entry in found if entry.kind not in ("steering_changed", "compiled_file")}
    hidden: list[Tamper] = []
    for test in tests:
        path = test.id.partition("::")[0]
        if test.class_ in ("new_failure", None) and test.id in merged.hidden and (steering or path in weakened):
            hidden.append(Tamper(kind="failure_hidden", path=path, detail=f"{test.id} fails as the base has it"))
    return hidden[:_MOST]


def avoided_tests(judged_cases: Sequence[Case], baseline: Sequence[Case], judged: Judged) -> list[Tamper]:
    """Tests that passed on the base and that its own unchanged test files do not run any more on the change's code.

    A test with parameters may go with what it was a parameter for; a run that stopped at a failure tells nothing.
    """
    cases = {case.id: case for case in judged_cases}
    stopped = any(case.outcome in FAILING for case in cases.values())
    functions = {name.partition("[")[0] for name in cases}
    found: list[Tamper] = []
    for before in baseline:
        path = before.id.partition("::")[0]
        if before.outcome != "passed" or path in judged.owned or not is_test_file(path):
            continue
        now = cases.get(before.id)
        if now is not None and now.outcome == "skipped":
            found.append(Tamper(kind="test_skipped", path=path, detail=f"{before.id} is skipped, and passed before"))
        elif now is None and not stopped and "[" not in before.id and before.id not in functions:
            found.append(Tamper(kind="test_removed", path=path, detail=f"{before.id} is not run, and passed before"))
    return found[:_MOST]


def contradictions(run: Run, baseline: Run | None, judged: Judged) -> list[Contradiction]:
    """What cannot be true of the run, and what of the repository now decides results that did not on the base.

    What the base shows as well is not the change's doing. A file that the plan owns may see and word results, but not
    run tests in pytest's place; and what tests compare with is for tests alone to replace.
    """
    known = baseline.contradictions if baseline is not None else []
    found = [entry for entry in run.contradictions if entry not in known]
    for name in run.hooks if baseline is not None else []:
        path, _, hook = name.partition("::")
        if name not in (baseline.hooks if baseline else []) and not (path in judged.owned and _may_have(path, hook)):
            found.append(
                Contradiction(kind="runner_altered", path=path, detail=f"{path} decides results by its own {hook}")
            )
    return found


def _may_have(path: str, hook: str) -> bool:
    """Whether a file that the plan owns may decide results with it."""
    is_of_runner = hook == "plugin" or hook.startswith("pytest_")
    return hook not in _RUNS_TESTS and (is_of_runner or is_protected(path))


def described(found: Sequence[Tamper]) -> str:
    """The findings in one line for a reason."""
    names = list(dict.fromkeys(f"{entry.detail}{f' ({entry.path})' if entry.path else ''}" for entry in found))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return "; ".join(names[:_NAMED]) + more
