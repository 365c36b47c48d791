"""A GitHub on loopback: the REST calls that a pull request needs, and git over smart HTTP with real repositories.

    with FakeGitHub(tmp_path) as github:
        github.add_repository("ada/tool", from_repository=path)
        ...                                     # GITHUB_BASE_URL=github.api_url  GITHUB_TOKEN=github.token
        assert github.pulls("ada/tool")[0].draft
        assert "+new line" in github.diff("ada/tool", 1)
        assert github.writes == []              # the ledger: no write reached it

It runs in threads of this process and serves tests, sync or async, and programs that they start. Tokens: `token` may
push; `add_token(push=False)` makes one that may not; `revoke` makes any one invalid. `fail` scripts a fault.
"""

import base64
import json
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from fakes.github_api import Call, RestApi
from fakes.github_git import GitRequest, answer
from fakes.github_state import FakePull, FakeRepository, Refused, make_bare

LOGIN = "ada"


class Request(NamedTuple):
    """An entry of the ledger, as it came in."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_write(self) -> bool:
        return self.method != "GET" and not self.path.endswith("/git-upload-pack")


class Reply(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Fault:
    """An answer in place of the right one; with `after` the request is carried out first and its answer lost."""

    method: str
    path: str
    reply: Reply
    times: int
    after: bool


@dataclass
class FakeGitHub:
    """The server; see the module's text. its repositories are kept in `root`/forge."""

    root: Path
    token: str = field(default_factory=lambda: f"ghp_{secrets.token_hex(18)}", repr=False)
    requests: list[Request] = field(default_factory=list[Request])

    def __post_init__(self) -> None:
        self._rights: dict[str, bool] = {self.token: True}
        self._repositories: dict[str, FakeRepository] = {}
        self._moved: dict[str, str] = {}
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> "FakeGitHub":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # --- what a test sets up ---

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def api_url(self) -> str:
        """What GITHUB_BASE_URL is set to."""
        return f"http://{self.host}/api/v3"

    def clone_url(self, name: str) -> str:
        return f"http://{self.host}/{name}.git"

    def add_repository(
        self, name: str, *, from_repository: Path | None = None, private: bool = False, archived: bool = False
    ) -> FakeRepository:
        bare = self.root / "forge" / f"{name}.git"
        make_bare(bare, from_repository)
        self._repositories[name] = FakeRepository(name, bare, private, archived)
        return self._repositories[name]

    def rename(self, name: str, to: str) -> None:
        """Move a repository; the API answers for its old name with a redirect, as GitHub does."""
        moved = self._repositories.pop(name)
        moved.name, self._moved[name] = to, to
        self._repositories[to] = moved

    def add_token(self, *, push: bool) -> str:
        """Another valid token, with the right to push or only to read."""
        token = f"ghp_{secrets.token_hex(18)}"
        self._rights[token] = push
        return token

    def revoke(self, token: str) -> None:
        del self._rights[token]

    def fail(
        self,
        method: str,
        path: str,
        status: int,
        message: str = "a scripted fault",
        *,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
        times: int = 1,
        after: bool = False,
    ) -> None:
        """Answer the next `times` requests whose path matches the regular expression with a fault.

        The answer is GitHub's JSON with `message`, or `body` as it is. With `after`, the request is carried out first.
        """
        text = json.dumps({"message": message}) if body is None else body
        reply = Reply(status, list((headers or {}).items()), text.encode())
        self._faults.append(Fault(method, path, reply, times, after))

    # --- what a test looks at ---

    def repository(self, name: str) -> FakeRepository:
        return self._repositories[name]

    def pulls(self, name: str) -> list[FakePull]:
        return self._repositories[name].pulls

    def branches(self, name: str) -> dict[str, str]:
        return self._repositories[name].branches()

    def diff(self, name: str, number: int) -> str:
        return self._repositories[name].diff(number)

    @property
    def writes(self) -> list[Request]:
        """The requests that could have changed something."""
        return [request for request in self.requests if request.is_write]

    # --- serving ---

    def serve(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            fault = self._due(request)
        if fault is not None and not fault.after:
            return fault.reply
        with self._lock:
            reply = self._serve(request)
        return reply if fault is None else fault.reply

    def _due(self, request: Request) -> Fault | None:
        for fault in self._faults:
            if fault.times > 0 and fault.method == request.method and re.search(fault.path, request.path):
                fault.times -= 1
                return fault
        return None

    def _serve(self, request: Request) -> Reply:
        try:
            if request.path.startswith("/api/v3/"):
                status, value = self._api(request, unquote(request.path.removeprefix("/api/v3")))
                return Reply(status, [("Content-Type", "application/json")], json.dumps(value).encode())
            return self._git(request)
        except Refused as refused:
            headers = [("Content-Type", "application/json")]
            if refused.status == 401 and not request.path.startswith("/api/"):
                headers.append(("WWW-Authenticate", 'Basic realm="GitHub"'))
            return Reply(refused.status, headers, json.dumps(refused.json()).encode())
        except Moved as moved:
            location = f"{self.api_url}/repos/{moved.to}"
            return Reply(301, [("Location", location)], json.dumps({"message": "Moved Permanently"}).encode())

    def _token(self, request: Request) -> str | None:
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            value = base64.b64decode(value).decode().partition(":")[2]
        if value and value not in self._rights:
            raise Refused(401, "Bad credentials")
        return value or None

    def _visible(self, name: str, token: str | None) -> FakeRepository:
        if name in self._moved:
            raise Moved(self._moved[name])
        found = next((each for each in self._repositories.values() if each.name.lower() == name.lower()), None)
        if found is None or (found.private and token is None):
            raise Refused(404, "Not Found")
        return found

    def _git(self, request: Request) -> Reply:
        match = re.fullmatch(
            r"/([\w.-]+/[\w.-]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack)", request.path
        )
        if match is None:
            raise Refused(404, "Not Found")
        asked = GitRequest(request.method, match[2], request.query, request.headers, request.body)
        token = self._token(request)
        if token is None and asked.is_push:
            raise Refused(401, "Requires authentication")
        repository = self._visible(match[1], token)
        if asked.is_push and not self._rights[token or ""]:
            raise Refused(403, f"Permission to {repository.name}.git denied to {LOGIN}.")
        return Reply(*answer(repository.bare, asked, LOGIN if asked.is_push else None))

    def _api(self, request: Request, path: str) -> tuple[int, Any]:
        token = self._token(request)
        if token is None:
            raise Refused(401, "Requires authentication")
        if path == "/user":
            return 200, {"login": LOGIN, "url": f"{self.api_url}/users/{LOGIN}"}
        match = re.fullmatch(r"/repos/([\w.-]+/[\w.-]+)((?:/.*)?)", path)
        if match is None:
            raise Refused(404, "Not Found")
        repository = self._visible(match[1], token)
        if request.method != "GET" and not self._rights[token]:
            raise Refused(403, "Resource not accessible by personal access token")
        call = Call(request.method, match[2], parse_qs(request.query), json.loads(request.body or b"{}"))
        return RestApi(f"http://{self.host}", self.api_url, LOGIN).respond(repository, call, push=self._rights[token])


class Moved(Exception):
    def __init__(self, to: str) -> None:
        super().__init__(to)
        self.to = to


def _handler(fake: FakeGitHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            parts = urlsplit(self.path)
            reply = fake.serve(Request(self.command, parts.path, parts.query, dict(self.headers), self._body()))
            self.send_response(reply.status)
            for name, value in reply.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer  # noqa: N815 - names of http.server

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            chunks: list[bytes] = []
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server calls it
            """The ledger is the log."""

    return Handler
