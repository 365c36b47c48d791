"""The work of the stage: environment, baseline, candidate, report."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import anyio

from repowright_tools.errors import CommandUnknown
from repowright_tools.events import ProgressEvent, TaskEvent
from repowright_tools.git.tree import TreeFile
from repowright_tools.models import Environment, Tamper, TestReport
from repowright_tools.run_tests_sandboxed.classify import classify
from repowright_tools.run_tests_sandboxed.command import REPORT, REPORT_VARIABLES, TestCommand, test_command
from repowright_tools.run_tests_sandboxed.environment import METADATA, environment_spec, import_line, python_variables
from repowright_tools.run_tests_sandboxed.junit import read_junit
from repowright_tools.run_tests_sandboxed.models import Case, Run, RunTestsArguments
from repowright_tools.run_tests_sandboxed.python_project import (
    PythonProject,
    metadata_requirements,
    read_python_project,
)
from repowright_tools.run_tests_sandboxed.sources import Sources, digest, find_sources
from repowright_tools.run_tests_sandboxed.verdict import (
    Judgement,
    broken,
    judge,
    known_uncollected,
    totals,
    uncollected,
)
from repowright_tools.sandbox.base import Execution, ExecutionOutcome, Prepared
from repowright_tools.secrets import redact
from repowright_tools.stage import Json, StageContext
from repowright_tools.threads import in_thread

_TAIL = 8_000
_NAMED = 5
_METADATA_S = 120.0
_PHASES = {
    "install": "installing the dependencies",
    "baseline": "testing the base commit",
    "candidate": "testing the change",
}


@dataclass(frozen=True)
class _Setup:
    """How every tree of this call is tested."""

    command: TestCommand
    project: PythonProject | None
    image: Prepared
    timeout_s: float


async def test_change(ctx: StageContext, args: RunTestsArguments) -> TestReport:
    """See `RunTestsSandboxed`."""
    sources = await find_sources(ctx, args)
    paths = {file.path for file in sources.candidate}
    line = args.command or await _known_command(ctx, sources)
    command = test_command(line, args.selector, paths, by_caller=bool(args.command))
    with _phase(ctx, "install"):
        setup = await _set_up(ctx, args, sources, command)
    baseline: Run | None = None
    if args.baseline:
        with _phase(ctx, "baseline"):
            baseline = await _run(ctx, setup, "tests:baseline:1", sources.base)
    runs: list[Run] = []
    with _phase(ctx, "candidate"):
        for number in range(1, args.repeat + 1):
            ctx.events.emit(ProgressEvent("testing the change", done=number - 1, total=args.repeat))
            runs.append(await _run(ctx, setup, f"tests:candidate:{number}", sources.candidate))
            if broken(runs[-1], command, known_uncollected(baseline, command)) is not None:
                break
    return await _report(ctx, setup, sources, runs, baseline)


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


async def _known_command(ctx: StageContext, sources: Sources) -> str:
    """The test command that the repository itself names first. Raises CommandUnknown."""
    index = await ctx.index.open(sources.root)
    found = index.commands().get("test", [])
    if not found:
        raise CommandUnknown("no test command was found in the repository")
    return found[0].command


# --- environment --------------------------------------------------------------------------------------------------


async def _set_up(ctx: StageContext, args: RunTestsArguments, sources: Sources, command: TestCommand) -> _Setup:
    """The environment for the candidate's dependencies; the base is tested in the same one. Raises InstallFailed."""
    files = {file.path: file.data for file in sources.candidate if file.mode != 0o120000}
    project = await in_thread(read_python_project, files)
    timeout_s = min(args.timeout_s, ctx.sandbox.limits.timeout_s)
    health = await ctx.sandbox.check()
    image = Prepared(health.image, health.image_digest, cached=True)
    if project is None:
        return _Setup(command, None, image, timeout_s)
    network = args.setup_network
    prepared = await ctx.sandbox.prepare(environment_spec(project), run_id=ctx.run_id, network=network)
    if project.is_dynamic and prepared is not None:
        more = await _metadata_requirements(ctx, project, prepared.digest, sources.candidate)
        if more:
            spec = environment_spec(project, more)
            prepared = await ctx.sandbox.prepare(spec, run_id=ctx.run_id, network=network) or prepared
    return _Setup(command, project, prepared or image, timeout_s)


