"""Serving over stdin and stdout, with an orderly end: end of input, SIGTERM and SIGINT all clean up.

The SDK's own runner dies on SIGTERM without cleaning up, and hangs after SIGINT until its input closes.
"""

import os
import signal
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import PARSE_ERROR, ErrorData, JSONRPCError

_NO_MESSAGE = JSONRPCError(
    jsonrpc="2.0", id=None, error=ErrorData(code=PARSE_ERROR, message="The line is no JSON-RPC message")
)


async def serve_stdio(server: Server[Any], close_soon: Callable[[], None]) -> None:
    """Serve until the input ends or a signal comes; `close_soon` is called before any call is cut off by that."""
    stdout: object = sys.stdout
    if isinstance(stdout, TextIOWrapper):
        stdout.reconfigure(line_buffering=True)  # a stray print must not sit in a buffer and end up on the wire
    async with anyio.create_task_group() as everything:
        everything.start_soon(_end_on_signal, everything.cancel_scope, close_soon)
        async with stdio_server() as (wire, write):
            send, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)

            async def pump() -> None:
                async with send:
                    async for message in wire:
                        if isinstance(message, Exception):  # the SDK says nothing, and a client would wait for ever
                            await write.send(SessionMessage(_NO_MESSAGE))
                        else:
                            await send.send(message)
                    close_soon()

            everything.start_soon(pump)
            await server.run(read, write, server.create_initialization_options())
        everything.cancel_scope.cancel()


async def _end_on_signal(scope: anyio.CancelScope, close_soon: Callable[[], None]) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            close_soon()
            _Exit.status = 128 + number
            scope.cancel()
            return


class _Exit:
    """How the process is to end after a signal; None for the orderly end of input."""

    status: int | None = None


def leave() -> None:
    """End the process, if a signal asked for it. For the end of the lifespan: the server's run never returns then,
    since the thread that reads stdin blocks.
    """
    if _Exit.status is not None:
        sys.stderr.flush()
        os._exit(_Exit.status)
