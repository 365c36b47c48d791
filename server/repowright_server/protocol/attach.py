"""Bounded calls: wait for an attempt as long as the call may, and leave it running after that."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio

from repowright_server.protocol.progress import Report, heartbeat
from repowright_server.runs.run import Attempt
from repowright_tools.errors import RepowrightError

if TYPE_CHECKING:
    from repowright_server.runs.dispatch import Dispatcher


async def attached(dispatcher: "Dispatcher", attempt: Attempt, wait_s: float, report: Report) -> Attempt:
    """Wait up to `wait_s` seconds for the attempt and return it as it is then.

    A call that is cancelled while it waits takes the attempt with it, if no other call is attached.
    """
    if not attempt.active:
        return attempt

    async def latest() -> str:
        return await dispatcher.latest_message(attempt)

    dispatcher.attach(attempt.id)
    abandoned = False
    try:
        with anyio.move_on_after(wait_s):
            attempt = await _ended(dispatcher, attempt, report, latest)
    except anyio.get_cancelled_exc_class():
        abandoned = True  # and nothing else is: the state being out of reach for a moment must not end the work
        raise
    finally:
        dispatcher.detach(attempt, abandoned=abandoned)
    return await dispatcher.attempt(attempt.id)


async def _ended(
    dispatcher: "Dispatcher", attempt: Attempt, report: Report, latest: Callable[[], Awaitable[str]]
) -> Attempt:
    """The attempt when it has ended; the client hears of it meanwhile."""
    failure: RepowrightError | None = None
    async with anyio.create_task_group() as waiting:
        waiting.start_soon(heartbeat, attempt.run_id, report, latest)
        try:
            attempt = await dispatcher.ended(attempt)
        except RepowrightError as error:
            failure = error  # raised below, as itself: a task group would wrap it
        waiting.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return attempt
