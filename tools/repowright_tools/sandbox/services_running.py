"""Services while they run: each is a box of its own in the network of the tests' box, and goes when that one goes.

That network is the one it always was: a loopback interface and nothing else. There is no bridge, no gateway and no name
server on it, and nothing to remove but the boxes. A service is reached at `LOOPBACK`, by its name as well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import anyio

from repowright_tools.errors import ImageMissing, SandboxBroken, ServiceUnready
from repowright_tools.sandbox.box import Box, open_box
from repowright_tools.sandbox.client import Described
from repowright_tools.sandbox.command import hang_up, pump
from repowright_tools.sandbox.engine import QUICK_S, WORK_S, Engine
from repowright_tools.sandbox.hardening import BoxPlan
from repowright_tools.sandbox.labels import box_labels
from repowright_tools.sandbox.output import HeadTail

if TYPE_CHECKING:
    from repowright_tools.sandbox.services import Service

LOOPBACK = "127.0.0.1"
"""Where all services are for the tests' box, whose network they share."""
_PAUSE_S = 0.05
_CHECK_S = 10.0
_KEPT_BYTES = 4096
"""What is kept of a service's output, to say why it did not start or go on."""
_SHORTEST_SECRET = 4
"""Characters; what is shorter is in every other word."""
_LISTENING = "0A"
"""A socket's state in /proc/net/tcp (proc(5); TCP_LISTEN in the kernel's include/net/tcp_states.h)."""


async def find_images(engine: Engine, services: Mapping[str, Service]) -> dict[str, Described]:
    """What the engine knows of the services' images, by service. Raises ImageMissing; none is pulled."""
    client = await engine.api()
    found: dict[str, Described] = {}
    for name, service in services.items():
        try:
            found[name] = await engine.call("look up an image", QUICK_S, client.inspect_image, service.image)
        except ImageMissing as error:
            raise ImageMissing(
                f"the Docker engine has no image {service.image!r} for the service {name}, and none is pulled",
                what_to_do=f"Run `docker pull {service.image}`, or mend SANDBOX_SERVICES.",
            ) from error
    return found


@dataclass
class _Running:
    """A service that was started: its box, and the program in it with its output."""

    name: str
    service: Service
    box: Box
    program: str
    output: HeadTail

    async def ended(self) -> str:
        """How the program ended, in words; empty while it runs."""
        client = await self.box.engine.api()
        state = await self.box.engine.call("inspect a service", QUICK_S, client.exec_inspect, self.program)
        return "" if state["Running"] else f"ended with exit code {state['ExitCode']}{self.said()}"

    def said(self) -> str:
        """Its last words, without what was declared for it: passwords, above all."""
        last = self.output.text().strip()
        for value in sorted(self.service.environment.values(), key=len, reverse=True):
            if len(value) >= _SHORTEST_SECRET:
                last = last.replace(value, "[hidden]")
        return f" and said: {last[-1000:]}" if last else ""


@dataclass
class Services:
    """The services beside one box. Made by `open_services`."""

    box: Box
    running: list[_Running] = field(default_factory=list[_Running])

    @property
    def variables(self) -> dict[str, str]:
        """What tells the tests of the services."""
        return {name: value for each in self.running for name, value in each.service.test_environment.items()}

    async def ready(self) -> None:
        """Wait until each listens and its health check agrees, before anything of a repository runs.

        Raises:
            ServiceUnready: one has ended, or is not ready after the policy's `services_ready_s`.
        """
        waiting, most_s = list(self.running), self.box.policy.services_ready_s
        with anyio.move_on_after(most_s):
            while waiting:
                listening = await self._listening()
                waiting = [each for each in waiting if not await _is_ready(each, listening)]
                if waiting:
                    await anyio.sleep(_PAUSE_S)
        if waiting:
            late = waiting[0]
            raise ServiceUnready(
                f"the service {late.name} was not ready on port {late.service.port} within {most_s:g} s{late.said()}"
            )

    async def ended(self) -> str:
        """Lines that tell of services that did not live as long as the tests; empty usually."""
        found = [(each.name, await each.ended()) for each in self.running]
        return "".join(f"\n[the service {name} {how}]\n" for name, how in found if how)

    async def _listening(self) -> set[int]:
        """Ports that something listens at in the box's network, as the box itself sees it."""
        tables = ["cat", "/proc/net/tcp", "/proc/net/tcp6"]
        ran = await self.box.run(tables, folder="/", variables={}, timeout_s=_CHECK_S)
        rows = [line.split() for line in ran.output.text().splitlines()]
        return {int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == _LISTENING}


async def _is_ready(running: _Running, listening: set[int]) -> bool:
    if how := await running.ended():
        raise ServiceUnready(f"the service {running.name} {how}")
    if running.service.port not in listening:
        return False
    if not running.service.healthcheck:
        return True
    check, variables = running.service.healthcheck, running.service.environment
    ran = await running.box.run(check, folder="/", variables=variables, timeout_s=_CHECK_S)
    return ran.exit_code == 0


@asynccontextmanager
async def open_services(
    box: Box, services: Mapping[str, Service], *, run_id: str, life_s: float
) -> AsyncGenerator[Services]:
    """The services of a box, started but not yet `ready`, and gone at the end of the block."""
    async with AsyncExitStack() as stack:
        opened = Services(box)
        if services:
            client = await box.engine.api()
            images = await find_images(box.engine, services)
            details = await box.engine.call("inspect a box", QUICK_S, client.inspect_container, box.name)
            for name, service in services.items():
                plan = _plan(service, images[name], str(details["Id"]), run_id, life_s)
                try:
                    beside = await stack.enter_async_context(open_box(box.engine, box.policy, plan))
                    opened.running.append(await stack.enter_async_context(_run(name, service, images[name], beside)))
                except SandboxBroken as error:  # as of an image without `timeout`, or with a folder that is a file
                    raise ServiceUnready(f"the service {name} could not be started: {error.message}") from error
        yield opened


def _plan(service: Service, image: Described, beside: str, run_id: str, life_s: float) -> BoxPlan:
    name = f"repowright-{uuid4().hex}"
    labels = box_labels(name, run_id, time.time() + life_s)
    # What an image declares as a volume would be a folder on the host's disk, without a quota
    volumes: dict[str, Any] = image["Config"].get("Volumes") or {}
    folders = sorted({*service.tmpfs, *volumes})
    return BoxPlan(name, str(image["Id"]), life_s, labels, network=f"container:{beside}", folders=folders)


@asynccontextmanager
async def _run(name: str, service: Service, image: Described, box: Box) -> AsyncGenerator[_Running]:
    """The service's program in its box. Its output is read all the time: one that nobody reads would stop it."""
    client = await box.engine.api()
    made = await box.engine.call(
        "prepare a service",
        WORK_S,
        client.exec_create,
        box.name,
        _program(service, image["Config"]),
        workdir=image["Config"].get("WorkingDir") or "/",
        environment={"HOME": "/tmp", **service.environment},  # noqa: S108 - in the box
    )
    stream: Any = await box.engine.make("start a service", WORK_S, client.exec_start, made["Id"], socket=True)
    output = HeadTail(_KEPT_BYTES)
    threading.Thread(target=pump, args=(stream, output), daemon=True).start()
    try:
        yield _Running(name, service, box, made["Id"], output)
    finally:
        hang_up(stream)  # the thread ends with it


def _program(service: Service, config: Mapping[str, Any]) -> Sequence[str]:
    return [*(config.get("Entrypoint") or ()), *(service.command or config.get("Cmd") or ())]
