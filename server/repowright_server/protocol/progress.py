"""Telling a waiting client, by the clock, that work goes on: hosts end calls that stay silent."""

from collections.abc import Awaitable, Callable

import anyio

from repowright_server.observability.logging import logger

HEARTBEAT_S = 5.0
LOOK_S = 0.5

Report = Callable[[float, float | None, str | None], Awaitable[None]]


async def heartbeat(run_id: str, report: Report, latest: Callable[[], Awaitable[str]]) -> None:
    """Report at once, naming the run; then whenever the message changes, and at the latest every 5 s.

    Ends only when nobody can be told any more, or nothing can be learnt: neither is a reason to end the call.
    """
    try:
        beats, said = 1.0, f"run {run_id}: {await latest()}"
        await report(beats, None, said)
        silent_s = 0.0
        while True:
            await anyio.sleep(LOOK_S)
            silent_s += LOOK_S
            message = f"run {run_id}: {await latest()}"
            if message != said or silent_s >= HEARTBEAT_S:
                beats, said, silent_s = beats + 1, message, 0.0
                await report(beats, None, message)
    except Exception as failure:
        logger(__name__).warning("progress is not reported any more", run_id=run_id, reason=str(failure))
