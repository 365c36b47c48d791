"""The composition root: settings in, a wired MCPServer out."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio

from repowright_server.engine import Engine
from repowright_server.protocol.server import make_server
from repowright_server.protocol.tools import RepowrightServer
from repowright_server.settings import Settings


def build_server(
    settings: Settings, *, read_only: bool = False, closed: Callable[[], None] | None = None
) -> RepowrightServer:
    """The MCP server, ready to run on any transport; `closed` is called when its work has ended."""

    @asynccontextmanager
    async def lifespan(_server: Any) -> AsyncGenerator[Engine]:
        async with anyio.create_task_group() as tasks:
            server.engine = Engine(settings, tasks, read_only=read_only)
            try:
                yield server.engine
            finally:
                with anyio.CancelScope(shield=True):
                    await server.engine.close()
                if closed is not None:
                    closed()
                tasks.cancel_scope.cancel()

    server = make_server(settings, lifespan)
    return server
