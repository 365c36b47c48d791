"""How one provider and another spell the same things: requests, answers, errors and streams."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fakes import messages_wire as wire
from fakes.messages_ledger import Asked
from fakes.messages_script import Refuse, Say, StreamError

_GOOGLE_STATUS = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}


class Sent(NamedTuple):
    """Bytes of a stream, and how many characters of the answer they carry."""

    data: bytes
    characters: int = 0


class Dialect(ABC):
    """What a server must know of a provider's protocol to play a step in it."""

    stream_type = "text/event-stream"

    @abstractmethod
    def head(self, asked: Asked, limits: Mapping[str, str]) -> dict[str, str]:
        """Headers of every response; `limits` are those of the Messages API."""

    @abstractmethod
    def error(self, step: Refuse) -> tuple[dict[str, str], Any]:
        """Headers and JSON body of a refusal."""

    @abstractmethod
    def message(self, say: Say, asked: Asked) -> Any:
        """The JSON body of a whole answer."""

    @abstractmethod
    def beginning(self, say: Say, asked: Asked) -> Iterator[Sent]:
        """A stream up to the last words of the answer."""

    @abstractmethod
    def ending(self, say: Say, asked: Asked, *, stop: bool) -> Iterator[bytes]:
        """The rest of the stream; without `stop`, all but the event by which a client knows that it is complete."""

    @abstractmethod
    def failure(self, step: StreamError) -> bytes:
        """The event of an error in mid-stream."""


class MessagesDialect(Dialect):
    """Anthropic's own."""

    def head(self, asked: Asked, limits: Mapping[str, str]) -> dict[str, str]:
        # Whoever shows no valid key is told nothing of the organisation.
        organisation = {} if asked.status == 401 else {"anthropic-organization-id": asked.organisation, **limits}
        return {"request-id": f"req_{asked.number}", **organisation}

    def error(self, step: Refuse) -> tuple[dict[str, str], Any]:
        error: dict[str, Any] = {"type": step.type, "message": step.message}
        if step.error_code:
            error["details"] = {"error_code": step.error_code}
        return {}, {"type": "error", "error": error}

    def message(self, say: Say, asked: Asked) -> Any:
        return wire.message(say, model=asked.model, name=f"msg_{asked.number}", usage=asked.usage)

    def beginning(self, say: Say, asked: Asked) -> Iterator[Sent]:
        for piece in wire.beginning(say, model=asked.model, name=f"msg_{asked.number}", usage=asked.usage):
            yield Sent(self.frame(piece.event), piece.characters)

    def ending(self, say: Say, asked: Asked, *, stop: bool) -> Iterator[bytes]:
        return map(self.frame, wire.ending(say, usage=asked.usage, stop=stop))

    def failure(self, step: StreamError) -> bytes:
        return self.frame({"type": "error", "error": {"type": step.type, "message": step.message}})

    def frame(self, event: dict[str, Any]) -> bytes:
        return wire.sse(event)


class VertexDialect(MessagesDialect):
    """Google's: the same answers at other paths; what Google refuses itself is refused in Google's form."""

    def head(self, asked: Asked, limits: Mapping[str, str]) -> dict[str, str]:
        return {"request-id": f"req_vrtx_{asked.number}"}

    def error(self, step: Refuse) -> tuple[dict[str, str], Any]:
        if step.status not in _GOOGLE_STATUS:
            return super().error(step)
        error = {"code": step.status, "message": step.message, "status": _GOOGLE_STATUS[step.status]}
        return {}, {"error": error}
