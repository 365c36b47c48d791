"""What a provider is: it answers one request. Rounds, checks, redaction, budget and journal are not its affair."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from repowright_tools.errors import ModelError
from repowright_tools.stage import Json
from repowright_tools.tokens import estimate_tokens


@dataclass(frozen=True)
class Usage:
    """Tokens of one call.

    Attributes:
        input_tokens: everything the model read, cached or not.
        output_tokens: everything it wrote, thinking included.
        cached_input_tokens: the part of `input_tokens` that came from the provider's cache.
        cache_write_tokens: the part of `input_tokens` that went into it.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True)
class Exchange:
    """An earlier answer, as JSON text, and what was wrong with it."""

    answer: str
    findings: Sequence[str]


@dataclass(frozen=True)
class ModelRequest:
    """One question, ready to leave the machine: redacted, marked and short enough.

    Attributes:
        ask: name of the ask.
        number: which answer is asked for, from 1.
        instructions: our own words.
        context: the sections, rendered.
        schema: JSON schema of the answer.
        exchanges: earlier answers to the same ask, oldest first.
        submit: the call that takes an answer, where the one who thinks is the caller.
    """

    ask: str
    number: int
    instructions: str
    context: str
    schema: Mapping[str, Any]
    exchanges: Sequence[Exchange] = ()
    submit: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class ModelReply:
    """What came back.

    Attributes:
        answer: the parsed JSON, or the text itself where it is none.
        usage: what is billed for it.
        model: who answered, as the provider calls it.
        request_id: the provider's name for the call; None where there is none.
        failure: why the answer cannot be used although it was paid for; None when it can.
    """

    answer: Json
    usage: Usage
    model: str | None
    request_id: str | None = None
    failure: ModelError | None = None


@dataclass(frozen=True)
class Room:
    """How much context fits: at most `limit`, as `size` measures texts."""

    limit: int
    size: Callable[[str], int]


def tokens_beside_context(request: ModelRequest) -> int:
    """Estimated tokens of everything in a request but its context."""
    rest = [request.instructions, json.dumps(request.schema, ensure_ascii=False)]
    rest += [text for exchange in request.exchanges for text in (exchange.answer, *exchange.findings)]
    return sum(map(estimate_tokens, rest))


class Provider(Protocol):
    """Whoever answers requests.

    Attributes:
        name: what results and costs call it.
        price_list: its id in the price list; None when a call costs nothing.
    """

    name: str
    price_list: str | None

    def model_for(self, ask: str) -> str | None:
        """The model that answers this ask; None when there is none to name."""
        ...

    def room(self, request: ModelRequest) -> Room:
        """What is left for the context of a request that has none yet."""
        ...

    async def reply(self, request: ModelRequest) -> ModelReply:
        """Answer, whether or not the answer is any good.

        Raises:
            InputRequired: the answer comes with a later call.
            ModelError: there is no answer, and nothing known was billed.
        """
        ...


def parse_answer(text: str) -> Json:
    """The JSON value of an answer; the text itself when it is not JSON, which the next round is told."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
