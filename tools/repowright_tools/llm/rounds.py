"""One round of an ask: what is asked, under which name the journal keeps the answer, and what it keeps of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Any

from repowright_tools.events import ContextShortenedEvent
from repowright_tools.llm.answers import without_secrets
from repowright_tools.llm.context import Room, fit, render
from repowright_tools.llm.provider import ModelReply, ModelRequest, Usage
from repowright_tools.stage import Cost, Json, Section
from repowright_tools.tokens import estimate_tokens

Record = dict[str, Any]
"""An answer as the journal keeps it."""


@dataclass(frozen=True)
class Filled:
    """A request with its context.

    Attributes:
        size: of the context, as the room measured it.
        shortened: what there is to tell when it is not all of the context.
    """

    request: ModelRequest
    size: int
    shortened: ContextShortenedEvent | None


@dataclass(frozen=True)
class Round:
    """A question that waits for its answer.

    Attributes:
        request: the question, still without context.
        sections: the context, clean, whole and the most important first.
    """

    request: ModelRequest
    sections: Sequence[Section]

    @property
    def step(self) -> str:
        """Name of the journal step."""
        return step_name(self.request.ask, self.request.number)

    @cached_property
    def inputs(self) -> dict[str, Json]:
        """What tells this question from others.

        It is asked whole: how much of it fits a prompt is a setting, and no reason to pay again. Provider and model
        are left out as well: an answer stays an answer when a setting changes.
        """
        asked = {
            "instructions": self.request.instructions,
            "context": [asdict(section) for section in self.sections],
            "schema": self.request.schema,
            "exchanges": [asdict(exchange) for exchange in self.request.exchanges],
        }
        digest = sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        return {"ask": self.request.ask, "round": self.request.number, "request": digest}

    def fitted(self, room: Room) -> Filled:
        """The request with as much of the context as there is room for.

        For a thread: to measure a long context takes a tenth of a second. Sinks of events are not for threads.

        Raises:
            ContextTooLarge: not even its first section fits.
        """
        fitted = fit(self.sections, room)
        request = replace(self.request, context=fitted.blocks)
        if not fitted.dropped:
            return Filled(request, fitted.size, None)
        before, after = _tokens(render(self.sections)), _tokens(fitted.blocks)
        shortened = ContextShortenedEvent(self.request.ask, before, after, ", ".join(fitted.dropped))
        return Filled(request, fitted.size, shortened)


def step_name(ask: str, number: int | str) -> str:
    return f"ask:{ask}:{number}"


def record_of(provider: str, reply: ModelReply, usd: float | None, seconds: float, **more: Json) -> Record:
    """What the journal keeps of an answer: never a secret in it."""
    answer, secret = without_secrets(reply.answer)
    return {
        "answer": answer,
        "secret": secret,
        "provider": provider,
        "model": reply.model,
        "usage": asdict(reply.usage),
        "usd": usd,
        "calls": 0 if provider == "host" else 1,
        "request_id": reply.request_id,
        "seconds": round(seconds, 3),
        **more,
    }


def cost_of(record: Mapping[str, Any]) -> Cost:
    """What a recorded answer cost."""
    return charged(Usage(**record["usage"]), record["usd"], record["calls"], record["provider"], record["model"])


def charged(usage: Usage, usd: float | None, calls: int, provider: str, model: str | None) -> Cost:
    """Tokens and dollars of calls, as the run is charged for them."""
    return Cost(usd, usage.input_tokens, usage.output_tokens, usage.cached_input_tokens, calls, provider, model)


def _tokens(blocks: Sequence[str]) -> int:
    return sum(map(estimate_tokens, blocks))
