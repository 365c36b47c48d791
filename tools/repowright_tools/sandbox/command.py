"""One command inside a running container: started, listened to, and left in time."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import anyio

from repowright_tools.errors import SandboxError
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.engine import QUICK_S, WORK_S, Engine
from repowright_tools.sandbox.output import HeadTail
from repowright_tools.threads import in_thread

LATE_S = 0.5
"""How long after its timeout a command is still listened to; `timeout` in the box needs a moment to end it."""
_LOOK_S = 0.5
_TERMINATED = (124, 137, 143)


@dataclass(frozen=True)
class Ran:
    """What a command did. `exit_code` is None when it was still running when we stopped listening."""

    exit_code: int | None
    output: HeadTail
    timed_out: bool
    duration_s: float


async def run_command(
    engine: Engine,
    container: str,
    argv: Sequence[str],
    *,
    folder: str,
    variables: Mapping[str, str],
    timeout_s: float,
    output_bytes: int,
) -> Ran:
    """Run `argv` in the container. It may still be running afterwards: only the box's end ends everything."""
    client = await engine.api()
    # `timeout` ends a command that behaves; one that does not is left behind after LATE_S and ends with the box.
    bounded = ["timeout", "-k", "1", str(math.ceil(timeout_s)), *argv]
    made = await engine.call(
        "prepare a command", WORK_S, client.exec_create, container, bounded, workdir=folder, environment=dict(variables)
    )
    stream = await engine.make("start a command", WORK_S, client.exec_start, made["Id"], socket=True)
    output = HeadTail(output_bytes)
    started = time.monotonic()
    try:
        in_time = await _listen(engine, client, made["Id"], stream, output, timeout_s + LATE_S)
    finally:
        hang_up(stream)  # before anything is killed: a flood nobody reads blocks the engine's own kill
    duration = time.monotonic() - started
    state = await engine.call("inspect a command", QUICK_S, client.exec_inspect, made["Id"])
    exit_code = None if state["Running"] else int(state["ExitCode"] or 0)
    ended_by_us = not in_time or (exit_code in _TERMINATED and duration >= timeout_s)
    return Ran(exit_code, output, ended_by_us, duration)


async def _listen(
    engine: Engine, client: Client, exec_id: str, stream: Any, output: HeadTail, deadline_s: float
) -> bool:
    """Take the command's output until it has ended; False when it had not by the deadline."""
    silent = anyio.Event()

    async def listen() -> None:
        await in_thread(pump, stream, output)
        silent.set()

    bound = anyio.CancelScope()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        bound.deadline = anyio.current_time() + deadline_s
        with bound:
            await _ended(engine, client, exec_id, silent)
        hang_up(stream)
        with anyio.move_on_after(_LOOK_S):  # the thread wakes up and ends
            await silent.wait()
        tasks.cancel_scope.cancel()
    return not bound.cancelled_caught


async def _ended(engine: Engine, client: Client, exec_id: str, silent: anyio.Event) -> None:
    """Wait for the end of the output, or of the command: one that left children behind never falls silent."""
    while not await _set_within(_LOOK_S, silent):
        with suppress(SandboxError):
            state = await engine.call("inspect a command", QUICK_S, client.exec_inspect, exec_id)
            if not state["Running"]:
                await _set_within(_LOOK_S, silent)
                return


async def _set_within(seconds: float, event: anyio.Event) -> bool:
    with anyio.move_on_after(seconds):
        await event.wait()
    return event.is_set()


def pump(stream: Any, output: HeadTail) -> None:
    """Runs in a thread until the stream ends or is hung up."""
    from docker.utils import socket as framing

    frames: Iterator[tuple[int, bytes]] = cast(Any, framing).frames_iter_no_tty(stream)  # the library leaves it untyped
    with suppress(OSError, ValueError, framing.SocketError):  # hung up while reading
        for _, data in frames:
            output.add(data)


def hang_up(stream: Any) -> None:
    """Close a connection to the engine, waking a thread that reads from it."""
    plain = getattr(stream, "_sock", stream)
    if plain is not None:  # None: it is closed already
        with suppress(OSError):
            plain.shutdown(socket.SHUT_RDWR)
        stream.close()
        plain.close()  # the stream is only a file over it
