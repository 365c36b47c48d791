"""What the fake Messages API can be told to do with a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Say:
    """A complete answer: `answer` as JSON text, or `text` as it is.

    `stop_reason` other than "end_turn" makes it one of the answers that are billed and useless.
    """

    answer: Any = None
    text: str | None = None
    stop_reason: str | None = "end_turn"
    stop_details: Mapping[str, Any] | None = None
    input_tokens: int | None = None
    """None: estimated from the request's length."""
    output_tokens: int | None = None
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    content: Any = "text"
    """What `message_start` and a JSON body have as content: "text" for a proper block, else taken as it is."""


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
    """Status 200, the beginning of an answer, then an SSE event `error`."""

    type: str
    after: str = ""
    message: str = "scripted"


@dataclass(frozen=True)
class Break:
    """Status 200, the beginning of an answer, then the connection ends: `reset`, or a clean `eof`.

    With `before_stop`, everything but the last event `message_stop` has been sent.
    """

    how: str = "eof"
    after: str = '{"half": '
    before_stop: bool = False


@dataclass(frozen=True)
class Hang:
    """No byte more, until the client goes away or the server closes. `after` None: not even headers."""

    after: str | None = None


@dataclass(frozen=True)
class Raw:
    """Any body with any type and status, for proxies and portals."""

    body: bytes
    content_type: str = "text/html"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Step = Say | Refuse | StreamError | Break | Hang | Raw
