"""Bounded calls: wait for an attempt as long as the call may, and leave it running after that."""

from typing import TYPE_CHECKING

import anyio

from repowright_server.protocol.progress import Report, heartbeat
from repowright_server.runs.run import Attempt

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
    abandoned = True
    try:
        with anyio.move_on_after(wait_s):
            async with anyio.create_task_group() as waiting:
                waiting.start_soon(heartbeat, attempt.run_id, report, latest)
                attempt = await dispatcher.ended(attempt)
                waiting.cancel_scope.cancel()
        abandoned = False
    finally:
        dispatcher.detach(attempt, abandoned=abandoned)
    return await dispatcher.attempt(attempt.id)
