"""The pool against real token buckets in simulated time: full use, few refusals, whatever the order of events."""

import heapq
import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import count
from typing import Any

import pytest

from fakes.messages_buckets import Limits as RealBuckets
from repowright_tools.errors import RateLimited
from repowright_tools.llm import lessons
from repowright_tools.llm.book import Book
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.pool import Go, Never, Rules, Ticket, Wanted, look
from repowright_tools.llm.provider import Usage

RULES = Rules(initial_wait_s=1.0, longest_wait_s=600.0, calls=None, period_s=60.0)
SECONDS = 60.0


class World:
    """Workers that always want something, and an API that answers them late and in any order."""

    def __init__(self, seed: int, organisations: int, **per_minute: float) -> None:
        self.random = random.Random(seed)
        self.start = self.now = 1_800_000_000.0
        self.book = Book()
        self.keys = ("k1", "k2", "k3")
        self.names = Wanted("anthropic", "m", self.keys, 0, 0, "").named
        self.organisation = {key: f"org-{index % organisations}" for index, key in enumerate(self.keys)}
        self.buckets = RealBuckets(lambda: self.now)
        for name in set(self.organisation.values()):
            self.buckets.set(name, "m", per_minute, {})
        self.answered = self.refused = 0
        self.used = dict.fromkeys(per_minute, 0.0)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def run(self, workers: int) -> None:
        for _ in range(workers):
            self.later(0.0, self.begin)
        while self._events:
            at, _, event = heapq.heappop(self._events)
            if at - self.start > SECONDS:
                return
            self.now = at
            event()

    def later(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), event))

    def begin(self) -> None:
        number = next(self._numbers)
        tokens = (self.random.randint(200, 4000), self.random.randint(50, 1000))
        wanted = Wanted("anthropic", "m", self.keys, tokens[0], 1000, f"run {number}")
        self.wait(Ticket(f"t{number}", wanted), tokens)

    def wait(self, ticket: Ticket, tokens: tuple[int, int]) -> None:
        answer = look(self.book, self.now, ticket, RULES, 600.0)
        assert not isinstance(answer, Never)
        if isinstance(answer, Go):
            organisation = self.organisation[self.names[answer.name]]
            self.later(self.random.uniform(0.001, 0.05), lambda: self.arrive(ticket, tokens, organisation))
        else:
            assert answer.seconds > 0
            self.later(min(answer.seconds, 0.1 if answer.early else 1.0), lambda: self.wait(ticket, tokens))

    def arrive(self, ticket: Ticket, tokens: tuple[int, int], organisation: str) -> None:
        refusal = self.buckets.admit(organisation, "m", tokens[0])
        headers = self.buckets.headers(organisation, "m") | {
            "anthropic-organization-id": organisation,
            "date": format_datetime(datetime.now(UTC), usegmt=True),
        }
        self.later(self.random.uniform(0.005, 0.5), lambda: self.opened(ticket, tokens, headers, organisation, refusal))

    def opened(
        self, ticket: Ticket, tokens: tuple[int, int], headers: dict[str, str], organisation: str, refusal: Any
    ) -> None:
        lessons.opened(self.book, ticket, headers, self.now)
        if refusal is None:
            self.later(self.random.uniform(0.1, 3.0), lambda: self.end(ticket, tokens, organisation))
            return
        self.refused += 1
        wait_s = float(refusal.headers["retry-after"])
        failed = CallFailed(
            RateLimited("refused"), blame="organisation", may_pass=True, wait_s=wait_s, billed=Usage(), status=429
        )
        lessons.failed(self.book, ticket, failed, RULES, self.now)
        self.later(0.0, self.begin)

    def end(self, ticket: Ticket, tokens: tuple[int, int], organisation: str) -> None:
        self.buckets.take(organisation, "m", "output_tokens", tokens[1])
        lessons.used(self.book, ticket, Usage(*tokens), self.now)
        self.answered += 1
        for kind, amount in zip(("requests", "input_tokens", "output_tokens"), (1, *tokens), strict=True):
            if kind in self.used:
                self.used[kind] += amount
        self.later(0.0, self.begin)


@pytest.mark.parametrize("organisations", [1, 3])
@pytest.mark.parametrize(
    "limits",
    [{"requests": 120.0}, {"requests": 600.0, "input_tokens": 200_000.0}, {"output_tokens": 30_000.0}],
    ids=["requests", "input", "output"],
)
def test_limits_are_used_in_full_and_hardly_ever_met(organisations: int, limits: dict[str, float]) -> None:
    world = World(7, organisations, **limits)
    world.run(workers=30)

    held = {kind: organisations * rate * (1 + SECONDS / 60) for kind, rate in limits.items()}
    assert max(world.used[kind] / held[kind] for kind in limits) >= 0.9
    assert world.refused <= 0.02 * (world.answered + world.refused)
