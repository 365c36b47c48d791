"""Executions of the tests: the environment they run in, and one run on one tree."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial

from repowright_tools.errors import InstallFailed
from repowright_tools.git.tree import TreeFile
from repowright_tools.run_tests_sandboxed.command import TestCommand
from repowright_tools.run_tests_sandboxed.environment import METADATA, environment_spec, import_line, python_variables
from repowright_tools.run_tests_sandboxed.languages import Language, find_language, language_spec
from repowright_tools.run_tests_sandboxed.models import Run, RunTestsArguments
from repowright_tools.run_tests_sandboxed.node_modules import with_packages_of
from repowright_tools.run_tests_sandboxed.python_project import (
    PythonProject,
    metadata_requirements,
    read_python_project,
)
from repowright_tools.run_tests_sandboxed.record import read_record
from repowright_tools.run_tests_sandboxed.sources import Sources, digest
from repowright_tools.run_tests_sandboxed.supervised import RECORD, Selected, Supervision, supervised_line
from repowright_tools.run_tests_sandboxed.test_files import is_part_of_pytest
from repowright_tools.sandbox.base import EnvironmentSpec, Execution, ExecutionOutcome, Prepared
from repowright_tools.secrets import redact
from repowright_tools.stage import Json, StageContext
from repowright_tools.threads import in_thread

_TAIL = 8_000
_METADATA_S = 120.0
_UNSUPERVISED = "pytest is made of this project, and so ran it without our supervisor"


@dataclass(frozen=True)
class Setup:
    """How every tree of this call is tested.

    Attributes:
        supervises: whether pytest runs under our supervisor. Not where pytest is made of the project: it would have
            loaded the copy it came with before the project's own.
        base: the tree of the base, whose committed packages are in every tree.
        changes_dependencies: the image, which the base is tested in as well, is not the one that the base asks for.
    """

    command: TestCommand
    project: PythonProject | None
    image: Prepared
    timeout_s: float
    language: Language | None
    supervises: bool
    base: Sequence[TreeFile]
    changes_dependencies: bool


@dataclass(frozen=True)
class Tested:
    """A tree, and what of its tests is run and watched.

    Attributes:
        files: the tree.
        selected: see `Selected`; for pytest alone.
        probes: see `Supervision`.
    """

    files: Sequence[TreeFile]
    selected: Selected = field(default_factory=Selected)
    probes: Mapping[str, Sequence[int]] = field(default_factory=dict[str, Sequence[int]])


async def set_up(ctx: StageContext, args: RunTestsArguments, sources: Sources, command: TestCommand) -> Setup:
    """The environment for the candidate's dependencies; the base is tested in the same one. Raises InstallFailed."""
    # The base decides: a change must not be able to switch its supervisor off.
    supervises = command.reports and not any(is_part_of_pytest(file.path) for file in sources.base)
    if command.reports and not supervises:
        command = replace(command, remarks=(*command.remarks, _UNSUPERVISED))
    health = await ctx.sandbox.check()  # an engine that does not answer is said before what is wrong with a manifest
    language = find_language(sources.candidate_data)
    foreign = command.single.foreign and language is not None
    project, spec = await in_thread(_dependencies, sources.candidate_data, foreign)
    differs = await in_thread(_changes_dependencies, sources, spec, foreign)
    prepare = partial(ctx.sandbox.prepare, run_id=ctx.run_id, network=args.setup_network)
    prepared = None if spec is None else await prepare(spec)
    if project is not None and project.is_dynamic and prepared is not None:
        more = await _metadata_requirements(ctx, project, prepared.digest, sources.candidate)
        if more:
            prepared = await prepare(environment_spec(project, more)) or prepared
    return Setup(
        command=command,
        project=project,
        image=prepared or Prepared(health.image, health.image_digest, cached=True),
        timeout_s=min(args.timeout_s, ctx.sandbox.limits.timeout_s),
        language=language if project is None else None,
        supervises=supervises,
        base=sources.base,
        changes_dependencies=differs,
    )


