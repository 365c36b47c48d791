"""A key pool whose clock is driven by hand: every step of a request is one call."""

from collections.abc import Mapping
from itertools import count

from repowright_tools.errors import KeyRejected, ModelOverloaded, ModelUnreachable, PaymentRequired, RateLimited
from repowright_tools.llm import lessons
from repowright_tools.llm.book import Book, key_name
from repowright_tools.llm.failure import Blame, CallFailed
from repowright_tools.llm.pool import Go, Never, Rules, Ticket, Wait, Wanted, look
from repowright_tools.llm.provider import Usage

RULES = Rules(initial_wait_s=1.0, longest_wait_s=60.0, calls=None, period_s=60.0)
ERRORS = {"key": KeyRejected, "organisation": RateLimited, "service": ModelOverloaded, "request": ModelUnreachable}


class Desk:
    """A book, a clock, and requests that stand before them."""

    def __init__(self, *keys: str, rules: Rules = RULES) -> None:
        self.keys = keys
        self.rules = rules
        self.now = 1_800_000_000.0
        self._text: str | None = None
        self._numbers = count()

    @property
    def book(self) -> Book:
        return Book.load(self._text)

    def ticket(self, run: str | None = None, tokens: int = 0, model: str = "m", output: int = 0) -> Ticket:
        number = next(self._numbers)
        return Ticket(f"t{number}", Wanted("anthropic", model, self.keys, tokens, output, run or f"run {number}"))

    def look(self, ticket: Ticket, patience_s: float = 60.0) -> Go | Wait | Never:
        book = self.book
        answer = look(book, self.now, ticket, self.rules, patience_s)
        self._text = book.dump()
        return answer

    def key(self, ticket: Ticket) -> str:
        """The key it is sent with, now."""
        answer = self.look(ticket)
        assert isinstance(answer, Go), answer
        return {key_name("anthropic", key): key for key in self.keys}[answer.name]

    def wait(self, ticket: Ticket, patience_s: float = 60.0) -> float:
        answer = self.look(ticket, patience_s)
        assert isinstance(answer, Wait), answer
        return round(answer.seconds, 6)

    def opened(self, ticket: Ticket, organisation: str | None = None, **limits: tuple[int, int]) -> None:
        book = self.book
        lessons.opened(book, ticket, headers(organisation, **limits), self.now)
        self._text = book.dump()

    def used(self, ticket: Ticket, usage: Usage | None = None) -> None:
        book = self.book
        lessons.used(book, ticket, usage or Usage(), self.now)
        self._text = book.dump()

    def failed(
        self,
        ticket: Ticket,
        blame: Blame,
        status: int | None = None,
        wait_s: float | None = None,
        failure: type[PaymentRequired] | None = None,
    ) -> None:
        error = (failure or ERRORS[blame])("scripted")
        may_pass = failure is None
        failed = CallFailed(error, blame=blame, may_pass=may_pass, wait_s=wait_s, billed=Usage(), status=status)
        book = self.book
        lessons.failed(book, ticket, failed, self.rules, self.now)
        self._text = book.dump()

    def left(self, ticket: Ticket) -> None:
        book = self.book
        lessons.left(book, ticket, self.now)
        self._text = book.dump()

    def learn(self, key: str, organisation: str | None = None, model: str = "m", **limits: tuple[int, int]) -> None:
        """Have one request sent with this key, which shows its organisation and limits."""
        keys, self.keys = self.keys, (key,)
        ticket = self.ticket(model=model)
        assert self.key(ticket) == key
        self.opened(ticket, organisation, **limits)
        self.used(ticket)
        self.keys = keys


def headers(organisation: str | None = None, **limits: tuple[int, int]) -> Mapping[str, str]:
    """`requests=(limit, remaining)`, and so on."""
    found = {} if organisation is None else {"anthropic-organization-id": organisation}
    for kind, (limit, remaining) in limits.items():
        name = f"anthropic-ratelimit-{kind.replace('_', '-')}"
        found |= {f"{name}-limit": str(limit), f"{name}-remaining": str(remaining)}
    return found
