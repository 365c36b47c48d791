"""Blocking libraries go to a thread with a deadline."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

from repowright_tools.errors import RepowrightError

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a short blocking call in a worker thread; abandoned, not awaited, when the caller is cancelled."""
    return await anyio.to_thread.run_sync(partial(call, *args, **kwargs), abandon_on_cancel=True)


async def within(
    deadline_s: float, late: RepowrightError, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Like `in_thread`, but raise `late` after `deadline_s` seconds. The thread is left to end by itself."""
    try:
        with anyio.fail_after(deadline_s):
            return await in_thread(call, *args, **kwargs)
    except TimeoutError as error:
        raise late from error