def _dependencies(files: Mapping[str, bytes], foreign: bool) -> tuple[PythonProject | None, EnvironmentSpec | None]:
    """The Python project in a tree, if it is one, and what is to be installed. Raises InstallFailed."""
    project = None if foreign else read_python_project(files)
    return project, language_spec(files) if project is None else environment_spec(project)


def _changes_dependencies(sources: Sources, candidate: EnvironmentSpec | None, foreign: bool) -> bool:
    """Whether the candidate's environment is another one than the base's own would be."""
    try:
        _, base = _dependencies(sources.base_data, foreign)
    except InstallFailed:
        return True
    return base != candidate or sources.base_data.get("setup.py") != sources.candidate_data.get("setup.py")


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
                services=False,
            )
        )
        return metadata_requirements(outcome.files.get(METADATA, b"").decode("utf-8", errors="replace"))

    inputs = {"files": await in_thread(digest, files), "image": image}
    return list(await ctx.journal.step("tests:metadata", inputs, ask))


async def run_tests(ctx: StageContext, setup: Setup, step: str, tested: Tested) -> Run:
    """One execution of the tests on a tree, or what the journal remembers of it."""
    files = await in_thread(with_packages_of, setup.base, tested.files)
    paths = {file.path for file in files}
    line = _supervised(setup, tested)

    async def execute() -> Json:
        outcome = await ctx.sandbox.execute(_execution(ctx, setup, files, paths, line))
        run = await in_thread(_observed, outcome, paths, setup.command if line is None else None)
        return run.model_dump(mode="json")

    inputs = {
        "files": await in_thread(digest, files),
        "command": line or setup.command.single.line,
        "image": setup.image.digest,
        "timeout_s": setup.timeout_s,
        "limits": asdict(ctx.sandbox.limits),
        "services": ctx.sandbox.services,
    }
    return Run.model_validate(await ctx.journal.step(step, inputs, execute))


def can_select(setup: Setup, selected: Selected) -> bool:
    """Whether a run can be narrowed to these tests."""
    return setup.supervises and _line(setup, selected, {}) is not None


def _supervised(setup: Setup, tested: Tested) -> str | None:
    """The line that runs pytest under supervision; without probes where they would make it too long."""
    if not setup.supervises:
        return None
    return (
        _line(setup, tested.selected, tested.probes)
        or _line(setup, tested.selected, {})
        or _line(setup, Selected(), {})
    )


def _line(setup: Setup, selected: Selected, probes: Mapping[str, Sequence[int]]) -> str | None:
    words = shlex.split(setup.command.line)[3:]  # after `python3 -m pytest`
    arguments = [word for word in words if not word.startswith("--junitxml=")]
    prepare = "" if setup.project is None else import_line(setup.project)
    return supervised_line(Supervision(arguments, prepare, selected, probes))


def _execution(
    ctx: StageContext, setup: Setup, files: Sequence[TreeFile], paths: set[str], supervised: str | None
) -> Execution:
    single = setup.command.single
    variables = {} if supervised else dict(single.variables)
    command = supervised or single.line
    if setup.project is not None:
        variables |= python_variables(paths)
        command = supervised or f"{import_line(setup.project)}\n{command}"
    elif setup.language is not None:
        variables = {**setup.language.variables, **variables}
        command = supervised or f"{setup.language.link}\n{command}"
    return Execution(
        run_id=ctx.run_id,
        files=files,
        command=command,
        timeout_s=setup.timeout_s,
        image=setup.image.digest,
        variables=variables,
        collect=[RECORD] if supervised else list(single.collect),
    )


def _observed(outcome: ExecutionOutcome, paths: set[str], command: TestCommand | None) -> Run:
    """What a run was; `command` is None when it was supervised."""
    run = Run(
        exit_code=outcome.exit_code,
        timed_out=outcome.timed_out,
        oom_killed=outcome.oom_killed,
        limits_hit=list(outcome.limits_hit),
        cases=None,
        output_tail=redact(outcome.output)[-_TAIL:],
        duration_s=outcome.duration_s,
    )
    if command is None:
        return run.model_copy(update=vars(read_record(outcome.files.get(RECORD))))
    return run.model_copy(update={"cases": command.single.read(outcome.files, paths)})
