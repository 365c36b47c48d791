"""An MCP client on a real server, in memory, in either protocol era."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.types import CallToolResult, ElicitResult

from repowright_server.app import build_server
from repowright_server.settings import Settings

ERAS = ("auto", "legacy")
"""`auto` negotiates 2026-07-28, `legacy` shakes hands as clients up to 2025-11-25 do."""


def settings_for(home: Path, *roots: Path, **changes: Any) -> Settings:
    """Settings that depend on nothing but the arguments: no key, no token, the host thinks."""
    values: dict[str, Any] = {
        "_env_file": None,
        "llm_provider": "host",
        "repowright_home": home,
        "allowed_roots": tuple(str(root) for root in roots),
        "wait_s": 30.0,
    }
    return Settings(**(values | changes))


@asynccontextmanager
async def connected(
    settings: Settings, era: str = "auto", *, read_only: bool = False, **client: Any
) -> AsyncGenerator[Client]:
    server = build_server(settings, read_only=read_only)
    mode: Any = era
    async with Client(server, mode=mode, **client) as connection:
        yield connection


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The envelope of an answer, after checking what holds for every answer."""
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    envelope: dict[str, Any] = result.structured_content
    assert result.is_error == (envelope["status"] == "FAILED")
    assert (envelope["result"] is None) == (envelope["status"] != "COMPLETE")
    assert len("".join(part.text for part in result.content if part.type == "text")) <= 32_000
    return envelope


class Operator:
    """The person at the client: answers every question alike, and remembers what was shown."""

    def __init__(self, action: str) -> None:
        self.action = action
        self.shown: list[str] = []

    async def __call__(self, context: Any, params: Any) -> ElicitResult:
        del context
        self.shown.append(params.message)
        action: Any = self.action
        return ElicitResult(action=action, content={} if action == "accept" else None)
