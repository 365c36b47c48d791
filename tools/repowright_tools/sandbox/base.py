"""What a sandbox is: the one place where a repository's code runs.

A backend keeps these promises, which the conformance tests check: no network during `execute`, no file of the host,
bounded memory, processors, processes, disk, output and time, nothing left behind, and no weaker way when it breaks.
A command that fails is data; an exception means that the sandbox broke.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from repowright_tools.git.tree import TreeFile

REPOSITORY = "/work/repo"
"""Where the files under test are inside the box, and where the command starts."""
OUT = "/work/out"
"""Where a command leaves the files that are collected."""
INPUTS = "/work/in"
"""Where an installation finds the files of its `EnvironmentSpec`."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one box: bytes, whole or part processors, processes and threads, and seconds a command may take."""

    memory_bytes: int
    cpus: float
    pids: int
    workspace_bytes: int
    timeout_s: float


@dataclass(frozen=True)
class SandboxHealth:
    """A backend that can run something now.

    Attributes:
        backend: its name.
        version: of the engine.
        image: the base image's name.
        image_digest: the content digest of `image`.
        services: names of the services that run beside the tests.
    """

    backend: str
    version: str
    image: str
    image_digest: str
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class EnvironmentSpec:
    """What makes an environment: the result depends on nothing else, so equal specs share one image.

    Attributes:
        files: text of requirement and lock files, by their path below `INPUTS`. Never the project's own code.
        commands: argument lists, run one after the other in `INPUTS`, with a way to package indexes.
        writes: absolute folders of the image that the commands may write, and that are kept.
    """

    files: Mapping[str, bytes]
    commands: Sequence[Sequence[str]]
    writes: Sequence[str]

    def key(self, base_image: str) -> str:
        """The name of the environment that this makes of a base image."""
        files = {path: hashlib.sha256(data).hexdigest() for path, data in self.files.items()}
        whole = [base_image, files, [list(command) for command in self.commands], list(self.writes)]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Prepared:
    """An image to execute in.

    Attributes:
        name: what the engine calls it. What it names can change.
        digest: names its exact content.
        cached: nothing was installed now.
    """

    name: str
    digest: str
    cached: bool


@dataclass(frozen=True)
class Execution:
    """One command in a fresh box.

    Attributes:
        run_id: the run it belongs to.
        files: what lies in `REPOSITORY` when it starts.
        command: a line for `sh`, started in `REPOSITORY`.
        timeout_s: seconds the command may take.
        image: digest of a prepared image; None for the base image.
        variables: environment of the command; nothing of the host's is inherited.
        collect: names of files in `OUT` to bring back.
        services: whether the operator's services run beside it.
    """

    run_id: str
    files: Sequence[TreeFile]
    command: str
    timeout_s: float
    image: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    collect: Sequence[str] = ()
    services: bool = True


@dataclass(frozen=True)
class ExecutionOutcome:
    """What became of a command.

    Attributes:
        exit_code: as the shell counts (128 + signal); None when it was still running when the box was ended.
        output: standard output and error as text without terminal sequences; the middle is left out when too long.
        timed_out: whether `timeout_s` ended it.
        oom_killed: whether the kernel killed something in the box for lack of memory.
        limits_hit: names of the bounds that were reached: timeout, memory, pids, workspace, output.
        files: content of the collected files that exist, are regular and are not too large.
        duration_s: seconds the command took.
    """

    exit_code: int | None
    output: str
    timed_out: bool
    oom_killed: bool
    limits_hit: tuple[str, ...]
    files: Mapping[str, bytes]
    duration_s: float


class Sandbox(Protocol):
    """A backend. Each method raises one of these, within 10 s when the engine is the cause.

    SandboxUnreachable: there is no engine, or we may not use it.
    SandboxStalled: the engine accepts calls but does not answer in time.
    ImageMissing: the engine does not have the image; it is never pulled.
    SandboxBroken: the engine refused or lost a box.
    """

    @property
    def name(self) -> str:
        """The backend, as results name it."""
        ...

    @property
    def image(self) -> str:
        """The base image's name as the operator gave it."""
        ...

    @property
    def limits(self) -> Limits:
        """The bounds of every box."""
        ...

    @property
    def services(self) -> str:
        """What the operator's services are known by; empty when there are none."""
        ...

    async def check(self) -> SandboxHealth:
        """Look whether something could run now, without running anything."""
        ...

    async def prepare(self, spec: EnvironmentSpec, *, run_id: str, network: bool) -> Prepared | None:
        """The image in which the spec's commands have run; made now unless it exists.

        The commands alone reach package indexes, and nothing else. With `network=False` nothing is installed: None
        when the image does not exist yet.

        Raises:
            InstallFailed: a command failed, took too long or wrote too much.
        """
        ...

    async def execute(self, execution: Execution) -> ExecutionOutcome:
        """Run a command in a fresh box without network, and remove the box whatever happens.

        The operator's services may run beside it, fresh as well, in boxes that reach nothing but each other.

        Raises:
            ServiceUnready: a service did not start; the command did not either.
            WorkspaceTooLarge: the files do not fit into the box.
        """
        ...

    async def aclose(self) -> None:
        """Give connections back when nothing runs any more; never raises."""
        ...

    async def reap(self) -> int:
        """Remove what dead or expired runs of ours left behind, and nothing else; how many things were removed."""
        ...
