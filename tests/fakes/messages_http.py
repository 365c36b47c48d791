"""HTTP for the fake model APIs: plays a step in the dialect of the request."""

import json
import socket
import struct
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

from fakes import messages_wire as wire
from fakes.messages_dialects import Dialect
from fakes.messages_ledger import Asked
from fakes.messages_script import Break, Drip, Hang, Raw, Refuse, Say, Step, StreamError, said

if TYPE_CHECKING:
    from fakes.messages_server import FakeApi

_DRIP_S = 0.05
"""A drip that is fast enough is sent in portions of so many seconds."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, api: "FakeApi") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.api = api

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    dialect: Dialect
    asked: Asked
    chunked = False
    """Whether the body that is written now has no length, and its connection goes on after it."""

    @property
    def api(self) -> "FakeApi":
        return cast(Server, self.server).api

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Tests read the ledger."""

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["content-length"]))))

    def _serve(self, body: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.partition("?")[0]
        known = self.api.recognise(path, headers, body)
        if known is None:
            error = {"type": "error", "error": {"type": "not_found_error", "message": path}}
            self._send(404, {"content-type": "application/json"}, json.dumps(error).encode())
            return
        self.dialect, self.asked = known
        if self.asked.kind == "ask":
            self._answer(self.api.decide(self.asked))
        else:
            self.api.note(self.asked)
            self._json(200, {}, self.api.aside(self.asked))

    def _answer(self, step: Step) -> None:
        match step:
            case Refuse():
                headers, body = self.dialect.error(step)
                self._json(step.status, {**headers, **step.headers}, body)
            case Raw():
                self.asked.status = step.status
                self._send(step.status, {"content-type": step.content_type, **step.headers}, step.body)
            case Hang(after=None):
                self._wait_for_client()
            case Break(after=None):
                self._cut(step)
            case Say() | Drip() if not self.asked.stream:
                self.api.sent(self.asked, self.asked.usage.output_tokens)
                self._json(200, {}, self.dialect.message(cast(Say, said(step)), self.asked), _pace(step))
            case _:
                self._stream(step)

    def _stream(self, step: Say | Drip | StreamError | Break | Hang) -> None:
        say = cast(Say, said(step))
        pace = _pace(step)
        self.asked.status = 200
        self.chunked = isinstance(step, Say | Drip | StreamError)
        self.close_connection = not self.chunked
        head = self.api.head(self.dialect, self.asked)
        framing = {"transfer-encoding": "chunked"} if self.chunked else {"connection": "close"}
        self._begin(200, {"content-type": self.dialect.stream_type, **framing, **head})
        length, gone, total = wire.length_of(say), 0, self.asked.usage.output_tokens
        for piece in self.dialect.beginning(say, self.asked):
            gone += piece.characters
            self.api.sent(self.asked, max(min(1, total), total * gone // length) if length else total)
            self._write(piece.data, pace)
        match step:
            case Say() | Drip():
                self._write(b"".join(self.dialect.ending(say, self.asked, stop=True)), pace)
            case StreamError():
                self._write(self.dialect.failure(step))
            case Break():
                if step.before_stop:
                    self._write(b"".join(self.dialect.ending(say, self.asked, stop=False)))
                self._cut(step)
            case Hang():
                self._wait_for_client()
        if self.chunked:
            self.wfile.write(b"0\r\n\r\n")
            self.chunked = False

    def _write(self, data: bytes, bytes_per_s: float | None = None) -> None:
        if bytes_per_s is None:
            self._put(data)
            return
        portion = max(1, int(bytes_per_s * _DRIP_S))
        for start in range(0, len(data), portion):
            if self.api.closed.wait(portion / bytes_per_s):
                return
            self._put(data[start : start + portion])

    def _put(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked and data else data)

    def _cut(self, step: Break) -> None:
        """Close with RST instead of FIN, where a reset is wanted."""
        self.close_connection = True
        if step.how == "reset":
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

    def _json(self, status: int, headers: Mapping[str, str], body: Any, bytes_per_s: float | None = None) -> None:
        self.asked.status = status
        head = {"content-type": "application/json", **self.api.head(self.dialect, self.asked), **headers}
        self._send(status, head, json.dumps(body).encode(), bytes_per_s)

    def _send(self, status: int, headers: Mapping[str, str], body: bytes, bytes_per_s: float | None = None) -> None:
        self._begin(status, {**headers, "content-length": str(len(body))})
        self._write(body, bytes_per_s)

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def _pace(step: Step) -> float | None:
    return step.bytes_per_s if isinstance(step, Drip) else None
