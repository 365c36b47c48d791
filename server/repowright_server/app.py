"""The composition root: settings in, a wired MCPServer out. The only module that knows every adapter."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc

from repowright_server.settings import Settings
from repowright_tools import DELIVERY
from repowright_tools.errors import StateUnavailable, UnknownRun
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from repowright_server.protocol.tools import RepowrightServer
    from repowright_server.runs.dispatch import Dispatcher
    from repowright_server.runs.execution import Execution
    from repowright_server.runs.run import Attempt
    from repowright_server.runs.state import RunState
    from repowright_tools.git.source import SourcePolicy
    from repowright_tools.github.forge import Forge
    from repowright_tools.github.policy import ForgePolicy
    from repowright_tools.llm.policy import ModelPolicy
    from repowright_tools.sandbox.base import Sandbox
    from repowright_tools.stage import AnyStage, StageContext

CLOSING_SANDBOX_S = 0.3
"""Seconds that giving connections back may take at the end."""


class Engine:
    """What serves calls, whatever they come through: MCP or a command. Heavy parts are made at first use."""

    def __init__(self, settings: Settings, tasks: anyio.abc.TaskGroup, *, read_only: bool = False) -> None:
        self.settings = settings
        self.read_only = read_only
        self.principal = "local"
        self.closing = False
        self._tasks = tasks
        self._dispatcher: Dispatcher | None = None
        self._sandbox: Sandbox | None = None
        self._making = anyio.Lock()
        self._hide_secrets()

    @cached_property
    def stages(self) -> Mapping[str, "AnyStage"]:
        """The stages by name; loaded at the first call, since a server that starts only lists them."""
        from repowright_tools.pipeline import load_stages

        return load_stages()

    def wait_s(self, asked: float | None) -> float:
        return self.settings.wait_s if asked is None else asked

    def parse_source(self, source: str | None, ref: str | None) -> dict[str, Any]:
        """The source of a call, judged by its spelling alone; see git/source.py for what is refused."""
        from repowright_tools.git.source import parse_source

        return parse_source(source, ref, self.source_policy()).model_dump(mode="json")

    async def dispatcher(self) -> "Dispatcher":
        """The dispatcher; its state is opened at the first call."""
        async with self._making:
            if self._dispatcher is None:
                self._dispatcher = await self._make_dispatcher()
        return self._dispatcher

    async def state(self, run_id: str) -> "RunState":
        """A run as it is now (UnknownRun if there is none)."""
        dispatcher = await self.dispatcher()
        from repowright_server.runs.state import read_state

        return await dispatcher.store.transaction(lambda db: read_state(db, run_id, self.principal))

    async def known_run(self, run_id: object, *, look: bool = True) -> str | None:
        """The run_id if there is, or without a look may be, such a run, for answers to calls that were refused."""
        if not isinstance(run_id, str) or re.fullmatch(r"r_[0-9a-f]{32}", run_id) is None:
            return None
        try:
            return (await self.state(run_id)).run.id if look else run_id
        except UnknownRun:
            return None
        except Exception:  # whatever ails the state, the refusal has its own say
            return run_id

    async def newest_runs(self, limit: int) -> list[dict[str, Any]]:
        """The newest runs with the status of their latest attempt, newest first."""
        dispatcher = await self.dispatcher()
        from repowright_server.runs import store

        found = await dispatcher.store.transaction(lambda db: store.newest_runs(db, limit))
        rows: list[dict[str, Any]] = []
        for run in found:
            state = await self.state(run.id)
            last = state.attempts[-1] if state.attempts else None
            said = (
                {"stage": None, "status": None} if last is None else {"stage": last.stage, "status": last.status.value}
            )
            rows.append({"run_id": run.id, "source": run.source.get("source"), "created": run.created, **said})
        return rows

    def close_soon(self) -> None:
        """The server is about to end: calls that are cut off from now on leave their work resumable."""
        self.closing = True
        if self._dispatcher is not None:
            self._dispatcher.closing = True

    async def close(self) -> None:
        self.close_soon()
        if self._dispatcher is not None:
            await self._dispatcher.close()
        if self._sandbox is not None:
            with anyio.move_on_after(CLOSING_SANDBOX_S):
                await self._sandbox.aclose()

    def _hide_secrets(self) -> None:
        secrets = [each for each in (*self.settings.anthropic_api_key, self.settings.github_token) if each is not None]
        for secret in secrets:
            from repowright_tools.secrets import register_secret

            register_secret(secret.get_secret_value())

    # --- adapters ---------------------------------------------------------------------------------------------------

    def allowed_roots(self) -> tuple[Path, ...]:
        """Folders that local sources may lie in."""
        if self.settings.allowed_roots:
            return tuple(Path(root).expanduser().resolve() for root in self.settings.allowed_roots)
        here = Path.cwd().resolve()
        tops = [folder for folder in (here, *here.parents) if (folder / ".git").exists()]
        return tuple(tops[:1])

    def forge(self) -> "Forge":
        from repowright_tools.github.forge import GitHubForge

        return GitHubForge(self._forge_policy())

    def sandbox(self) -> "Sandbox":
        """The one of this process: attempts share its connections, and what one of them installs."""
        if self._sandbox is None:
            self._sandbox = self._make_sandbox()
        return self._sandbox

    def _make_sandbox(self) -> "Sandbox":
        from repowright_tools.sandbox.factory import build_sandbox
        from repowright_tools.sandbox.policy import SandboxPolicy

        s = self.settings
        policy = SandboxPolicy(
            image=s.sandbox_image,
            memory=str(s.sandbox_memory),
            cpus=s.sandbox_cpus,
            pids=s.sandbox_pids,
            ca_bundle=s.sandbox_ca_bundle,
            host=s.docker_host,
        )
        return build_sandbox(s.sandbox_backend, policy)

    def source_policy(self) -> "SourcePolicy":
        from repowright_tools.git.source import SourcePolicy

        forge = self._forge_policy()
        hosts = self.settings.allowed_clone_hosts or ("github.com", forge.host)
        return SourcePolicy(
            allowed_roots=self.allowed_roots(),
            clone_hosts=tuple(hosts),
            forge_host=forge.host,
            forge_url=forge.web_url,
            token=forge.token,
            max_bytes=self.settings.max_workspace_size,
        )

    def model_policy(self) -> "ModelPolicy":
        from repowright_tools.llm.policy import ModelPolicy

        s = self.settings
        return ModelPolicy(
            provider=s.llm_provider,
            model=s.llm_model,
            max_tokens=s.llm_max_tokens,
            timeout_s=s.llm_timeout,
            api_keys=tuple(key.get_secret_value() for key in s.anthropic_api_key),
            base_url=s.anthropic_base_url,
            max_retries=s.max_retries,
            retry_initial_wait_s=s.retry_initial_wait,
            retry_max_wait_s=s.retry_max_wait,
            max_run_cost_usd=s.max_run_cost_usd,
            max_call_input_tokens=s.max_call_input_tokens,
        )

    def _forge_policy(self) -> "ForgePolicy":
        from repowright_tools.github.policy import ForgePolicy

        s = self.settings
        return ForgePolicy(
            base_url=s.github_base_url,
            token=None if s.github_token is None else s.github_token.get_secret_value(),
            allowed_repositories=s.allowed_repositories,
            allowed_roots=self.allowed_roots(),
            read_only=self.read_only,
        )

    async def _make_dispatcher(self) -> "Dispatcher":
        await in_thread(import_module, "repowright_server.runs.dispatch")  # SQLAlchemy is heavy: not on the loop
        from repowright_server.runs.dispatch import Dispatcher
        from repowright_server.runs.recovery import Presence
        from repowright_server.runs.store import Store

        home = self.settings.repowright_home
        try:
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            state, presence = Store(self.settings.database_url, home), Presence(home)
        except OSError as error:
            raise StateUnavailable(f"the state cannot be opened: {error}") from error
        return Dispatcher(
            state,
            presence,
            self.stages,
            self._make_context,
            self._tasks,
            order=DELIVERY,
            most=self.settings.max_concurrent_tasks,
            timeout_s=self.settings.workflow_timeout,
        )

    async def _make_context(
        self,
        execution: "Execution",
        attempt: "Attempt",
        nested: Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]],
    ) -> "StageContext":
        from repowright_server.runs.context import make_context

        return await make_context(self, await self.dispatcher(), execution, attempt, nested)


def build_server(
    settings: Settings, *, read_only: bool = False, closed: Callable[[], None] | None = None
) -> "RepowrightServer":
    """The MCP server, ready to run on any transport; `closed` is called when its work has ended."""
    from repowright_server.protocol.server import make_server

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
