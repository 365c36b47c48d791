"""The attempts of one request to one model: each waits for capacity, holds what it may cost, and is one request."""

import math
import time
from contextlib import suppress
from dataclasses import asdict

import anyio

from repowright_tools.errors import BudgetExceeded, PricesInvalid
from repowright_tools.events import EventSink, ModelCallEvent, ModelWaitEvent, Outcome
from repowright_tools.llm.book import key_id
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.limits import Slot, Wanted
from repowright_tools.llm.measure import Measured, count
from repowright_tools.llm.provider import ModelReply, Usage
from repowright_tools.llm.retry import retrying
from repowright_tools.llm.rounds import Record, Round, charged, cost_of, record_of
from repowright_tools.llm.shared import Route, Shared
from repowright_tools.stage import Charge, Cost, Journal, Json

USUAL_ANSWER_TOKENS = 4_000
"""Output tokens that pacing expects of an answer. The cap, which the budget holds, would leave most of a rate limit
unused: plans and edits mostly have 1,000 to 8,000 tokens, and providers count what is really written."""


class Call:
    """One request, ready to be sent. `run` is whose money it is."""

    def __init__(
        self,
        shared: Shared,
        route: Route,
        asked: Round,
        measured: Measured,
        journal: Journal,
        events: EventSink,
        run: str,
    ) -> None:
        self._shared = shared
        self._route = route
        self._asked = asked
        self._request = measured.request
        self._counted = measured.tokens
        self._most = measured.most
        self._journal = journal
        self._events = events
        self._run = run

    async def answer(self) -> Record:
        """The answer of the first attempt that gets one, journalled.

        Raises:
            ModelError: no attempt got one, or none could be made.
        """
        keys = len(self._route.provider.keys)
        return await retrying(self._shared.policy, self._attempt, keys=keys, waiting=self._waiting)

    async def _attempt(self) -> Record:
        provider, policy = self._route.provider, self._shared.policy
        output = min(policy.max_tokens, USUAL_ANSWER_TOKENS)
        model = self._route.model
        estimate = math.ceil(self._counted * self._shared.tokens.factor(model))
        wanted = Wanted(provider.name, model, provider.keys, estimate, output, self._run)
        left_s = anyio.current_effective_deadline() - anyio.current_time()
        async with self._shared.limits.capacity(wanted, deadline=time.time() + left_s, waiting=self._waiting) as slot:
            if self._most is None:
                return await self._paid(slot, estimate)
            try:
                return await self._paid(slot, self._most)
            except BudgetExceeded:
                # The bound is far above any real count: before the budget is called too small, the provider counts.
                counted = await count(self._route, self._request)
                if counted is None:
                    raise
                return await self._paid(slot, counted)

    async def _paid(self, slot: Slot, input_tokens: int) -> Record:
        """One journalled request, which holds the price of so much input and the longest answer until it is over."""
        worst = Usage(input_tokens, self._shared.policy.max_tokens)
        held = self._cost(worst, self._shared.prices.worst(self._route.provider.price_list, self._route.model, worst))
        started = time.monotonic()

        async def effect() -> Json:
            return await self._send(slot, started)

        def failed(error: Exception) -> tuple[Cost, Json]:
            return self._failed(error, slot, held, time.monotonic() - started)

        record: Record = await self._journal.step(
            self._asked.step,
            self._asked.inputs,
            effect,
            charge=Charge(held, cost_of, failed, self._shared.policy.max_run_cost_usd),
        )
        return record

    async def _send(self, slot: Slot, started: float) -> Record:
        provider = self._route.provider
        try:
            reply = await provider.send(self._request, self._route.model, slot.key, slot.opened)
        except BaseException as error:
            ended: Outcome = "CANCELLED" if isinstance(error, anyio.get_cancelled_exc_class()) else "FAILED"
            billed = error.billed if isinstance(error, CallFailed) else None
            self._report(ended, billed or Usage(), None if billed is None else self._billed_usd(billed), started)
            raise
        slot.used(reply.usage)
        self._shared.tokens.learn(self._route.model, counted=self._counted, actual=reply.usage.input_tokens)
        usd = self._billed_usd(reply.usage)
        self._report("COMPLETE", reply.usage, usd, started)
        return self._record(reply, usd, slot, time.monotonic() - started)

    def _record(self, reply: ModelReply, usd: float | None, slot: Slot, seconds: float) -> Record:
        return record_of(self._route.provider.name, reply, usd, seconds, key=key_id(slot.key))

    def _failed(self, error: Exception, slot: Slot, held: Cost, seconds: float) -> tuple[Cost, Json]:
        """What a failed request cost: what was billed where that is known, else all that was held for it."""
        note: dict[str, Json] = {
            "provider": self._route.provider.name,
            "model": self._route.model,
            "key": key_id(slot.key),
            "seconds": round(seconds, 3),
        }
        if not isinstance(error, CallFailed):
            return held, note
        note |= {"error": error.failure.code, "status": error.status, "request_id": error.request_id}
        if error.billed is None:
            return held, note
        note["usage"] = asdict(error.billed)
        return self._cost(error.billed, self._billed_usd(error.billed)), note

    def _usd(self, usage: Usage) -> float | None:
        if usage == Usage():
            return 0.0
        return self._shared.prices.usd(self._route.provider.price_list, self._route.model, usage)

    def _billed_usd(self, usage: Usage) -> float | None:
        """The price of what has happened: a prices file that was broken meanwhile must not lose a paid answer."""
        with suppress(PricesInvalid):
            return self._usd(usage)
        return None

    def _cost(self, usage: Usage, usd: float | None) -> Cost:
        calls = 0 if usage == Usage() else 1
        return charged(usage, usd, calls, self._route.provider.name, self._route.model)

    def _report(self, status: Outcome, usage: Usage, usd: float | None, started: float) -> None:
        tokens = (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens)
        seconds = time.monotonic() - started
        name, model = self._route.provider.name, self._route.model
        self._events.emit(ModelCallEvent(self._request.ask, name, model, status, *tokens, usd, seconds))

    def _waiting(self, seconds: float, why: str) -> None:
        name, model = self._route.provider.name, self._route.model
        self._events.emit(ModelWaitEvent(self._request.ask, name, model, seconds, why))
