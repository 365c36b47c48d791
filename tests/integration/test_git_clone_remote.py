"""Cloning over the network, from real servers on loopback."""

import socket
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import pytest

from repowright_tools.errors import CloneFailed, CloneTimeout, EmptyRepository, UnknownRef, WorkspaceTooLarge
from repowright_tools.git.policy import SourcePolicy
from repowright_tools.git.source import bind, parse_source
from repowright_tools.git.workspace import Identity, Workspace
from repowright_tools.stage import BoundRepository
from support.repositories import git, make_repository

pytestmark = pytest.mark.anyio
MOST = 10_000_000
TOKEN = "canary-token-of-the-forge"


class Asked(NamedTuple):
    """A request: its path, and its Authorization header."""

    path: str
    authorization: str | None


class DumbServer(SimpleHTTPRequestHandler):
    """Serves repositories as plain files, which git clones from too, and remembers what it was asked."""

    seen: list[Asked]
    breaks_at: str | None = None

    def do_GET(self) -> None:
        self.seen.append(Asked(self.path, self.headers.get("Authorization")))
        if self.breaks_at is not None and self.breaks_at in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
            return
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # named by the base class
        pass


class Redirect(BaseHTTPRequestHandler):
    target: str

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", f"{self.target}{self.path}")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # named by the base class
        pass


@contextmanager
def serving(
    handler: type[BaseHTTPRequestHandler], *, folder: Path | None = None, **settings: object
) -> Generator[tuple[str, list[Asked]]]:
    """A server for the `with` block: its URL, and what it was asked so far."""
    seen: list[Asked] = []
    kind: Any = type("Handler", (handler,), {"seen": seen, **settings})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, directory=str(folder)) if folder else kind)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A folder with the repository a/b.git, for a server that serves files."""
    source = tmp_path / "source"
    make_repository(source, {"a.txt": "one\n"})
    git(source, "tag", "v1")
    git(source, "checkout", "-q", "-b", "side")
    (source / "a.txt").write_text("two\n")
    git(source, "commit", "-q", "-a", "-m", "second")
    git(source, "checkout", "-q", "main")
    folder = tmp_path / "served"
    folder.mkdir()
    git(tmp_path, "clone", "-q", "--bare", str(source), str(folder / "a" / "b.git"))
    git(folder / "a" / "b.git", "update-server-info")
    return folder


async def bind_to(
    url: str,
    folder: Path,
    *,
    ref: str | None = None,
    forge: str | None = None,
    most: int = MOST,
    deadline_s: float = 60,
) -> BoundRepository:
    host = url.split("/")[2]
    forge_host = forge or host
    policy = SourcePolicy((), (host, forge_host), forge_host, f"http://{forge_host}", token=TOKEN, max_bytes=most)
    workspace = Workspace(folder / "workspace", Identity("Bot", "bot@example.org"), most)
    return await bind(parse_source(url, ref, policy), workspace, policy, deadline_s=deadline_s)


def left(folder: Path) -> list[str]:
    return sorted(entry.name for entry in (folder / "workspace").iterdir())


async def test_a_remote_is_cloned_at_its_default_branch_or_at_the_ref(served: Path, tmp_path: Path) -> None:
    bare = served / "a" / "b.git"
    with serving(DumbServer, folder=served) as (url, _):
        for ref, branch, commit in (
            (None, "main", "main"),
            ("side", "side", "side"),
            ("v1", None, "v1"),
            (git(bare, "rev-parse", "side"), None, "side"),
        ):
            bound = await bind_to(f"{url}/a/b", tmp_path, ref=ref)
            assert bound == BoundRepository(
                source=f"{url}/a/b",
                kind="remote",
                root=str(tmp_path / "workspace" / "source"),
                commit=git(bare, "rev-parse", commit),
                branch=branch,
                default_branch="main",
                dirty=False,
                origin=f"{url}/a/b.git",
            )
            clone = await Workspace(tmp_path / f"clone-{ref}", Identity("Bot", "b@example.org"), MOST).clone(bound)
            assert git(clone, "rev-parse", "HEAD") == bound.commit
        with pytest.raises(UnknownRef):
            await bind_to(f"{url}/a/b", tmp_path, ref="nowhere")
    assert left(tmp_path) == []


async def test_the_token_goes_to_the_forge_and_nowhere_on_disk(served: Path, tmp_path: Path) -> None:
    """K01."""
    with serving(DumbServer, folder=served) as (url, seen):
        await bind_to(f"{url}/a/b", tmp_path)
        assert all(asked.authorization is not None and asked.authorization.startswith("Basic ") for asked in seen)
    stored = [path for path in (tmp_path / "workspace").rglob("*") if path.is_file()]
    assert stored
    for path in stored:
        content = path.read_bytes()
        assert TOKEN.encode() not in content
        assert b"Authorization" not in content
        assert b"extraHeader" not in content


async def test_the_token_does_not_go_to_another_host(served: Path, tmp_path: Path) -> None:
    """K01: nor to another port of the forge's host."""
    with serving(DumbServer, folder=served) as (url, seen):
        await bind_to(f"{url}/a/b.git", tmp_path, forge="127.0.0.1:1")
        assert {asked.authorization for asked in seen} == {None}


