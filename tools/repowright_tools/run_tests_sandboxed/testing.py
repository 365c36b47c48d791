"""The work of the stage: baseline and candidate by turns, doubtful failures once more, report."""

from __future__ import annotations

import time
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import anyio

from repowright_tools.events import ProgressEvent, TaskEvent
from repowright_tools.models import TestReport
from repowright_tools.run_tests_sandboxed.changed_lines import changed_statements
from repowright_tools.run_tests_sandboxed.classify import Merged, classify, merge
from repowright_tools.run_tests_sandboxed.command import TestCommand, test_command
from repowright_tools.run_tests_sandboxed.deciding import deciding_files
from repowright_tools.run_tests_sandboxed.judged import Judged, judged_tree, owned_paths
from repowright_tools.run_tests_sandboxed.known_command import Known, known_command
from repowright_tools.run_tests_sandboxed.models import FAILING, Case, Run, RunTestsArguments
from repowright_tools.run_tests_sandboxed.report import Evidence, make_report
from repowright_tools.run_tests_sandboxed.runs import Setup, Tested, can_select, run_tests, set_up
from repowright_tools.run_tests_sandboxed.sequential import Answer, settle
from repowright_tools.run_tests_sandboxed.sources import Sources, find_sources
from repowright_tools.run_tests_sandboxed.supervised import Selected
from repowright_tools.run_tests_sandboxed.tampering import contradictions
from repowright_tools.run_tests_sandboxed.verdict import broken, known_uncollected, uncollected
from repowright_tools.stage import StageContext
from repowright_tools.threads import in_thread

_PHASES = {
    "install": "installing the dependencies",
    "baseline": "testing the base commit",
    "candidate": "testing the change",
}
_NOTHING_COLLECTED = 5
_MOST_SUSPECTS = 100
"""So many of a kind are asked about."""


@dataclass(frozen=True)
class Suspects:
    """Tests that one more look can make flaky.

    Attributes:
        failing: passed on the base, and fail now.
        mended: failed on the base, and pass now.
        left_out: more than `_MOST_SUSPECTS` of them: so many are no flakes.
    """

    failing: Sequence[str] = ()
    mended: Sequence[str] = ()
    left_out: Sequence[str] = ()


@dataclass
class _Call:
    """One call of the tool.

    Attributes:
        base, judged, own: the trees, and what is run on each; `own` is None where the change's own tests do not differ.
        merged: of each repetition, the base's tests and the change's own on the change's code.
        asked: how many runs were made to tell flaky from broken.
    """

    ctx: StageContext
    setup: Setup
    tree: Judged
    base: Tested
    judged: Tested
    own: Tested | None
    baselines: list[Run] = field(default_factory=list[Run])
    runs: list[Run] = field(default_factory=list[Run])
    merged: list[Merged] = field(default_factory=list[Merged])
    asked: int = 0

    @property
    def baseline(self) -> Run | None:
        return self.baselines[0] if self.baselines else None


async def test_change(ctx: StageContext, args: RunTestsArguments) -> TestReport:
    """See `RunTestsSandboxed`."""
    sources = await find_sources(ctx, args)
    owned = owned_paths(ctx.results)
    known = Known(args.command) if args.command else await known_command(ctx, sources, owned)
    command = await in_thread(_command, args, known, sources, owned)
    with _phase(ctx, "install"):
        setup = await set_up(ctx, args, sources, command)
    wanted = await in_thread(changed_statements, sources.base_data, sources.candidate_data)
    call = await _plan(ctx, setup, sources, wanted, owned)
    for number in range(1, args.repeat + 1):
        if args.baseline:
            with _phase(ctx, "baseline"):
                call.baselines.append(await run_tests(ctx, setup, f"tests:baseline:{number}", call.base))
        with _phase(ctx, "candidate"):
            ctx.events.emit(ProgressEvent("testing the change", done=number - 1, total=args.repeat))
            await _test_candidate(call, number)
        if broken(call.runs[-1], command, known_uncollected(call.baseline, command)) is not None:
            break
    same = await in_thread(lambda: sources.is_unchanged)
    suspects = _suspects(call, same_tree=same)
    answers = await _ask_again(call, suspects, args)
    asked = [*suspects.failing, *suspects.mended, *suspects.left_out]
    evidence = Evidence(call.runs, call.baselines, call.merged, answers, asked, wanted, same, known.changed_by)
    return await in_thread(make_report, ctx.sandbox, setup, sources, call.tree, evidence)


def _command(args: RunTestsArguments, known: Known, sources: Sources, owned: Collection[str]) -> TestCommand:
    """What is run on both trees."""
    files, paths = deciding_files(sources, owned), {file.path for file in sources.candidate}
    return test_command(known.line, args.selector, paths, by_caller=bool(args.command), files=files)


async def _plan(
    ctx: StageContext, setup: Setup, sources: Sources, wanted: Mapping[str, list[int]], owned: Collection[str]
) -> _Call:
    """Which trees are tested, and which of their tests."""
    tree = await in_thread(judged_tree, sources.candidate, sources.base, owned)
    own: Tested | None = None
    there = {file.path for file in sources.candidate}
    mine = [path for path in tree.own_tests if path in there]
    if tree.whole or (mine and not can_select(setup, Selected(mine))):
        own = Tested(sources.candidate, probes=wanted)
    elif mine:
        own = Tested(sources.candidate, Selected(mine), wanted)
    return _Call(ctx, setup, tree, Tested(sources.base), Tested(tree.files, probes=wanted), own)


