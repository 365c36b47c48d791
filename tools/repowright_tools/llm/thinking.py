"""The one loop behind every provider: ask, journal the answer, check it, say what is wrong, ask again."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any, Protocol, TypeVar

import anyio
from pydantic import BaseModel

from repowright_tools.errors import (
    AnswerMalformed,
    AnswerRejected,
    AnswerTruncated,
    ContextTooLarge,
    ModelError,
    ModelRefused,
)
from repowright_tools.events import ContextShortenedEvent, EventSink, ModelCallEvent, Outcome
from repowright_tools.llm.answers import LEAK_FINDING, judge, without_secrets
from repowright_tools.llm.budget import Budget
from repowright_tools.llm.context import PREAMBLE, clean, clean_sections, fit, render
from repowright_tools.llm.policy import ModelPolicy
from repowright_tools.llm.prices import price_usd
from repowright_tools.llm.provider import Exchange, ModelReply, ModelRequest, Provider, Usage, tokens_beside_context
from repowright_tools.stage import Answer, Ask, Cost, InputRequired, Journal, Json, RejectedAnswer, Section
from repowright_tools.threads import in_thread
from repowright_tools.tokens import estimate_tokens

T = TypeVar("T", bound=BaseModel)

MAX_REFUSALS = 5
"""Refused answers that come back with feedback. The one after them fails the ask."""

_PAID_FAILURES: dict[str, type[ModelError]] = {
    failure.code: failure for failure in (ModelRefused, AnswerTruncated, AnswerMalformed, ContextTooLarge)
}
"""Failures of answers that were billed. They are journalled with their cost like any answer, then raised."""


class Submissions(Protocol):
    """The answer that the caller handed in with the present call."""

    async def take(self) -> Json | None:
        """The answer, the first time; None after that, or when there is none."""
        ...


class ThinkingModel:
    """The Model port, with any provider behind it."""

    def __init__(
        self,
        provider: Provider,
        policy: ModelPolicy,
        journal: Journal,
        events: EventSink,
        submissions: Submissions,
        submit: Mapping[str, Any],
        budget: Budget,
    ) -> None:
        self._provider = provider
        self._policy = policy
        self._journal = journal
        self._events = events
        self._submissions = submissions
        self._submit = submit
        self._budget = budget

    async def think(self, ask: Ask[T]) -> Answer[T]:
        """See `Model.think`. Rounds are journal steps `ask:NAME:NUMBER`; a resumed attempt replays those it has."""
        sections = clean_sections(ask.context)
        request = ModelRequest(
            ask=ask.name,
            number=1,
            instructions=f"{PREAMBLE}\n\n{clean(ask.instructions)}",
            context="",
            schema=ask.schema.model_json_schema(),
            submit=self._submit,
        )
        rejected: list[RejectedAnswer[T]] = []
        while True:
            record = await self._round(request, sections)
            value, findings = await self._judge(ask, request.number, record)
            if value is not None and not findings:
                return Answer(value, record["provider"], tuple(rejected))
            rejected.append(RejectedAnswer(value, findings))
            if len(rejected) > MAX_REFUSALS:
                await self._journal.void(_step(ask.name, ""))
                raise AnswerRejected(f"answer {len(rejected)} to {ask.name!r} was refused: {'; '.join(findings)}")
            exchange = Exchange(_as_text(record["answer"]), findings)
            request = replace(request, number=request.number + 1, exchanges=(*request.exchanges, exchange))

    async def _judge(self, ask: Ask[T], number: int, record: dict[str, Any]) -> tuple[T | None, list[str]]:
        if record["failure"] is not None:
            # The journal forgets the answer, not its cost: a later attempt asks for it anew.
            await self._journal.void(_step(ask.name, number))
            raise _PAID_FAILURES[record["failure"]["code"]](record["failure"]["message"])
        if record["secret"]:
            return None, [LEAK_FINDING]
        return await judge(ask, record["answer"])

    async def _round(self, request: ModelRequest, sections: list[Section]) -> dict[str, Any]:
        """One answer: from the journal, from the caller, or from the provider."""
        reservation = await self._reservation(request, sections)

        async def effect() -> Json:
            submitted = await self._submissions.take()
            if submitted is None:
                return await self._call(request, sections, reservation)
            self._report(request, "host", None, "COMPLETE", Usage(), 0.0, 0.0)
            return _record("host", ModelReply(submitted, Usage(), None), 0.0, 0.0)

        record: dict[str, Any] = await self._journal.step(
            _step(request.ask, request.number),
            # Without provider and model: an answer stays an answer when a setting changes.
            {"ask": request.ask, "round": request.number, "request": _digest(request, sections)},
            effect,
            cost_of=_cost_of,
            reservation=reservation,
        )
        return record

    async def _call(self, request: ModelRequest, sections: list[Section], reservation: Cost | None) -> Json:
        if reservation is not None:
            self._budget.allow(reservation)
        request = self._with_context(request, sections)
        model = self._provider.model_for(request.ask)
        started = time.monotonic()
        try:
            reply = await self._provider.reply(request)
        except InputRequired:
            raise  # nothing was called
        except BaseException as error:
            ended: Outcome = "CANCELLED" if isinstance(error, anyio.get_cancelled_exc_class()) else "FAILED"
            self._report(request, self._provider.name, model, ended, Usage(), None, time.monotonic() - started)
            raise
        seconds = time.monotonic() - started
        usd = await self._price(reply.model, reply.usage)
        status: Outcome = "FAILED" if reply.failure else "COMPLETE"
        self._report(request, self._provider.name, reply.model, status, reply.usage, usd, seconds)
        return _record(self._provider.name, reply, usd, seconds)

    def _with_context(self, request: ModelRequest, sections: list[Section]) -> ModelRequest:
        fitted = fit(sections, self._provider.room(request))
        if fitted.dropped:
            before, after = estimate_tokens(render(sections)), estimate_tokens(fitted.text)
            self._events.emit(ContextShortenedEvent(request.ask, before, after, ", ".join(fitted.dropped)))
        return replace(request, context=fitted.text)

    async def _reservation(self, request: ModelRequest, sections: list[Section]) -> Cost | None:
        """What the call costs at worst, as far as prices are known; None when it costs nothing."""
        if self._provider.price_list is None:
            return None
        tokens = tokens_beside_context(request) + estimate_tokens(render(sections))
        tokens = min(tokens, self._policy.max_call_input_tokens)
        model = self._provider.model_for(request.ask)
        # As if all of it were written to the provider's cache, which costs most.
        usage = Usage(input_tokens=tokens, output_tokens=self._policy.max_tokens, cache_write_tokens=tokens)
        usd = await self._price(model, usage)
        return Cost(usd, tokens, self._policy.max_tokens, 0, 1, self._provider.name, model)

    async def _price(self, model: str | None, usage: Usage) -> float | None:
        if self._provider.price_list is None:
            return 0.0
        return None if model is None else await in_thread(price_usd, self._provider.price_list, model, usage)

    def _report(
        self,
        request: ModelRequest,
        provider: str,
        model: str | None,
        status: Outcome,
        usage: Usage,
        usd: float | None,
        seconds: float,
    ) -> None:
        tokens = (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens)
        self._events.emit(ModelCallEvent(request.ask, provider, model, status, *tokens, usd, seconds))


def _step(ask: str, number: int | str) -> str:
    return f"ask:{ask}:{number}"


def _digest(request: ModelRequest, sections: list[Section]) -> str:
    """What is asked, whole: how much of it fits a prompt is a setting, and no reason to pay again."""
    asked = {
        "instructions": request.instructions,
        "context": [asdict(section) for section in sections],
        "schema": request.schema,
        "exchanges": [asdict(exchange) for exchange in request.exchanges],
    }
    return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _record(provider: str, reply: ModelReply, usd: float | None, seconds: float) -> dict[str, Any]:
    """What the journal keeps of an answer."""
    answer, secret = without_secrets(reply.answer)
    failure = reply.failure
    return {
        "answer": answer,
        "secret": secret,
        "failure": None if failure is None else {"code": failure.code, "message": failure.message},
        "provider": provider,
        "model": reply.model,
        "usage": asdict(reply.usage),
        "usd": usd,
        "request_id": reply.request_id,
        "seconds": round(seconds, 3),
    }


def _cost_of(record: Json) -> Cost:
    usage = Usage(**record["usage"])
    calls = 0 if record["provider"] == "host" else 1
    tokens = (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens)
    return Cost(record["usd"], *tokens, calls, record["provider"], record["model"])


def _as_text(answer: Json) -> str:
    """JSON for a model to read: letters as they are, but nothing that UTF-8 cannot hold."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()
