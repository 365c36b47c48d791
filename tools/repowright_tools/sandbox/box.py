"""A box: one container with one volume in memory, that ends and disappears with the block that opened it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import IO, Any

import anyio

from repowright_tools.errors import SandboxBroken, SandboxError, WorkspaceTooLarge
from repowright_tools.sandbox.archive import unpack_file
from repowright_tools.sandbox.base import OUT
from repowright_tools.sandbox.command import Ran, hang_up, run_command
from repowright_tools.sandbox.engine import COPY_S, QUICK_S, WORK_S, Engine
from repowright_tools.sandbox.hardening import BoxPlan, container_arguments
from repowright_tools.sandbox.inspection import unmet
from repowright_tools.sandbox.podman import (
    PODMANS_ADVICE,
    Order,
    create,
    in_dockers_words,
    question,
    reworded,
    unproven,
)
from repowright_tools.sandbox.policy import MIB, SandboxPolicy

CLEANUP_S = 15.0
"""How long removing a box may take before it is left to the reaper."""
_ADVICE = "Use an engine that keeps these settings; nothing ran, and there is no weaker sandbox."
_PROBE_S = 1.0
_COLLECTED_BYTES = 16 * MIB
"""Of all files together: which ones there are, a repository may decide."""
_NOT_REGULAR = 0x8F280000
"""The type bits of a mode as engines give it (Go's fs.ModeType)."""
_COUNTERS = """
cd /sys/fs/cgroup
cat pids/pids.events pids.events memory/memory.oom_control memory.events 2>/dev/null
stat -f -c 'blocks %a inodes %d' /work
"""


@dataclass
class Box:
    """A running box. Made by `open_box`."""

    engine: Engine
    policy: SandboxPolicy
    name: str
    _collected: int = field(default=0, init=False)

    async def put(self, archive: IO[bytes], folder: str) -> None:
        """Unpack a tar archive in a folder of the box. Raises WorkspaceTooLarge when it does not fit."""
        client = await self.engine.api()
        try:
            await self.engine.call("copy files in", COPY_S, client.put_archive, self.name, folder, archive)
        except SandboxBroken as error:
            if "no space left" in error.message:
                raise WorkspaceTooLarge("the files do not fit into the sandbox's folder") from error
            raise

    async def run(self, argv: Sequence[str], *, folder: str, variables: Mapping[str, str], timeout_s: float) -> Ran:
        """Run a command; see `run_command`."""
        return await run_command(
            self.engine,
            self.name,
            argv,
            folder=folder,
            variables=variables,
            timeout_s=timeout_s,
            output_bytes=self.policy.output_bytes,
        )

    async def collect(self, name: str) -> bytes | None:
        """A file of `OUT`, unless it is missing, not a regular file, or too large together with those before it."""
        client = await self.engine.api()

        def read() -> bytes | None:
            from docker.errors import NotFound

            try:
                chunks, stat = client.get_archive(self.name, f"{OUT}/{name}")
            except NotFound:
                return None
            data = unpack_file(chunks, max_bytes=_COLLECTED_BYTES - self._collected)
            return None if int(stat["mode"]) & _NOT_REGULAR else data  # Podman packs what a link leads to in the box

        data = await self.engine.call("copy a file out", WORK_S, read)
        self._collected += len(data or b"")
        return data

    async def bounds_reached(self) -> list[str]:
        """Which of pids, memory and workspace were used up, as far as the box can still tell."""
        with suppress(SandboxError), anyio.move_on_after(_PROBE_S):
            ran = await self.run(["sh", "-c", _COUNTERS], folder="/", variables={}, timeout_s=_PROBE_S)
            if ran.exit_code is not None and ran.output.text():
                return _reached(ran.output.text())
        with suppress(SandboxError), anyio.move_on_after(_PROBE_S):  # nothing starts any more: perhaps for lack of pids
            client = await self.engine.api()
            stats = await self.engine.call("count", QUICK_S, client.stats, self.name, stream=False, one_shot=True)
            if int(stats.get("pids_stats", {}).get("current", 0)) >= self.policy.pids - 4:
                return ["pids"]
        return []

    async def end(self) -> dict[str, Any]:
        """Kill everything in the box and return its last state; whether memory ran out is known only then."""
        client = await self.engine.api()
        with suppress(SandboxBroken):  # it has ended by itself
            await self.engine.call("end a box", WORK_S, client.kill, self.name)
        await self.engine.call("wait for a box", WORK_S, client.wait, self.name)
        details = await self.engine.call("inspect a box", QUICK_S, client.inspect_container, self.name)
        return dict(details["State"])


def _reached(counters: str) -> list[str]:
    reached: list[str] = []
    for words in (line.split() for line in counters.splitlines()):
        match words:
            case ["max", count] if count != "0":
                reached.append("pids")
            case ["oom_kill", count] if count != "0":
                reached.append("memory")
            case ["blocks", blocks, "inodes", inodes] if "0" in (blocks, inodes):
                reached.append("workspace")
            case _:
                pass
    return reached


@asynccontextmanager
async def open_box(
    engine: Engine, policy: SandboxPolicy, plan: BoxPlan, *, before_start: Sequence[IO[bytes]] = ()
) -> AsyncGenerator[Box]:
    """A started box. `before_start` are archives for the root of its image's layer, which must be writable."""
    client = await engine.api()
    box = Box(engine, policy, plan.name)
    lifeline: list[Any] = []
    asked = container_arguments(client, policy, plan)
    order = reworded(asked) if await engine.is_podman() else Order(asked)
    try:
        await _create(engine, policy, order)
        if plan.joins is not None:
            await engine.call("join a network", WORK_S, client.connect_container_to_network, plan.name, plan.joins)
        for archive in before_start:
            await box.put(archive, "/")
        # Attached before the start, so that there is no moment at which our death would not end the box.
        attached = {"stdin": 1, "stream": 1}
        lifeline.append(await engine.make("attach", WORK_S, client.attach_socket, plan.name, params=attached))
        await engine.call("start a box", WORK_S, client.start, plan.name)
        await _check(box, order)
        yield box
    finally:
        with anyio.move_on_after(CLEANUP_S, shield=True):
            await _remove(engine, plan.name, order, lifeline)


async def _create(engine: Engine, policy: SandboxPolicy, order: Order) -> None:
    client = await engine.api()
    try:
        await engine.make("create a box", WORK_S, create, client, order)
    except SandboxBroken as error:
        if policy.runtime is not None and "runtime" in error.message:
            raise SandboxBroken(
                error.message,
                what_to_do="Set SANDBOX_RUNTIME to a runtime that the engine has (`docker info` lists them under"
                " Runtimes), add that runtime to the engine, or leave it empty for the engine's own.",
            ) from error
        raise


async def _check(box: Box, order: Order) -> None:
    """Raises SandboxBroken when the engine made less of a box than it was asked for."""
    client = await box.engine.api()
    details = await box.engine.call("inspect a box", QUICK_S, client.inspect_container, box.name)
    if order.tmpfs is None:
        missing, advice = unmet(details, order.arguments), _ADVICE
    else:
        told = await box.run(question(order), folder="/", variables={}, timeout_s=QUICK_S)
        missing = [*unmet(in_dockers_words(details, order), order.arguments), *unproven(told.output.text(), order)]
        advice = f"{_ADVICE} {PODMANS_ADVICE}"
    if missing:
        raise SandboxBroken(
            f"the Docker engine did not lock the box up as asked: {', '.join(missing)}", what_to_do=advice
        )


async def _remove(engine: Engine, name: str, order: Order, lifeline: Sequence[Any]) -> None:
    """Remove the box, as far as there is one; the reaper gets what stays."""
    for stream in lifeline:
        hang_up(stream)
    client = await engine.api()
    try:
        await engine.call("remove a box", WORK_S, client.remove_container, name, force=True, v=True)
    except SandboxError:  # Podman cannot remove what is about to end
        with suppress(SandboxError):
            await engine.call("wait for a box", QUICK_S, client.wait, name)
            await engine.call("remove a box", WORK_S, client.remove_container, name, force=True, v=True)
    for volume in [str(made["name"]) for made in order.volumes] or [name]:
        with suppress(SandboxError):
            await engine.call("remove a volume", WORK_S, client.remove_volume, volume, force=True)
