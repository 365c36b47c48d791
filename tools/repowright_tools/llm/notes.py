"""What one request teaches, on its way into the book."""

from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import TaskGroup

from repowright_tools.llm.book import Book

Lesson = Callable[[Book, float], object]
"""Changes the book, at so many epoch seconds."""


class Notes:
    """Writes lessons down one after the other.

    The first may take its time: an answer that is being paid for is read meanwhile, also where the book is locked.

    Args:
        write: writes one down, and is not cancelled in the middle.
        tasks: where it is done meanwhile; ended after the last lesson.
    """

    settled = False
    """Whether the last lesson is known."""

    def __init__(self, write: Callable[[Lesson], Awaitable[None]], tasks: TaskGroup) -> None:
        self._write = write
        self._tasks = tasks
        self._written = anyio.Event()
        self._written.set()

    def add(self, lesson: Lesson) -> None:
        """Begin to write the first lesson down."""
        self._written = anyio.Event()
        self._tasks.start_soon(self._begin, lesson)

    async def settle(self, lesson: Lesson) -> None:
        """Write the last lesson down, behind the other one."""
        self.settled = True
        with anyio.CancelScope(shield=True):
            await self._written.wait()
            await self._write(lesson)

    async def _begin(self, lesson: Lesson) -> None:
        try:
            await self._write(lesson)
        finally:
            self._written.set()
