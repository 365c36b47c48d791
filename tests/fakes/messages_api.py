"""Anthropic's Messages API as a real HTTP server on loopback, with scripted answers, faults and a ledger.

    with MessagesApi() as api:
        api.answers["Plan"] += [plan, Refuse(529), other_plan]   # by title of the response schema, in order
        api.then(Refuse(429, headers={"retry-after": "1"}))      # the very next request, whatever it asks
        api.reply = lambda asked: Say({"seen": asked.text})      # everything that nothing else answers
        ...                                                      # ANTHROPIC_BASE_URL = api.url
        assert [entry.key for entry in api.ledger] == ["key-1", "key-1"]

An answer is a `Step` of `messages_script`, or any JSON value, which stands for `Say(value)`. A request that nothing
answers gets status 400, so that a test that asks once too often fails at once. Steps are taken when a request arrives;
requests are served in parallel threads. `wait_for(n)` returns when the n-th request has arrived: a test can kill or
cancel with it instead of sleeping.
"""

import json
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast

from fakes import messages_wire as wire
from fakes.messages_script import Break, Hang, Raw, Refuse, Say, Step, StreamError

ORGANIZATION = "org-on-loopback"


@dataclass
class Asked:
    """A request as it arrived, and what became of it: one line of the ledger.

    Attributes:
        path: `/v1/messages` for everything that can cost money.
        key: the API key it came with.
        body: the JSON body.
        at: when it arrived, seconds on the monotonic clock.
        outcome: the step that answered it; None while none has.
        input_tokens, output_tokens: billed; both 0 while nothing is.
        billed: whether an answer was begun: what a provider may charge for.
    """

    path: str
    key: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float = field(default_factory=time.monotonic)
    outcome: Step | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    billed: bool = False

    @property
    def schema(self) -> str | None:
        """The title of the schema that the answer must fit; None when there is none."""
        try:
            title: str | None = self.body["output_config"]["format"]["schema"].get("title")
        except KeyError:
            return None
        return title

    @property
    def system(self) -> str:
        return _text(self.body.get("system", ""))

    @property
    def turns(self) -> list[tuple[str, str]]:
        """Role and text of each message."""
        return [(turn["role"], _text(turn["content"])) for turn in self.body["messages"]]

    @property
    def text(self) -> str:
        """Everything the model reads."""
        return "\n".join([self.system, *(text for _, text in self.turns)])


