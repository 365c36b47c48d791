"""Work of git under a size cap: a folder that grows too large ends it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import anyio

from repowright_tools.errors import WorkspaceTooLarge
from repowright_tools.git.clone import folder_bytes
from repowright_tools.threads import in_thread

T = TypeVar("T")
_POLL_S = 0.5


async def bounded(folder: Path, max_bytes: int, work: Callable[[], Awaitable[T]]) -> T:
    """Do `work`, which fills `folder`, and end it when that takes more than `max_bytes` on disk.

    Raises:
        WorkspaceTooLarge: it did, whether `work` was quicker or not.
    """
    done = anyio.Event()
    results: list[T] = []
    failures: list[Exception] = []

    async def run() -> None:
        try:
            results.append(await work())
        except Exception as error:
            failures.append(error)
        done.set()

    too_large = False
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        while not too_large and not done.is_set():
            with anyio.move_on_after(_POLL_S):
                await done.wait()
            too_large = await in_thread(folder_bytes, folder) > max_bytes
        if too_large:
            tasks.cancel_scope.cancel()
    if too_large:
        raise WorkspaceTooLarge(f"the repository is larger than {max_bytes} bytes")
    if failures:
        raise failures[0]
    return results[0]
