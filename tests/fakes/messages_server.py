"""A fake model API as a real HTTP server on loopback: scripted steps, rate limits, a prompt cache and a ledger.

What is the same for every provider is here; how a provider spells it is a `Dialect`.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from fakes import messages_wire as wire
from fakes.messages_buckets import Limits
from fakes.messages_cache import Counted, PromptCache, TooManyBreakpoints
from fakes.messages_dialects import Dialect
from fakes.messages_http import Server
from fakes.messages_ledger import Asked, Usage, figures
from fakes.messages_script import Refuse, Say, Step, said

ORGANIZATION = "org-on-loopback"


class FakeApi(ABC):
    """A server that runs within `with`.

    Attributes:
        answers: steps by the title of the response schema, each taken once.
        reply: answers everything that nothing else answers.
        models: what the list of models shows.
        ledger: every request that had a known path.
        organisations: by key; a key that is not there belongs to `ORGANIZATION`.
        min_cache_tokens: a shorter prefix is not cached.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is what buckets are refilled and cache entries expire by, in seconds."""
        self.answers: defaultdict[str, list[Any]] = defaultdict(list)
        self.reply: Callable[[Asked], Any] | None = None
        self.models = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"]
        self.ledger: list[Asked] = []
        self.organisations: dict[str, str] = {}
        self.min_cache_tokens = 1024
        self.closed = threading.Event()
        self._next: deque[Any] = deque()
        self._limits = Limits(clock)
        self._cache = PromptCache(clock)
        self._arrival = threading.Condition()
        self._server = Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()

    @abstractmethod
    def recognise(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[Dialect, Asked] | None:
        """What a request is; None for a path that nobody serves."""

    @abstractmethod
    def aside(self, asked: Asked) -> Any:
        """The body for a request that is no ask: a list of models, or a count of tokens."""

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def calls(self) -> list[Asked]:
        """The requests that can cost money, in order of arrival."""
        return [entry for entry in self.ledger if entry.kind == "ask"]

    @property
    def billed(self) -> int:
        """How many requests a provider may charge for."""
        return sum(entry.billed for entry in self.ledger)

    @property
    def refused_429(self) -> int:
        """How many requests were refused with status 429, by a limit or by a step."""
        return sum(entry.status == 429 for entry in self.ledger)

    def billed_usd(self, price: Callable[[str, dict[str, int]], float]) -> float:
        """What the ledger comes to, at `price(model, tokens)`; the tokens are the fields of `Usage`, by name."""
        with self._arrival:
            return sum(price(entry.model, figures(entry.charged)) for entry in self.ledger if entry.billed)

    def limit(
        self,
        organisation: str,
        *,
        model: str | None = None,
        requests_per_minute: float | None = None,
        input_tokens_per_minute: float | None = None,
        output_tokens_per_minute: float | None = None,
        burst: Mapping[str, float] | None = None,
    ) -> None:
        """From now on an organisation has buckets, for one model or for each; None is no limit.

        A bucket holds what refills it in a minute, unless `burst` says otherwise for "requests", "input_tokens" or
        "output_tokens".
        """
        per_minute = {
            "requests": requests_per_minute,
            "input_tokens": input_tokens_per_minute,
            "output_tokens": output_tokens_per_minute,
        }
        with self._arrival:
            self._limits.set(organisation, model, per_minute, burst or {})

    def then(self, *steps: Any) -> None:
        """Answer the next requests so, before anything but a limit is looked at."""
        self._next += steps

    def wait_for(self, count: int, timeout_s: float = 10.0) -> Asked:
        """The `count`-th call (from 1), when it has arrived."""
        with self._arrival:
            if not self._arrival.wait_for(lambda: len(self.calls) >= count, timeout_s):
                raise AssertionError(f"{len(self.calls)} of {count} calls arrived within {timeout_s} s")
            return self.calls[count - 1]

    def note(self, asked: Asked) -> None:
        """Write a request into the ledger."""
        with self._arrival:
            self.ledger.append(asked)
            asked.number = len(self.ledger)
            asked.organisation = self.organisations.get(asked.key, ORGANIZATION)

    def decide(self, asked: Asked) -> Step:
        """Note an ask in the ledger, choose what to do with it, and bill its input when an answer begins."""
        with self._arrival:
            self.note(asked)
            asked.outcome = self._admitted(asked)
            self._arrival.notify_all()
            return asked.outcome

    def _admitted(self, asked: Asked) -> Step:
        try:
            counted = self._cache.count(asked, self.min_cache_tokens)
        except TooManyBreakpoints as error:
            return Refuse(400, "invalid_request_error", str(error))
        where = asked.organisation, asked.model
        prompt_tokens = asked.prompt_tokens
        expected = prompt_tokens - counted.read
        refused = self._limits.admit(*where, expected)
        if refused:
            return refused
        step = self._choose(asked)
        if say := said(step):
            asked.usage = _usage(say, prompt_tokens, counted)
            asked.bill_input()
            self._cache.keep(counted)
        # What was expected gives way to what the answer says; an ask that is not billed used nothing.
        self._limits.take(*where, "input_tokens", asked.input_tokens + asked.cache_write_tokens - expected)
        return step

    def sent(self, asked: Asked, output_tokens: int) -> None:
        """So much of the answer is about to be on its way, and is billed."""
        with self._arrival:
            more = max(0, output_tokens - asked.output_tokens)
            asked.output_tokens += more
            self._limits.take(asked.organisation, asked.model, "output_tokens", more)

    def head(self, dialect: Dialect, asked: Asked) -> dict[str, str]:
        """Headers of every response."""
        with self._arrival:
            limits = self._limits.headers(asked.organisation, asked.model) if asked.kind == "ask" else {}
            return dialect.head(asked, limits)

    def _choose(self, asked: Asked) -> Step:
        waiting = self.answers.get(asked.schema or "", [])
        if self._next:
            step = self._next.popleft()
        elif waiting:
            step = waiting.pop(0)
        elif self.reply is not None:
            step = self.reply(asked)
        else:
            step = Refuse(400, "invalid_request_error", f"nothing answers a request for {asked.schema}")
        return step if isinstance(step, Step) else Say(step)


def _usage(say: Say, prompt_tokens: int, counted: Counted) -> Usage:
    output = wire.output_tokens_of(say)
    stated = say.input_tokens, say.cache_read_input_tokens, say.cache_creation_input_tokens
    if stated == (None, None, None):
        return Usage(prompt_tokens - counted.read - counted.written, output, counted.read, counted.written)
    own, read, written = stated
    return Usage(prompt_tokens if own is None else own, output, read or 0, written or 0)
