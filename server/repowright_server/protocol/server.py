"""The MCP server object: name, instructions, tools, resources and prompts."""

import os
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from importlib.metadata import version
from typing import Any

from mcp.server import CacheHint
from mcp.server.mcpserver import RequestStateSecurity

from repowright_server.protocol.prompts import publish_prompts
from repowright_server.protocol.resources import publish_resources
from repowright_server.protocol.tools import RepowrightServer
from repowright_server.settings import Settings

QUESTION_KEPT_S = 24 * 3600
"""How long an unanswered question stays valid, across restarts."""
_LIST_KEPT_MS = 300_000

INSTRUCTIONS = (
    "Takes a feature from request to reviewed pull request: analyse_repo, plan_feature, generate_code, "
    "run_tests_sandboxed, open_pr, generate_cursor_rules; deliver_feature runs them all. Every tool answers within "
    "`wait_s` with a run_id; pass the run_id on to build on earlier stages. IN_PROGRESS: make the call in "
    "`next_actions` to attach again. INPUT_REQUIRED with a brief: think, and hand the answer in as `submission`. "
    "INPUT_REQUIRED with an approval: only the user can say yes. FAILED: do what `what_to_do` says."
)


def make_server(settings: Settings, lifespan: Callable[[Any], AbstractAsyncContextManager[Any]]) -> RepowrightServer:
    hint = CacheHint(ttl_ms=_LIST_KEPT_MS, scope="public")
    server = RepowrightServer(
        "repowright",
        title="Repowright",
        version=version("repowright"),
        instructions=INSTRUCTIONS,
        lifespan=lifespan,
        request_state_security=RequestStateSecurity(keys=[_state_key(settings)], ttl=QUESTION_KEPT_S),
        cache_hints={"tools/list": hint, "server/discover": hint},
        log_level=settings.log_level,
    )
    publish_resources(server)
    publish_prompts(server)
    return server


def _state_key(settings: Settings) -> bytes:
    """The key that seals what clients carry between questions and answers; made once, private to the user."""
    home = settings.repowright_home
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / "state.key"
    if not path.exists():
        fresh = home / f"state.key.{secrets.token_hex(6)}"
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        with suppress(FileExistsError):  # another server was faster
            os.link(fresh, path)  # whole at once: nobody ever reads half a key
        fresh.unlink()
    return path.read_bytes()
