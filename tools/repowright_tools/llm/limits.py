"""Capacity of a provider: requests, of several processes, take turns so that none is refused and no key lies idle."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol, TypeVar
from uuid import uuid4

import anyio

from repowright_tools.errors import ModelError, StateTooNew, StateUnavailable
from repowright_tools.llm import lessons
from repowright_tools.llm.book import Book
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.notes import Lesson, Notes
from repowright_tools.llm.pool import Go, Never, Rules, Ticket, Wait, Wanted, look
from repowright_tools.llm.provider import Usage
from repowright_tools.llm.spans import LONGEST_S
from repowright_tools.threads import beside

__all__ = ["Limits", "MemoryState", "SharedState", "Slot", "Wanted"]

T = TypeVar("T")
_LOOK_S = 1.0
"""Whoever waits looks this often whether it may go sooner: levels rise when answers are shorter than was feared."""
_FIRST_LOOK_S, _LAST_LOOK_S = 0.02, 0.5
"""The same, where one waits for what another request learns; doubles from the first to the last."""


class SharedState(Protocol):
    """Where the book is kept."""

    async def change(self, work: Callable[[Book], T]) -> T:
        """Run `work`, which is pure, quick and may run in a thread, on the book and keep what it changed.

        One atomic step over all processes: when `work` raises, nothing is kept.

        Raises:
            StateUnavailable: the book cannot be reached.
        """
        ...


class MemoryState:
    """A book of this process alone."""

    def __init__(self) -> None:
        self._text: str | None = None

    async def change(self, work: Callable[[Book], T]) -> T:
        book = Book.load(self._text)
        result = work(book)
        self._text = book.dump()
        return result


class Slot:
    """Leave to send one request, now.

    Attributes:
        key: to send it with.
    """

    def __init__(self, ticket: Ticket, key: str, notes: Notes) -> None:
        self.key = key
        self._ticket = ticket
        self._notes = notes

    async def opened(self, headers: Mapping[str, str]) -> None:
        """Learn from the headers of the response, by lower-case name. The answer is read meanwhile."""
        self._notes.add(lambda book, now: lessons.opened(book, self._ticket, headers, now))

    def used(self, usage: Usage) -> None:
        """The request was answered: settle the estimates against what it really took."""
        self._notes.settle(lambda book, now: lessons.used(book, self._ticket, usage, now))


class Limits:
    """Gives out capacity over shared state.

    Args:
        initial_wait_s: how long a group is parked after a first 429 that does not say how long; doubles from there.
        longest_wait_s: the longest wait for capacity.
        calls: most requests in `period_s` seconds with one key where responses tell no limits; None means no limit.
            A bucket: after a pause, that many may go at once.
        clock: epoch seconds, the same for all processes.
        sleep: waits for so many seconds.
    """

    def __init__(
        self,
        state: SharedState,
        *,
        initial_wait_s: float,
        longest_wait_s: float,
        calls: int | None,
        period_s: float,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._state = state
        self._rules = Rules(initial_wait_s, longest_wait_s, calls, period_s)
        self._clock = clock
        self._sleep = sleep

    def capacity(
        self, wanted: Wanted, *, deadline: float | None, waiting: Callable[[float, str], None]
    ) -> AbstractAsyncContextManager[Slot]:
        """Wait until the request may be sent.

        Leaving without `Slot.used` means that it was not sent, and gives everything back. A CallFailed that passes
        through is learned from. Cancellation gives back what was not opened.

        Args:
            wanted: what it will take.
            deadline: epoch seconds; a wait beyond it is not begun.
            waiting: told before every wait: its expected seconds, and why.

        Raises:
            RateLimited, ModelOverloaded: the wait would be too long; at once, with `retry_at`.
            KeyRejected, KeyForbidden: every key is refused, the last one just now.
            StateUnavailable: the book cannot be reached.
        """
        return self._capacity(Ticket(uuid4().hex[:16], wanted), deadline, waiting)

    @asynccontextmanager
    async def _capacity(
        self, ticket: Ticket, deadline: float | None, waiting: Callable[[float, str], None]
    ) -> AsyncGenerator[Slot]:
        async with beside() as tasks:
            notes = Notes(self._note, tasks)
            try:
                go = await self._turn(ticket, deadline, waiting)
                yield Slot(ticket, ticket.wanted.named[go.name], notes)
            except CallFailed as failure:
                failed = failure
                notes.settle(lambda book, now: lessons.failed(book, ticket, failed, self._rules, now))
                raise
            finally:
                if not notes.settled:
                    notes.settle(lambda book, now: lessons.left(book, ticket, now))

    async def _note(self, lesson: Lesson) -> None:
        """Write down what was learned; a book that cannot be reached must not cost a paid answer."""
        with suppress(StateUnavailable, StateTooNew):
            await self._change(lesson)

    async def _change(self, work: Callable[[Book, float], T]) -> T:
        """Not to be cancelled: what a thread writes down must be known here."""
        results: list[T] = []
        with anyio.CancelScope(shield=True):
            results.append(await self._state.change(lambda book: work(book, self._clock())))
        return results[0]

    async def _turn(self, ticket: Ticket, deadline: float | None, waiting: Callable[[float, str], None]) -> Go:
        """Sleep until it is this request's turn. Time slept is counted, so that a clock set anew prolongs nothing."""
        slept_s, pause_s, told = 0.0, _FIRST_LOOK_S, ""
        while True:
            patience_s = self._rules.longest_wait_s - slept_s
            if deadline is not None:
                patience_s = min(patience_s, deadline - self._clock())
            answer = await self._change(partial(look, ticket=ticket, rules=self._rules, patience_s=patience_s))
            if isinstance(answer, Go):
                return answer
            if isinstance(answer, Never):
                raise answer.failure(answer.why)
            if answer.beyond(patience_s):
                raise self._too_long(answer)
            if answer.why != told:
                told = answer.why
                waiting(answer.seconds, answer.why)
            step_s = min(answer.seconds, pause_s if answer.early else _LOOK_S)
            pause_s = min(2 * pause_s, _LAST_LOOK_S)
            await self._sleep(step_s)
            slept_s += step_s

    def _too_long(self, wait: Wait) -> ModelError:
        at = datetime.fromtimestamp(self._clock(), UTC) + timedelta(seconds=min(wait.seconds, LONGEST_S))
        return wait.failure(f"{wait.why}, and capacity is {wait.seconds:.0f} s away", retry_at=at)