async def test_a_redirect_is_not_followed(served: Path, tmp_path: Path) -> None:
    """R02: not even to a host that would be allowed."""
    with serving(DumbServer, folder=served) as (target, seen), serving(Redirect, target=target) as (url, _):
        with pytest.raises(CloneFailed):
            await bind_to(f"{url}/a/b", tmp_path)
        assert seen == []
    assert left(tmp_path) == []


async def test_a_server_that_says_nothing_ends_at_the_deadline(tmp_path: Path) -> None:
    """R14."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/a/b"
        with pytest.raises(CloneTimeout):
            await bind_to(url, tmp_path, deadline_s=0.5)
        asked, _ = silent.accept()
        with asked:
            asked.settimeout(10)
            while asked.recv(65536):  # ends when git and its helper are gone, and with them the connection
                pass
    assert left(tmp_path) == []


async def test_a_server_that_dies_half_way_leaves_nothing(served: Path, tmp_path: Path) -> None:
    """R14."""
    with serving(DumbServer, folder=served, breaks_at="/objects/") as (url, _), pytest.raises(CloneFailed):
        await bind_to(f"{url}/a/b", tmp_path)
    assert left(tmp_path) == []


async def test_a_remote_that_is_missing_or_empty_is_told_apart(served: Path, tmp_path: Path) -> None:
    """R15."""
    git(served, "init", "-q", "--bare", "a/empty.git")
    git(served / "a" / "empty.git", "update-server-info")
    with serving(DumbServer, folder=served) as (url, _):
        with pytest.raises(CloneFailed, match="not found"):
            await bind_to(f"{url}/a/none", tmp_path)
        with pytest.raises(EmptyRepository):
            await bind_to(f"{url}/a/empty", tmp_path)


async def test_a_clone_that_grows_beyond_the_limit_is_ended(served: Path, tmp_path: Path) -> None:
    """R07."""
    with serving(DumbServer, folder=served) as (url, _), pytest.raises(WorkspaceTooLarge):
        await bind_to(f"{url}/a/b", tmp_path, most=1000)
    assert left(tmp_path) == []


async def test_submodules_and_large_files_elsewhere_are_not_fetched(tmp_path: Path) -> None:
    """R13: submodules with ext:: and file:// URLs, and an LFS pointer."""
    marker = tmp_path / "marker"
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1\n"
    make_repository(
        tmp_path / "source",
        {
            ".gitmodules": f'[submodule "s"]\n\tpath = s\n\turl = ext::sh -c touch% {marker}\n',
            ".gitattributes": "*.bin filter=lfs\n",
            "x.bin": pointer,
        },
    )
    commit = git(tmp_path / "source", "rev-parse", "HEAD")
    git(tmp_path / "source", "update-index", "--add", "--cacheinfo", f"160000,{commit},s")
    git(tmp_path / "source", "commit", "-q", "-m", "submodule")
    folder = tmp_path / "served"
    folder.mkdir()
    git(tmp_path, "clone", "-q", "--bare", "source", str(folder / "a" / "b.git"))
    git(folder / "a" / "b.git", "update-server-info")
    with serving(DumbServer, folder=folder) as (url, seen):
        bound = await bind_to(f"{url}/a/b", tmp_path)
        assert all(asked.path.startswith("/a/b.git/") for asked in seen)
    assert (Path(bound.root) / "x.bin").read_text() == pointer
    assert not marker.exists()
