"""Blocking libraries go to a thread with a deadline."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import ParamSpec, TypeVar, cast

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from repowright_tools.errors import RepowrightError

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")


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


@asynccontextmanager
async def beside() -> AsyncGenerator[TaskGroup]:
    """Tasks beside what is done inside, waited for at its end. An error inside cancels them and is raised as it is."""
    errors: list[Exception] = []
    async with anyio.create_task_group() as tasks:
        try:
            yield tasks
        except Exception as error:  # raised below, out of the group, which would wrap it
            errors.append(error)
            tasks.cancel_scope.cancel()
    if errors:
        raise errors[0]


async def both(first: Awaitable[T], second: Awaitable[U]) -> tuple[T, U]:
    """Wait for two things at once. When one fails, its error is raised as it is and the other one is cancelled."""
    ones: list[T] = []
    others: list[U] = []
    errors: list[Exception] = []

    async def wait(thing: Awaitable[T | U], results: list[T] | list[U]) -> None:
        try:
            cast("list[T | U]", results).append(await thing)
        except Exception as error:  # raised below, out of the group, which would wrap it
            errors.append(error)
            group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        group.start_soon(wait, first, ones)
        group.start_soon(wait, second, others)
    if errors:
        raise errors[0]
    return ones[0], others[0]
