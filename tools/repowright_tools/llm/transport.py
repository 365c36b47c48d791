"""The HTTP client below every SDK, and what one request has heard. Imports httpx2: import this lazily."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import httpx2

from repowright_tools.errors import AnswerMalformed
from repowright_tools.llm.provider import Opened
from repowright_tools.secrets import redact, strip_invisible

if TYPE_CHECKING:
    from ssl import SSLContext

_CONNECT_TIMEOUT_S = 10.0
MAX_ANSWER_CHARACTERS = 8_000_000
"""Far above what any model writes; keeps an endpoint gone mad from filling the memory."""
_LONGEST_CITATION = 500
_REQUEST_ID_HEADERS = ("request-id", "x-request-id", "x-amzn-requestid")


@dataclass
class Heard:
    """What has come of a response.

    Attributes:
        opened: who is told its headers.
        status: HTTP status; None while there is no response.
        headers: with lower-case names.
        untold: why `opened` could not be told them.
    """

    opened: Opened
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    untold: Exception | None = None
    _pieces: list[str] = field(default_factory=list[str])
    _characters: int = 0

    @property
    def text(self) -> str:
        """The answer so far."""
        return "".join(self._pieces)

    @property
    def request_id(self) -> str | None:
        return next((cited(self.headers[name]) for name in _REQUEST_ID_HEADERS if name in self.headers), None)

    def expect(self, media_type: str) -> None:
        """Refuse a proxy's or a portal's page, which SDKs read as an empty stream.

        Raises:
            AnswerMalformed: the response has another content type.
        """
        kind = self.headers.get("content-type", "")
        if not kind.startswith(media_type):
            raise AnswerMalformed(f"the endpoint answered with {cited(kind) or 'no content type'} instead of an answer")

    def add(self, text: str) -> None:
        """Append to the answer.

        Raises:
            AnswerMalformed: it is too long.
        """
        self._pieces.append(text)
        self._characters += len(text)
        if self._characters > MAX_ANSWER_CHARACTERS:
            raise AnswerMalformed(f"the answer has more than {MAX_ANSWER_CHARACTERS} characters")


_heard: ContextVar[Heard | None] = ContextVar("heard", default=None)


@contextmanager
def listening(opened: Opened) -> Generator[Heard]:
    """Tell `opened` the headers of the response to the one request that is sent inside, and remember them.

    SDKs read the body of a refusal before they say anything, and forget the response when that fails: so the transport
    below them tells it, in the task that sends. What `opened` raises comes out as it is: taken for a broken connection,
    as SDKs do, it would have the request repeated and paid for once more.
    """
    heard = Heard(opened)
    token = _heard.set(heard)
    try:
        yield heard
    except Exception:
        if heard.untold is not None:
            raise heard.untold from None
        raise
    finally:
        _heard.reset(token)


def cited(words: object) -> str:
    """Words of an endpoint for a message or a record of ours: short, visible, and without secrets."""
    return redact(strip_invisible(str(words)))[:_LONGEST_CITATION]


def tokens(figure: object) -> int:
    """A number of tokens as a response tells it. SDKs check no types, and what is no number must not get a price.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(figure, int) or figure < 0:
        raise ValueError("not a number of tokens")
    return figure


def http_timeout(timeout_s: float) -> httpx2.Timeout:
    """At most `timeout_s` seconds between two bytes, and less to get a connection."""
    return httpx2.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_TIMEOUT_S))


def http_client(timeout_s: float) -> httpx2.AsyncClient:
    """A client that follows no redirect: one would carry the prompt, and perhaps the key, to another host."""
    return httpx2.AsyncClient(
        verify=_certificates(),
        timeout=http_timeout(timeout_s),
        follow_redirects=False,
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        event_hooks={"response": [_tell]},
    )


@cache
def _certificates() -> "SSLContext":
    """The machine's certificates, read once: each reading takes some 20 ms, and a pool has many clients."""
    return httpx2.create_ssl_context()


async def _tell(response: httpx2.Response) -> None:
    heard = _heard.get()
    if heard is not None:
        heard.status, heard.headers = response.status_code, dict(response.headers)
        try:
            await heard.opened(heard.headers)
        except Exception as error:
            heard.untold = error
            raise
