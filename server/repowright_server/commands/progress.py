"""Progress of a stage on a terminal's stderr; silent where stderr is no terminal."""

import sys
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from repowright_server.runs.dispatch import Dispatcher
    from repowright_server.runs.run import Attempt

_WIDTH = 100
_LOOK_S = 0.2


async def follow(dispatcher: "Dispatcher", attempt: "Attempt") -> None:
    """Show the latest message in one line that is overwritten, until cancelled."""
    if not sys.stderr.isatty():
        return
    try:
        while True:
            message = await dispatcher.latest_message(attempt)
            sys.stderr.write(f"\r\x1b[2K{message[:_WIDTH]}")
            sys.stderr.flush()
            await anyio.sleep(_LOOK_S)
    finally:
        sys.stderr.write("\r\x1b[2K")
        sys.stderr.flush()
