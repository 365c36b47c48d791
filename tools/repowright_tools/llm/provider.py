"""What a provider is: it sends one request. Rounds, checks, retries, keys, budget and journal are not its affair."""

import json
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, cast

from repowright_tools.stage import Json


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
        context: the sections, rendered, in blocks that a provider may cache apart: first what other asks of the
            stage have too.
        schema: JSON schema of the answer.
        exchanges: earlier answers to the same ask, oldest first.
    """

    ask: str
    number: int
    instructions: str
    context: Sequence[str]
    schema: Mapping[str, Any]
    exchanges: Sequence[Exchange] = ()


@dataclass(frozen=True)
class ModelReply:
    """An answer.

    Attributes:
        answer: the parsed JSON, or the text itself where it is none.
        usage: what is billed for it.
        model: who answered, as the provider calls it.
        request_id: the provider's name for the request; None where there is none.
    """

    answer: Json
    usage: Usage
    model: str | None
    request_id: str | None = None


MAX_DEPTH = 100
"""Levels of lists and objects in an answer; no schema asks for a tenth of it."""
Opened = Callable[[Mapping[str, str]], Awaitable[None]]
"""Told the headers of a response, with lower-case names, as soon as they are there: also those of a refusal."""


class Provider(Protocol):
    """A remote model. Constructed with the policy alone.

    Attributes:
        name: what results and costs call it.
        price_list: its id in the price list; None when its prices are in none.
        keys: credentials to choose from; `("",)` where requests are authenticated otherwise or not at all.
    """

    name: str
    price_list: str | None
    keys: tuple[str, ...]

    def default_model(self, ask: str) -> str | None:
        """The model that answers this ask when no setting names one; None when one has to be named."""
        ...

    async def send(self, request: ModelRequest, model: str, key: str, opened: Opened) -> ModelReply:
        """Send the request once, with this key, and return the answer when it is complete.

        Raises:
            CallFailed: there is no usable answer. Nothing else is raised, but for cancellation and by `opened`.
        """
        ...

    async def count(self, request: ModelRequest, model: str, key: str) -> int | None:
        """Input tokens of the request as the provider counts them; None when it cannot say (never raises)."""
        ...

    async def aclose(self) -> None:
        """Give connections back."""
        ...


def feedback(findings: Sequence[str]) -> str:
    """The turn that follows a refused answer."""
    points = "\n".join(f"- {finding}" for finding in findings)
    return f"That answer was refused. Answer again, whole, with these points mended:\n{points}"


def parse_answer(text: str) -> Json:
    """The JSON value of an answer; the text itself when it is not JSON, which the next round is told.

    What is nested deeper than `MAX_DEPTH` counts as none: whatever walks through it would trip over its depth, after
    it was paid for. So does a number that is too large for a float: written down, it would be no JSON any more.
    """
    try:
        answer = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        return text
    return answer if _is_within(answer, MAX_DEPTH) else text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse_constant(digits)


def _is_within(value: object, levels: int) -> bool:
    """Whether it has at most so many levels of lists and objects."""
    parts: Iterable[object]
    if isinstance(value, dict):
        parts = cast("Mapping[str, object]", value).values()
    elif isinstance(value, list):
        parts = cast("Sequence[object]", value)
    else:
        return True
    return levels > 0 and all(_is_within(part, levels - 1) for part in parts)
