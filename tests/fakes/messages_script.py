"""What a fake model API can be told to do with a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Say:
    """A complete answer: `answer` as JSON text, or `text` as it is.

    `stop_reason` other than "end_turn" makes it one of the answers that are billed and useless.
    An answer that states any figure of its input is taken at its word: the fake's prompt cache is not asked.
    """

    answer: Any = None
    text: str | None = None
    stop_reason: str | None = "end_turn"
    stop_details: Mapping[str, Any] | None = None
    input_tokens: int | None = None
    """None: estimated from the request's length."""
    output_tokens: int | None = None
    """None: estimated from the answer's length."""
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    content: Any = "text"
    """The answer's content: "text" for one block with the text; a list of blocks, streamed block by block, where the
    `input` of a `tool_use` may be a string: its JSON as far as it came before `max_tokens`. Anything else goes out as
    it is, and is what no API would send."""


@dataclass(frozen=True)
class Drip:
    """A complete answer of which `bytes_per_s` bytes arrive in a second."""

    bytes_per_s: float
    say: Say = field(default_factory=lambda: Say(text="drip"))


@dataclass(frozen=True)
class Refuse:
    """An HTTP error with the API's error object, before any answer. Not billed."""

    status: int
    type: str = "api_error"
    message: str = "scripted"
    error_code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class StreamError:
    """Status 200, the beginning of an answer, then an event `error`."""

    type: str
    after: str = ""
    message: str = "scripted"


@dataclass(frozen=True)
class Break:
    """Status 200, the beginning of an answer, then the connection ends: `reset`, or a clean `eof`.

    With `before_stop`, everything but the last event `message_stop` has been sent. `after` None: not even headers.
    """

    how: str = "eof"
    after: str | None = '{"half": '
    before_stop: bool = False


@dataclass(frozen=True)
class Hang:
    """No byte more, until the client goes away or the server closes. `after` None: not even headers."""

    after: str | None = None


@dataclass(frozen=True)
class Raw:
    """Any body with any type and status, for proxies and portals. Not billed."""

    body: bytes
    content_type: str = "text/html"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Step = Say | Drip | Refuse | StreamError | Break | Hang | Raw


def said(step: Step) -> Say | None:
    """What of an answer the client is sent, and pays for; None when no answer begins."""
    match step:
        case Say():
            return step
        case Drip():
            return step.say
        case StreamError() | Break() | Hang():
            return None if step.after is None else Say(text=step.after)
        case _:
            return None
