"""Waiting for capacity: with a clock driven by hand, and with parallel tasks."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TypeVar

import anyio
import anyio.lowlevel
import pytest

from repowright_tools.errors import KeyRejected, ModelOverloaded, RateLimited, StateUnavailable
from repowright_tools.llm.book import Book
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.limits import Limits, MemoryState, Slot, Wanted
from repowright_tools.llm.provider import Usage
from repowright_tools.threads import beside

T = TypeVar("T")
pytestmark = pytest.mark.anyio


class Clock:
    """Time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.slept: list[float] = []
        self.during: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await self.during()
        self.slept.append(seconds)
        self.now += seconds


class _Threaded(MemoryState):
    """As slow to answer as a database, and as sensitive to cancellation."""

    async def change(self, work: Callable[[Book], T]) -> T:
        await anyio.lowlevel.checkpoint()
        result = await super().change(work)
        await anyio.lowlevel.checkpoint()
        return result


class Office:
    """Limits over a book in memory, and what people were told."""

    def __init__(self, longest_wait_s: float = 60.0, state: MemoryState | None = None) -> None:
        self.clock = Clock()
        self.state = state or _Threaded()
        self.told: list[tuple[float, str]] = []
        self.limits = Limits(
            self.state,
            initial_wait_s=1.0,
            longest_wait_s=longest_wait_s,
            calls=None,
            period_s=60.0,
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def capacity(
        self, *keys: str, deadline: float | None = None, run: str = "run"
    ) -> AbstractAsyncContextManager[Slot]:
        wanted = Wanted("anthropic", "m", keys or ("k1",), 10, 10, run)
        return self.limits.capacity(wanted, deadline=deadline, waiting=self.tell)

    def tell(self, seconds: float, why: str) -> None:
        self.told.append((round(seconds, 6), why))

    async def learn(self, remaining: int, key: str = "k1", organisation: str = "org-a") -> None:
        async with self.capacity(key) as slot:
            await slot.opened(headers(remaining, organisation))
            slot.used(Usage(10, 10))

    def parked_s(self, book: Book) -> dict[str, float]:
        return {name: lane.parked.left_s(self.clock.now) for name, lane in book.lanes.items()}

    async def level(self) -> float:
        def read(book: Book) -> float:
            (lane,) = book.lanes.values()
            return lane.buckets["requests"].level

        return await self.state.change(read)


class _Stuck(_Threaded):
    """Counts changes; a stuck one waits until it is freed, and later ones could overtake it."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0
        self.stuck: anyio.Event | None = None
        self.reached = anyio.Event()

    async def change(self, work: Callable[[Book], T]) -> T:
        self.changes += 1
        stuck, self.stuck = self.stuck, None
        if stuck is not None:
            self.reached.set()
            await stuck.wait()
        return await super().change(work)


def headers(remaining: int, organisation: str = "org-a") -> dict[str, str]:
    return {
        "anthropic-organization-id": organisation,
        "anthropic-ratelimit-requests-limit": "60",
        "anthropic-ratelimit-requests-remaining": str(remaining),
    }


async def test_a_request_waits_until_there_is_capacity_and_says_so() -> None:
    office = Office()
    await office.learn(0)
    began = office.clock.now
    async with office.capacity() as slot:
        assert slot.key == "k1"

    assert office.clock.now - began == pytest.approx(1)
    assert office.told == [(1, "the rate limit of m is reached")]


async def test_a_wait_beyond_the_longest_is_not_begun() -> None:
    office = Office(longest_wait_s=0.5)
    await office.learn(0)
    with pytest.raises(RateLimited) as caught:
        async with office.capacity():
            raise AssertionError

    assert caught.value.retry_at == datetime.fromtimestamp(office.clock.now + 1, UTC)
    assert office.clock.slept == []
    assert office.told == []


async def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    office = Office()
    await office.learn(0)
    with pytest.raises(RateLimited):
        async with office.capacity(deadline=office.clock.now + 0.9):
            raise AssertionError

    assert office.clock.slept == []
    async with office.capacity(deadline=office.clock.now + 1.1):
        pass


async def test_a_retry_after_of_centuries_still_is_a_date() -> None:
    office = Office()
    with pytest.raises(CallFailed):
        async with office.capacity():
            raise CallFailed(
                RateLimited("scripted"), blame="organisation", may_pass=True, wait_s=1e300, billed=Usage(), status=429
            )
    with pytest.raises(RateLimited) as caught:
        async with office.capacity():
            raise AssertionError

    assert caught.value.retry_at is not None


async def test_what_was_not_sent_takes_nothing() -> None:
    office = Office()
    await office.learn(10)
    async with office.capacity():
        pass
    with pytest.raises(ZeroDivisionError):
        async with office.capacity():
            raise ZeroDivisionError

    assert await office.level() == 10


async def test_a_request_that_is_cancelled_before_its_headers_takes_nothing_and_one_after_them_does() -> None:
    office = Office()
    await office.learn(10)
    for opened in (False, True):
        with anyio.CancelScope() as scope:
            async with office.capacity() as slot:
                if opened:
                    await slot.opened(headers(8))
                scope.cancel()
                await anyio.lowlevel.checkpoint()
        assert await office.level() == (8 if opened else 10)


async def test_whoever_is_cancelled_while_waiting_leaves_the_queue() -> None:
    office = Office()
    await office.learn(0)
    with anyio.CancelScope() as scope:

        async def cancel() -> None:
            scope.cancel()
            await anyio.lowlevel.checkpoint()

        office.clock.during = cancel
        async with office.capacity():
            raise AssertionError

    assert await office.level() == 0


@pytest.mark.parametrize("jump_s", [-86_400.0, -1.0], ids=["set back", "standing still"])
async def test_a_clock_that_is_wrong_prolongs_no_wait_beyond_the_bound(jump_s: float) -> None:
    office = Office(longest_wait_s=5)
    await office.learn(0)

    async def jump() -> None:
        assert len(office.clock.slept) < 10
        office.clock.now += jump_s

    office.clock.during = jump
    with pytest.raises(RateLimited):
        async with office.capacity():
            raise AssertionError

    assert sum(office.clock.slept) <= 5


async def test_five_failures_of_the_service_stop_everybody_with_a_time_to_come_back() -> None:
    office = Office(longest_wait_s=1)
    for _ in range(5):
        with pytest.raises(CallFailed):
            async with office.capacity():
                raise CallFailed(ModelOverloaded("scripted"), blame="service", may_pass=True, status=529)
    with pytest.raises(ModelOverloaded) as caught:
        async with office.capacity():
            raise AssertionError

    assert caught.value.retry_at == datetime.fromtimestamp(office.clock.now + 5, UTC)


async def test_keys_that_are_all_refused_are_an_error_and_no_wait() -> None:
    office = Office()
    for _ in range(2):
        with pytest.raises(CallFailed):
            async with office.capacity("k1", "k2"):
                raise CallFailed(KeyRejected("scripted"), blame="key", may_pass=True, billed=Usage(), status=401)
    with pytest.raises(KeyRejected):
        async with office.capacity("k1", "k2"):
            raise AssertionError

    assert office.clock.slept == []


def unheard(_seconds: float, _why: str) -> None:
    """Nobody listens."""


class _Broken(MemoryState):
    """A state that is gone once the request has been sent."""

    gone = False

    async def change(self, work: Callable[[Book], T]) -> T:
        if self.gone:
            raise StateUnavailable("scripted")
        return await super().change(work)


async def test_a_state_that_is_gone_costs_no_answer_that_was_paid() -> None:
    state = _Broken()
    limits = Limits(state, initial_wait_s=1.0, longest_wait_s=1.0, calls=None, period_s=60.0)
    wanted = Wanted("anthropic", "m", ("k1",), 10, 10, "run")
    async with limits.capacity(wanted, deadline=None, waiting=unheard) as slot:
        state.gone = True
        await slot.opened(headers(8))
        slot.used(Usage(10, 10))
    with pytest.raises(StateUnavailable):
        async with limits.capacity(wanted, deadline=None, waiting=unheard):
            raise AssertionError


async def test_parallel_requests_before_anything_is_known_let_one_go_first() -> None:
    """With real tasks: the others go when its headers are here, while it is still being answered."""
    office = Office()
    sent: list[Slot] = []
    known, done = anyio.Event(), anyio.Event()

    async def ask(number: int) -> None:
        async with office.capacity(run=f"run {number}") as slot:
            sent.append(slot)
            if len(sent) == 1:
                await known.wait()
                await slot.opened(headers(59))
                await done.wait()
            slot.used(Usage(10, 10))
            if len(sent) == 20:
                done.set()

    async def let_time_pass() -> None:
        """Some looks, and then the headers."""
        await anyio.lowlevel.checkpoint()
        if len(office.clock.slept) == 20:
            assert len(sent) == 1
            known.set()

    office.clock.during = let_time_pass
    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(ask, number)

    assert len({id(slot) for slot in sent}) == 20


def test_what_is_wanted_shows_no_key() -> None:
    wanted = Wanted("anthropic", "m", ("sk-ant-very-secret",), 10, 10, "run")

    assert "secret" not in repr(wanted)
    assert "secret" not in str(wanted.named.keys())


async def test_an_answer_is_read_while_what_its_headers_teach_waits_for_the_book() -> None:
    state = _Stuck()
    office = Office(state=state)
    async with office.capacity() as slot:
        state.stuck = stuck = anyio.Event()
        with anyio.fail_after(5):
            await slot.opened(headers(30))
            await state.reached.wait()
        stuck.set()
        slot.used(Usage(10, 10))
    assert await office.level() == 30


async def test_a_request_that_is_refused_at_once_teaches_everything_in_one_change() -> None:
    state = _Stuck()
    office = Office(state=state)
    with pytest.raises(CallFailed):
        await _refused(office)
    assert state.changes == 2  # the first gave it leave
    assert await state.change(office.parked_s) == {"anthropic @org-a m": 30}


async def test_a_first_refusal_parks_the_organisation_that_its_headers_prove() -> None:
    state = _Stuck()
    office = Office(state=state)
    with pytest.raises(CallFailed):
        await _refused_while_stuck(office, state)
    assert await state.change(office.parked_s) == {"anthropic @org-a m": 30}


async def _refused(office: Office) -> None:
    async with office.capacity() as slot:
        await slot.opened(headers(0))
        raise _refusal()


async def _refused_while_stuck(office: Office, state: _Stuck) -> None:
    """A 429, known while what its headers teach is still being written down."""
    async with beside() as tasks, office.capacity() as slot:
        state.stuck = stuck = anyio.Event()
        await slot.opened(headers(0))
        await state.reached.wait()
        tasks.start_soon(_free_later, stuck)
        raise _refusal()


def _refusal() -> CallFailed:
    return CallFailed(RateLimited("later"), blame="organisation", may_pass=True, billed=Usage(), wait_s=30)


async def _free_later(stuck: anyio.Event) -> None:
    await anyio.wait_all_tasks_blocked()
    stuck.set()