async def _metadata_requirements(
    ctx: StageContext, project: PythonProject, image: str, files: Sequence[TreeFile]
) -> list[str]:
    """What the project's own build system says of its dependencies; it says so in a box without network."""

    async def ask() -> Json:
        outcome = await ctx.sandbox.execute(
            Execution(
                run_id=ctx.run_id,
                files=files,
                command=import_line(project),
                timeout_s=_METADATA_S,
                image=image,
                variables=python_variables({file.path for file in files}),
                collect=[METADATA],
            )
        )
        return metadata_requirements(outcome.files.get(METADATA, b"").decode("utf-8", errors="replace"))

    inputs = {"files": await in_thread(digest, files), "image": image}
    return list(await ctx.journal.step("tests:metadata", inputs, ask))


# --- executions ---------------------------------------------------------------------------------------------------


async def _run(ctx: StageContext, setup: _Setup, step: str, files: Sequence[TreeFile]) -> Run:
    """One execution of the tests on a tree, or what the journal remembers of it."""
    paths = {file.path for file in files}

    async def execute() -> Json:
        outcome = await ctx.sandbox.execute(_execution(ctx, setup, files, paths))
        run = await in_thread(_observed, outcome, paths)
        return run.model_dump(mode="json")

    inputs = {
        "files": await in_thread(digest, files),
        "command": setup.command.line,
        "image": setup.image.digest,
        "timeout_s": setup.timeout_s,
        "limits": asdict(ctx.sandbox.limits),
    }
    return Run.model_validate(await ctx.journal.step(step, inputs, execute))


def _execution(ctx: StageContext, setup: _Setup, files: Sequence[TreeFile], paths: set[str]) -> Execution:
    variables: dict[str, str] = {} if setup.command.reports else dict(REPORT_VARIABLES)
    command = setup.command.line
    if setup.project is not None:
        variables |= python_variables(paths)
        command = f"{import_line(setup.project)}\n{command}"
    return Execution(
        run_id=ctx.run_id,
        files=files,
        command=command,
        timeout_s=setup.timeout_s,
        image=setup.image.digest,
        variables=variables,
        collect=[REPORT],
    )


def _observed(outcome: ExecutionOutcome, paths: set[str]) -> Run:
    report = outcome.files.get(REPORT)
    return Run(
        exit_code=outcome.exit_code,
        timed_out=outcome.timed_out,
        oom_killed=outcome.oom_killed,
        limits_hit=list(outcome.limits_hit),
        cases=None if report is None else read_junit(report, paths),
        output_tail=redact(outcome.output)[-_TAIL:],
        duration_s=outcome.duration_s,
    )


# --- report -------------------------------------------------------------------------------------------------------


async def _report(
    ctx: StageContext, setup: _Setup, sources: Sources, runs: Sequence[Run], baseline: Run | None
) -> TestReport:
    same_tree = await in_thread(lambda: sources.is_unchanged)
    before = _usable(baseline, setup.command)
    tests = classify([run.cases or [] for run in runs], before, same_tree=same_tree)
    judgement = judge(runs, baseline, tests, setup.command)
    limits = ctx.sandbox.limits
    loaded = await in_thread(sources.runner_changes)
    return TestReport(
        verdict=judgement.verdict,
        reason=judgement.reason + _beware(loaded),
        totals=totals(tests),
        tests=tests,
        environment=Environment(
            backend=ctx.sandbox.name,
            image=setup.image.name,
            image_digest=setup.image.digest,
            limits=asdict(limits) | {"timeout_s": setup.timeout_s},
        ),
        limits_hit=list(dict.fromkeys(name for run in runs for name in run.limits_hit)),
        tamper=_tamper(judgement, sources, loaded),
        output_tail=runs[-1].output_tail,
    )


def _usable(baseline: Run | None, command: TestCommand) -> list[Case] | None:
    """The base's results; empty when it could not be tested, so that nothing is called pre-existing."""
    if baseline is None:
        return None
    return [] if broken(baseline, command, uncollected(baseline)) is not None else baseline.cases


def _beware(loaded: Sequence[str]) -> str:
    if not loaded:
        return ""
    more = f" and {len(loaded) - _NAMED} more" if len(loaded) > _NAMED else ""
    return f"; read these, the change alters them and they can decide the results: {', '.join(loaded[:_NAMED])}{more}"


def _tamper(judgement: Judgement, sources: Sources, loaded: Sequence[str]) -> list[Tamper]:
    """What speaks for results that were hidden: the contradiction, and the files of the change that could cause it.

    Without a contradiction those alone that the runner loads (`loaded`).
    """
    if judgement.verdict != "tampered":
        detail = "differs from the base commit, and is loaded where the results are made"
        return [Tamper(kind="steering_changed", path=path, detail=detail) for path in loaded]
    found = [Tamper(kind="results_contradict", path=REPORT, detail=judgement.reason)]
    detail = "differs from the base commit, and decides which tests run or how they are reported"
    return found + [Tamper(kind="steering_changed", path=path, detail=detail) for path in sources.steering_changes()]