class MessagesApi:
    """See the module."""

    def __init__(self) -> None:
        self.answers: defaultdict[str, list[Any]] = defaultdict(list)
        self.reply: Callable[[Asked], Any] | None = None
        self.models = ["claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"]
        self.ledger: list[Asked] = []
        self.closed = threading.Event()
        self._next: deque[Any] = deque()
        self._arrival = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
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

    @property
    def url(self) -> str:
        """The base URL for clients."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def calls(self) -> list[Asked]:
        """The requests that can cost money, in order of arrival."""
        return [entry for entry in self.ledger if entry.path == "/v1/messages"]

    @property
    def billed(self) -> int:
        """How many requests a provider may charge for."""
        return sum(entry.billed for entry in self.ledger)

    def then(self, *steps: Any) -> None:
        """Answer the next requests so, before anything else is looked at."""
        self._next += steps

    def wait_for(self, count: int, timeout_s: float = 10.0) -> Asked:
        """The `count`-th call (from 1), when it has arrived."""
        with self._arrival:
            if not self._arrival.wait_for(lambda: len(self.calls) >= count, timeout_s):
                raise AssertionError(f"{len(self.calls)} of {count} calls arrived within {timeout_s} s")
            return self.calls[count - 1]

    def decide(self, asked: Asked) -> Step:
        """Note a request in the ledger and choose what to do with it."""
        with self._arrival:
            self.ledger.append(asked)
            waiting = self.answers.get(asked.schema or "", [])
            if self._next:
                step = self._next.popleft()
            elif waiting:
                step = waiting.pop(0)
            elif self.reply is not None:
                step = self.reply(asked)
            else:
                step = Refuse(400, "invalid_request_error", f"nothing answers a request for {asked.schema}")
            asked.outcome = step if isinstance(step, Step) else Say(step)
            self._arrival.notify_all()
            return asked.outcome


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: MessagesApi

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def api(self) -> MessagesApi:
        return cast(_Server, self.server).api

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Tests read the ledger."""

    def do_GET(self) -> None:
        self.api.ledger.append(self._asked({}))
        models = [{"type": "model", "id": name, "display_name": name} for name in self.api.models]
        self._json(200, {"data": models, "has_more": False, "first_id": None, "last_id": None})

    def do_POST(self) -> None:
        asked = self._asked(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        if asked.path == "/v1/messages/count_tokens":
            self.api.ledger.append(asked)
            self._json(200, {"input_tokens": _prompt_tokens(asked)})
        elif asked.path == "/v1/messages":
            self._answer(asked, self.api.decide(asked))
        else:
            self._json(404, {"type": "error", "error": {"type": "not_found_error", "message": asked.path}})

    def _asked(self, body: dict[str, Any]) -> Asked:
        headers = {name.lower(): value for name, value in self.headers.items()}
        key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        return Asked(self.path.partition("?")[0], key, headers, body)

    def _answer(self, asked: Asked, step: Step) -> None:
        match step:
            case Refuse():
                error: dict[str, Any] = {"type": step.type, "message": step.message}
                if step.error_code:
                    error["details"] = {"error_code": step.error_code}
                self._json(step.status, {"type": "error", "error": error}, step.headers)
            case Raw():
                self._send(step.status, step.content_type, step.body, step.headers)
            case Hang(after=None):
                self._wait_for_client()
            case Say() if not asked.body.get("stream"):
                self._bill(asked, step)
                model = asked.body["model"]
                self._json(200, wire.message(step, model=model, name=self._name(), usage=self._usage(asked, step)))
            case _:
                self._stream(asked, step)

    def _stream(self, asked: Asked, step: Say | StreamError | Break | Hang) -> None:
        say = step if isinstance(step, Say) else Say(text=step.after or "")
        self._bill(asked, say)
        self.send_response(200)
        self._common_headers("text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        usage = self._usage(asked, say)
        self._write(wire.beginning(say, model=asked.body["model"], name=self._name(), usage=usage))
        match step:
            case Say():
                self._write(wire.ending(say, usage=usage))
            case StreamError():
                self._write([wire.event("error", error={"type": step.type, "message": step.message})])
            case Break():
                if step.before_stop:
                    self._write(wire.ending(say, usage=usage, stop=False))
                if step.how == "reset":
                    self._reset()
            case Hang():
                self._wait_for_client()

    def _write(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()

    def _reset(self) -> None:
        """Close with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _wait_for_client(self) -> None:
        """Return when the client has closed its end, or the test is over."""
        self.close_connection = True
        self.connection.settimeout(0.05)
        while not self.api.closed.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def _bill(self, asked: Asked, say: Say) -> None:
        usage = self._usage(asked, say)
        asked.billed, asked.input_tokens, asked.output_tokens = True, usage["input_tokens"], usage["output_tokens"]

    def _usage(self, asked: Asked, say: Say) -> dict[str, int]:
        return wire.usage_of(say, _prompt_tokens(asked))

    def _name(self) -> str:
        return f"msg_{len(self.api.ledger)}"

    def _json(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, "application/json", json.dumps(body).encode(), headers)

    def _send(self, status: int, content_type: str, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self._common_headers(content_type)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _common_headers(self, content_type: str) -> None:
        self.send_header("content-type", content_type)
        self.send_header("anthropic-organization-id", ORGANIZATION)
        self.send_header("request-id", f"req_{len(self.api.ledger)}")


def _prompt_tokens(asked: Asked) -> int:
    return len(asked.text) // 4 + 1


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "\n".join(block.get("text", "") for block in content)
