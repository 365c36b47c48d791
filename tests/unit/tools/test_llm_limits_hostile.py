"""Responses that make no sense, and clocks that jump: the pool never breaks, and never waits without end."""

import math
import random

import pytest

from repowright_tools.errors import PaymentRequired, RateLimited
from repowright_tools.llm import lessons
from repowright_tools.llm.book import Book
from repowright_tools.llm.failure import Blame, CallFailed
from repowright_tools.llm.pool import Go, Never, Rules, Ticket, Wanted, look
from repowright_tools.llm.provider import Usage

RULES = Rules(initial_wait_s=1.0, longest_wait_s=60.0, calls=5, period_s=10.0)
NONSENSE = (
    "", "0", "-1", "1", "60", "1e9", "1e400", "-1e400", "nan", "inf", "NaN", "\x00", "9" * 400, "²", "60, 60", "1_0",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "2027-01-15T08:00:30Z", "2027-13-45",
    "Fri, 15 Jan 2027 08:00:00 GMT", "Fri, 15 Jan 9999 08:00:00 +2359", "org-a", "org-b", "a b", "o" * 500, "\u202eorg",
)  # fmt: skip
NAMES = [
    "date",
    "anthropic-organization-id",
    *(
        f"anthropic-ratelimit-{kind}-{what}"
        for kind in ("requests", "tokens", "input-tokens", "output-tokens")
        for what in ("limit", "remaining", "reset")
    ),
]
BLAMES: tuple[Blame, ...] = ("request", "key", "organisation", "service")


def failure(chance: random.Random) -> CallFailed:
    wait_s = chance.choice([None, 0.0, 3.0, 1e300, math.inf, -math.inf, -5.0, math.nan])
    billed = chance.choice([None, Usage(), Usage(10, 10), Usage(-5, -5, 100)])
    return CallFailed(
        chance.choice([PaymentRequired, RateLimited])("scripted"),
        blame=chance.choice(BLAMES),
        may_pass=True,
        wait_s=wait_s,
        billed=billed,
        status=chance.choice([None, 200, 401, 403, 429, 529]),
    )


@pytest.mark.parametrize("seed", range(100))
def test_no_response_and_no_clock_breaks_the_pool(seed: int) -> None:
    chance = random.Random(seed)
    text: str | None = None
    now = 1_800_000_000.0
    tickets: list[Ticket] = []
    for step in range(60):
        book = Book.load(text)
        assert text is None or book.tick > 0, "it was kept in a form that cannot be read"
        if not tickets or chance.random() < 0.3:
            tokens = chance.choice([0, 10, 10**12])
            tickets.append(Ticket(f"t{step}", Wanted("p", "m", ("k1", "k2"), tokens, tokens, "run")))
        ticket = chance.choice(tickets)
        match chance.randrange(5):
            case 0:
                headers = {name: chance.choice(NONSENSE) for name in chance.sample(NAMES, 8)}
                lessons.opened(book, ticket, headers, now)
            case 1:
                lessons.used(book, ticket, chance.choice([Usage(), Usage(10**15, 10**15), Usage(-1, -1)]), now)
            case 2:
                lessons.failed(book, ticket, failure(chance), RULES, now)
            case 3:
                lessons.left(book, ticket, now)
            case _:
                pass
        answer = look(book, now, ticket, RULES, 60.0)
        if not isinstance(answer, Go | Never):
            assert 0 < answer.seconds < math.inf
        now += chance.choice([0.0, 0.1, 5.0, 60.0, 3600.0, -0.1, -3600.0, 1e8, -1e8])
        text = book.dump()
