"""What serves calls, whatever they come through: MCP or a command."""

import re
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import anyio.abc

from repowright_server.adapters import Adapters
from repowright_server.settings import Settings
from repowright_tools import DELIVERY
from repowright_tools.errors import StateUnavailable, UnknownRun
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from repowright_server.runs.dispatch import Dispatcher
    from repowright_server.runs.state import RunState
    from repowright_tools.stage import AnyStage

CLOSING_ADAPTERS_S = 0.3
"""Seconds that giving connections back may take at the end."""


class Engine:
    """Runs, their state and their stages for one server process. Heavy parts are made at first use."""

    def __init__(self, settings: Settings, tasks: anyio.abc.TaskGroup, *, read_only: bool = False) -> None:
        self.settings = settings
        self.read_only = read_only
        self.principal = "local"
        self._tasks = tasks
        self.adapters = Adapters(settings, read_only=read_only)
        self._dispatcher: Dispatcher | None = None
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

        return parse_source(source, ref, self.adapters.source_policy()).model_dump(mode="json")

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

        found = await dispatcher.store.transaction(
            lambda db: [(run, store.attempts_of(db, run.id)) for run in store.newest_runs(db, limit)]
        )
        rows: list[dict[str, Any]] = []
        for run, attempts in found:
            last = attempts[-1] if attempts else None
            said = (
                {"stage": None, "status": None} if last is None else {"stage": last.stage, "status": last.status.value}
            )
            rows.append({"run_id": run.id, "source": run.source.get("source"), "created": run.created, **said})
        return rows

    def close_soon(self) -> None:
        """The server is about to end: calls that are cut off from now on leave their work resumable."""
        if self._dispatcher is not None:
            self._dispatcher.closing = True

    async def close(self) -> None:
        self.close_soon()
        if self._dispatcher is not None:
            await self._dispatcher.close()
        with anyio.move_on_after(CLOSING_ADAPTERS_S):
            await self.adapters.aclose()

    def _hide_secrets(self) -> None:
        settings = self.settings
        keys = [each for each in (*settings.anthropic_api_key, *settings.openai_api_key, settings.github_token) if each]
        passwords = [urlsplit(each.get_secret_value().partition("=")[2]).password for each in settings.sandbox_indexes]
        for secret in (*(key.get_secret_value() for key in keys), *filter(None, passwords)):
            from repowright_tools.secrets import register_secret

            register_secret(secret)

    async def _make_dispatcher(self) -> "Dispatcher":
        await in_thread(import_module, "repowright_server.runs.dispatch")  # SQLAlchemy is heavy: not on the loop
        from repowright_server.runs.context import Contexts
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
            Contexts(self.settings, self.adapters, state, self.stages),
            self._tasks,
            order=DELIVERY,
            most=self.settings.max_concurrent_tasks,
            timeout_s=self.settings.workflow_timeout,
        )
