"""The Docker backend: every execution gets its own locked-up container, and nothing runs anywhere else."""

from __future__ import annotations

import time
from collections.abc import Mapping
from uuid import uuid4
from weakref import WeakValueDictionary

import anyio

from repowright_tools.errors import ImageMissing
from repowright_tools.sandbox.archive import pack
from repowright_tools.sandbox.base import (
    OUT,
    REPOSITORY,
    EnvironmentSpec,
    Execution,
    ExecutionOutcome,
    Limits,
    Prepared,
    SandboxHealth,
)
from repowright_tools.sandbox.box import Box, open_box
from repowright_tools.sandbox.command import Ran
from repowright_tools.sandbox.engine import QUICK_S, Engine
from repowright_tools.sandbox.environment import PATH, find_environment, make_environment
from repowright_tools.sandbox.hardening import BoxPlan
from repowright_tools.sandbox.indexes import operators_indexes
from repowright_tools.sandbox.labels import box_labels, environment_tag
from repowright_tools.sandbox.policy import SandboxPolicy
from repowright_tools.sandbox.reaper import reap
from repowright_tools.sandbox.services import Service, known_by
from repowright_tools.sandbox.services_running import LOOPBACK, find_images, open_services
from repowright_tools.threads import in_thread

_AROUND_S = 120.0
"""What copying in and out may add to a command's time in the life of its box."""
_LEASE_S = 60.0
_VARIABLES = {"PATH": PATH, "HOME": "/tmp", "LANG": "C.UTF-8"}  # noqa: S108 - in the box
_FIT = 0.9
"""Share of the workspace that the files may fill at the start."""


class DockerSandbox:
    """Runs commands in containers of one Docker engine. See `Sandbox` for the contract."""

    def __init__(self, policy: SandboxPolicy) -> None:
        self._policy = policy
        self._engine = Engine(policy.host)
        self._indexes = sorted((index.tool, index.origin, index.path) for index in operators_indexes(policy.indexes))
        self._installing = WeakValueDictionary[str, anyio.Lock]()  # a lock is there as long as somebody has it
        self._reaped = False

    @property
    def name(self) -> str:
        return "docker"

    @property
    def image(self) -> str:
        return self._policy.image

    @property
    def limits(self) -> Limits:
        policy = self._policy
        return Limits(policy.memory, policy.cpus, policy.pids, policy.workspace, policy.timeout_s)

    @property
    def services(self) -> str:
        return known_by(self._policy.services)

    async def check(self) -> SandboxHealth:
        client = await self._engine.api()
        digest = await self._base_digest()
        version = await self._engine.call("say its version", QUICK_S, client.version)
        services = await find_images(self._engine, self._policy.services)
        return SandboxHealth(self.name, str(version["Version"]), self.image, digest, tuple(services))

    async def prepare(self, spec: EnvironmentSpec, *, run_id: str, network: bool) -> Prepared | None:
        await self._reap_once()
        base = await self._base_digest()
        key = spec.key(f"{base} {self._indexes}" if self._indexes else base)
        lock = self._installing.setdefault(key, anyio.Lock())
        async with lock:
            found = await find_environment(self._engine, key)
            if found is not None:
                return Prepared(environment_tag(key), found, cached=True)
            if not network:
                return None
            made = await make_environment(self._engine, self._policy, spec, base=base, key=key, run_id=run_id)
            return Prepared(environment_tag(key), made, cached=False)

    async def execute(self, execution: Execution) -> ExecutionOutcome:
        await self._reap_once()
        image = execution.image or await self._base_digest()
        room = int(self._policy.workspace * _FIT)
        folder, beside = REPOSITORY.rpartition("/")[2], OUT.rpartition("/")[2]
        archive = await in_thread(pack, folder, execution.files, max_bytes=room, beside=[beside])
        declared = self._policy.services if execution.services else dict[str, Service]()
        name = f"repowright-{uuid4().hex}"
        life = execution.timeout_s + _AROUND_S + (self._policy.services_ready_s if declared else 0)
        labels = box_labels(name, execution.run_id, time.time() + life + _LEASE_S)
        plan = BoxPlan(name, image, life, labels, hosts=dict.fromkeys(declared, LOOPBACK))
        async with (
            open_box(self._engine, self._policy, plan) as box,
            open_services(box, declared, run_id=execution.run_id, life_s=life) as services,
        ):
            await box.put(archive, "/work")
            await services.ready()
            variables = {**services.variables, **_VARIABLES, **execution.variables}
            argv = ["sh", "-c", execution.command]
            ran = await box.run(argv, folder=REPOSITORY, variables=variables, timeout_s=execution.timeout_s)
            reached = await box.bounds_reached()
            files = {} if ran.timed_out else await _collect(box, execution)
            remarks = await services.ended()
            state = await box.end()
        return _outcome(ran, reached, files, remarks, oom_killed=bool(state["OOMKilled"]) or "memory" in reached)

    async def reap(self, *, now: float | None = None, run_id: str | None = None) -> int:
        """See `Sandbox`; `now` is in seconds since 1970, by default the present, and `run_id` narrows it to a run."""
        return await reap(self._engine, time.time() if now is None else now, run_id)

    async def aclose(self) -> None:
        await self._engine.aclose()

    async def _reap_once(self) -> None:
        if not self._reaped:
            await self.reap()
            self._reaped = True

    async def _base_digest(self) -> str:
        client = await self._engine.api()
        try:
            found = await self._engine.call("look up an image", QUICK_S, client.inspect_image, self.image)
        except ImageMissing as error:
            raise ImageMissing(
                f"the Docker engine has no image {self.image!r}, and none is pulled",
                what_to_do=f"Run `docker pull {self.image}`, or set SANDBOX_IMAGE to an image that the engine has.",
            ) from error
        return str(found["Id"])


async def _collect(box: Box, execution: Execution) -> dict[str, bytes]:
    found = {name: await box.collect(name) for name in execution.collect}
    return {name: data for name, data in found.items() if data is not None}


def _outcome(
    ran: Ran, reached: list[str], files: Mapping[str, bytes], remarks: str, *, oom_killed: bool
) -> ExecutionOutcome:
    hits = {
        "timeout": ran.timed_out,
        "memory": oom_killed,
        "pids": "pids" in reached,
        "workspace": "workspace" in reached,
        "output": ran.output.left_out > 0,
    }
    return ExecutionOutcome(
        exit_code=ran.exit_code,
        output=ran.output.text() + remarks,
        timed_out=ran.timed_out,
        oom_killed=oom_killed,
        limits_hit=tuple(name for name, hit in hits.items() if hit),
        files=files,
        duration_s=ran.duration_s,
    )
