"""An engine for the length of one command, and stages called through it as a client would."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from repowright_server.engine import Engine
from repowright_server.observability.logging import configure_logging
from repowright_server.runs.call import StageCall
from repowright_server.runs.run import Attempt
from repowright_server.settings import Settings


@asynccontextmanager
async def session(settings: Settings) -> AsyncGenerator[Engine]:
    """An engine whose work ends with the block; logs go to the daily file, and to stderr only if they matter."""
    configure_logging(settings.repowright_home, settings.log_level, settings.log_format, quiet=True)
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        engine = Engine(settings, tasks)
        try:
            yield engine
        except Exception as error:
            failure = error  # raised below, as itself: a task group would wrap it
        finally:
            with anyio.CancelScope(shield=True):
                await engine.close()
            tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def perform(engine: Engine, call: StageCall) -> Attempt:
    """Run a stage to its end, with its progress on stderr."""
    from repowright_server.commands.progress import follow

    dispatcher = await engine.dispatcher()
    claim = await dispatcher.submit(call)
    async with anyio.create_task_group() as watching:
        watching.start_soon(follow, dispatcher, claim.attempt)
        await dispatcher.ended(claim.attempt)
        watching.cancel_scope.cancel()
    return await dispatcher.attempt(claim.attempt.id)


def call_of(engine: Engine, stage: str, arguments: dict[str, Any], run_id: str | None = None) -> StageCall:
    """A call as a client would make it (RepowrightError if the arguments are refused)."""
    from repowright_server.protocol.arguments import make_call

    return make_call(engine, engine.stages[stage], run_id, arguments)
