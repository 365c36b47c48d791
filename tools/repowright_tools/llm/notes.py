"""What one request teaches, on its way into the book."""

from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import TaskGroup

from repowright_tools.llm.book import Book

Lesson = Callable[[Book, float], None]
"""Changes the book, at so many epoch seconds."""
SOON_S = 0.02
"""What headers teach waits so long for the end of the request, which is often there at once: a refusal, above all."""


class Notes:
    """Writes lessons down in their order, beside the request that taught them.

    Neither the reading of an answer that is paid for nor its entry in the journal waits for the book, which another
    process may have locked.

    Args:
        write: writes one down.
        tasks: where it is done; whoever opened the group waits for it there.
    """

    def __init__(self, write: Callable[[Lesson], Awaitable[None]], tasks: TaskGroup) -> None:
        self._write = write
        self._tasks = tasks
        self._lessons: list[Lesson] = []
        self._settled = anyio.Event()
        self._turn = anyio.Lock()

    @property
    def settled(self) -> bool:
        """Whether the last lesson is known."""
        return self._settled.is_set()

    def add(self, lesson: Lesson) -> None:
        """Write the lesson down soon."""
        self._lessons.append(lesson)
        self._tasks.start_soon(self._write_all)

    def settle(self, lesson: Lesson) -> None:
        """Write the last lesson down; also when the request is cancelled."""
        self._settled.set()
        self.add(lesson)

    async def _write_all(self) -> None:
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(SOON_S):
                await self._settled.wait()
            async with self._turn:
                lessons, self._lessons = self._lessons, []
                if lessons:
                    await self._write(lambda book, now: _teach(lessons, book, now))


def _teach(lessons: list[Lesson], book: Book, now: float) -> None:
    for lesson in lessons:
        lesson(book, now)