async def _test_candidate(call: _Call, number: int) -> None:
    """The base's tests, then the change's own where they differ, on the change's code: one merged run."""
    judged = await run_tests(call.ctx, call.setup, f"tests:candidate:{number}", call.judged)
    judged = judged.model_copy(update={"contradictions": contradictions(judged, call.baseline, call.tree)})
    own: Run | None = None
    if call.own is not None:
        own = await run_tests(call.ctx, call.setup, f"tests:proposed:{number}", call.own)
        known = call.baseline.contradictions if call.baseline else []
        own = own.model_copy(update={"contradictions": [entry for entry in own.contradictions if entry not in known]})
        if own.exit_code == _NOTHING_COLLECTED and call.own.selected.files:
            own = own.model_copy(update={"exit_code": 0, "cases": []})  # what differs are no tests, only beside them
    files = None if call.tree.whole else set(call.tree.own_tests)
    merged = merge(judged.cases or [], [] if own is None else own.cases or [], files if call.tree.restored else set())
    call.merged.append(merged)
    call.runs.append(_joined(call, judged, own, merged))


def _joined(call: _Call, judged: Run, own: Run | None, merged: Merged) -> Run:
    """Both runs as one; the first that cannot be used stands for both."""
    command = call.setup.command
    known = known_uncollected(call.baseline, command)
    if own is None or broken(judged, command, known) is not None:
        return judged.model_copy(update={"cases": merged.cases}) if judged.cases is not None else judged
    if broken(own, command, known) is not None:
        return own
    failed = any(case.outcome in FAILING for case in judged.cases or [])
    mended = failed and not any(case.outcome in FAILING for case in merged.cases)  # a file can be read now, for example
    limits = list(dict.fromkeys([*judged.limits_hit, *own.limits_hit]))
    ran = {path: [*judged_lines] for path, judged_lines in (judged.ran or {}).items()}
    for path, lines in (own.ran or {}).items():
        ran[path] = sorted({*ran.get(path, []), *lines})
    return judged.model_copy(
        update={
            "exit_code": own.exit_code if mended else judged.exit_code or own.exit_code,
            "cases": merged.cases,
            "limits_hit": limits,
            "output_tail": own.output_tail if own.exit_code else judged.output_tail,
            "ran": None if judged.ran is None or own.ran is None else ran,
        }
    )


# --- doubtful failures --------------------------------------------------------------------------------------------


def _suspects(call: _Call, *, same_tree: bool) -> Suspects:
    """Tests that fail on one side alone, once each side is known."""
    command = call.setup.command
    known = known_uncollected(call.baseline, command)
    usable = all(broken(run, command, known) is None for run in call.runs)
    if call.baseline is None or same_tree or not usable or not command.reports:
        return Suspects()
    if any(broken(run, command, uncollected(run)) is not None for run in call.baselines):
        return Suspects()
    passed = {case.id for run in call.baselines for case in run.cases or [] if case.outcome == "passed"}
    tests = classify([run.cases or [] for run in call.runs], [run.cases or [] for run in call.baselines])
    failing = [test.id for test in tests if test.class_ == "new_failure" and test.id in passed]
    mended = [test.id for test in tests if test.class_ == "fixed"]
    return Suspects(failing[:_MOST_SUSPECTS], mended[:_MOST_SUSPECTS], left_out=failing[_MOST_SUSPECTS:])


async def _ask_again(call: _Call, suspects: Suspects, args: RunTestsArguments) -> dict[str, Answer]:
    """Which of the tests are flaky and which broken: each alone with its like, then those that passed among all.

    A new failure is asked where it failed, a mended one on the base. No run is begun when as much time has gone as one
    run may take; what is undecided by then stays what it was.
    """
    ends = time.monotonic() + args.timeout_s
    failing = {case.id for merged in call.merged for case in merged.judged if case.outcome in FAILING}
    answers: dict[str, Answer] = {}
    for tested, ids in (
        (call.judged, [name for name in suspects.failing if name in failing]),
        (call.own or call.judged, [name for name in suspects.failing if name not in failing]),
        (call.base, suspects.mended),
    ):
        alone = await settle(ids, partial(_again, call, tested, "alone", ends))
        weak = [name for name, answer in alone.items() if answer == "flaky"]
        among = await settle(weak, partial(_again, call, tested, "among", ends))
        answers.update({name: answer for name, answer in alone.items() if name not in weak}, **among)
    return answers


async def _again(call: _Call, tested: Tested, how: str, ends: float, ids: Sequence[str]) -> Collection[str] | None:
    """Which of the tests fail in one more run in a fresh box; None when the time is up or the run cannot be used."""
    selected = Selected(ids=ids) if how == "alone" else tested.selected
    if time.monotonic() > ends or not can_select(call.setup, selected):
        return None
    call.asked += 1
    call.ctx.events.emit(ProgressEvent("running doubtful tests again", done=call.asked, total=None))
    run = await run_tests(call.ctx, call.setup, f"tests:again:{call.asked}", Tested(tested.files, selected))
    cases: Sequence[Case] = run.cases or []
    found = {case.id: case for case in cases}
    if broken(run, call.setup.command, uncollected(run)) is not None or not all(name in found for name in ids):
        return None
    return {name for name in ids if found[name].outcome in FAILING}


@contextmanager
def _phase(ctx: StageContext, name: str) -> Generator[None]:
    ctx.events.emit(TaskEvent(name, "STARTED", _PHASES[name]))
    try:
        yield
    except anyio.get_cancelled_exc_class():
        ctx.events.emit(TaskEvent(name, "CANCELLED", f"{_PHASES[name]}: cancelled"))
        raise
    except Exception:
        ctx.events.emit(TaskEvent(name, "FAILED", f"{_PHASES[name]}: broke off"))
        raise
    ctx.events.emit(TaskEvent(name, "COMPLETE", f"{_PHASES[name]}: done"))
