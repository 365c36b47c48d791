"""Sources that attack: each is contained, and with the guard off the attack works."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest

from fakes.github import FakeGitHub, Reply, Request
from repowright_tools.errors import CloneFailed
from repowright_tools.git.guard import GitFailed, git_environment, run_git
from repowright_tools.git.policy import SourcePolicy
from repowright_tools.git.remote import look_up, remote_at
from support.mcp import call, connected, settings_for
from support.remotes import NAME, advance, allow_filter, bound_to, forge, mirrors_in
from support.repositories import git, make_repository, write_files

pytestmark = pytest.mark.anyio
_NO_PROCESS = f"""
import sys
sys.path[:0] = {sys.path!r}
from pathlib import Path
from repowright_tools.errors import SourceError
from repowright_tools.git.policy import SourcePolicy
from repowright_tools.git.source import parse_source
policy = SourcePolicy((Path("/nonexistent"),), ("github.com",), "github.com", "https://github.com", "token", 10)
def refuse(event, arguments):
    if event.startswith(("subprocess.", "socket.", "os.exec", "os.fork", "os.posix_spawn", "os.system")):
        raise SystemExit(event)
sys.addaudithook(refuse)
for source in sys.argv[1:]:
    try:
        parse_source(source, None, policy)
    except SourceError as error:
        print(error.code)
    else:
        raise SystemExit(source)
"""
SPELLINGS = (
    *("ext::sh -c id", "fd::17", "file:///etc", "-x", "--upload-pack=id", "ssh://-oProxyCommand=id/a/b", "-oX=y:a/b"),
    *("git@github.com:a/b", "ext::https://github.com/a/b", "https://github.com/a/b ext::id", "git://github.com/a/b"),
    *("https://github.com:id@evil/a/b", "https://github.com/a/b?x=ext::id", "/etc", "\\\\host\\share", "a/b\n--x"),
)


def test_a_source_is_refused_before_any_process_or_connection_is_started() -> None:
    """R01."""
    command = [sys.executable, "-P", "-c", _NO_PROCESS, *SPELLINGS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.split()) == len(SPELLINGS)


async def test_git_itself_would_not_run_a_program_that_a_url_names(tmp_path: Path) -> None:
    """R01: should one ever get that far. Plain git, which runs it, is the knock-out."""
    marker = tmp_path / "marker"
    url = f"ext::sh -c touch% {marker}"
    settings = ("-c", "protocol.ext.allow=always")
    with pytest.raises(GitFailed):
        await run_git(tmp_path, *settings, "ls-remote", url)
    assert not marker.exists()
    plain = {**git_environment(), "GIT_ALLOW_PROTOCOL": "ext"}
    subprocess.run(["git", *settings, "ls-remote", url], cwd=tmp_path, env=plain, capture_output=True, check=False)
    assert marker.exists()


@contextmanager
def listening(location: str | None = None) -> Generator[tuple[int, list[str]]]:
    """A server that remembers what it was asked, and sends whoever asks to `location`."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(302 if location else 404)
            if location:
                self.send_header("Location", f"{location}{self.path}")
            self.end_headers()

        do_POST = do_GET  # noqa: N815 # as http.server calls it

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # named by the base class
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port, seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "[::ffff:127.0.0.1]"])
async def test_a_redirect_to_this_machine_is_not_followed_however_it_is_spelled(host: str) -> None:
    """R02: the knock-out is the same question with redirects allowed."""
    with listening() as (inner, seen), listening(f"http://{host}:{inner}") as (outer, asked):
        at = f"127.0.0.1:{outer}"
        policy = SourcePolicy((), (at,), at, f"http://{at}", "canary-token", 10**6)
        remote = remote_at(f"http://{at}/a/b.git", policy)
        with pytest.raises(CloneFailed):
            await look_up(remote, 30)
        assert (len(asked), seen) == (1, [])
        off = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.followRedirects", "GIT_CONFIG_VALUE_0": "true"}
        with pytest.raises(GitFailed):
            await run_git(Path("/"), "ls-remote", remote.url, environment={"GIT_ALLOW_PROTOCOL": "http", **off})
        assert seen or host.startswith("[")  # where this machine has no such address nothing can arrive


async def test_a_token_is_not_sent_on_to_where_a_later_answer_points(tmp_path: Path) -> None:
    """R02, K01: the first answer is in order, the second is a redirect."""
    with listening() as (inner, seen), forge(tmp_path, private=True) as github:
        github.fail("POST", "git-upload-pack", 302, headers={"Location": f"http://127.0.0.1:{inner}/x"}, times=9)
        with pytest.raises(CloneFailed):
            await bound_to(github, tmp_path / "home")
    assert seen == []


async def test_submodules_and_pointers_are_not_fetched_from_a_partial_clone_either(tmp_path: Path) -> None:
    """R13: `git submodule update`, which runs the program, is the knock-out."""
    marker = tmp_path / "marker"
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1\n"
    modules = f'[submodule "s"]\n\tpath = s\n\turl = ext::sh -c touch% {marker}\n'
    with forge(tmp_path) as github:
        work = tmp_path / "work"
        git(work, "update-index", "--add", "--cacheinfo", f"160000,{git(work, 'rev-parse', 'HEAD')},s")
        git(work, "commit", "-q", "-m", "submodule")
        (work / "s").mkdir()
        files = {".gitmodules": modules, ".gitattributes": "*.bin filter=lfs\n", "x.bin": pointer}
        commit = advance(tmp_path, github, files)
        bound = await bound_to(github, tmp_path / "home")
        assert {request.path.split("/")[1:3] == ["ada", "tool.git"] for request in github.requests} == {True}
    root = Path(bound.root)
    assert bound.commit == commit
    assert (root / "x.bin").read_text() == pointer
    assert list((root / "s").iterdir()) == []
    assert not marker.exists()
    plain = {**git_environment(), "GIT_ALLOW_PROTOCOL": "ext"}
    update = ["git", "-c", "protocol.ext.allow=always", "submodule", "update", "--init"]
    subprocess.run(update, cwd=root, env=plain, capture_output=True, check=False)
    assert marker.exists()


class Broken(FakeGitHub):
    """A forge whose connection ends in the middle of a pack."""

    def serve(self, request: Request) -> Reply:
        reply = super().serve(request)
        if b"command=fetch" not in request.body:
            return reply
        return Reply(reply.status, reply.headers, reply.body[: len(reply.body) // 2])


async def test_a_server_that_dies_in_the_middle_of_a_pack_leaves_no_mirror_and_no_checkout(tmp_path: Path) -> None:
    """R14."""
    home = tmp_path / "home"
    make_repository(tmp_path / "work", {f"{number}.txt": f"{number}\n" * 50 for number in range(50)})
    with Broken(tmp_path) as github:
        github.add_repository(NAME, from_repository=tmp_path / "work")
        allow_filter(github, NAME)
        with pytest.raises(CloneFailed):
            await bound_to(github, home)
    assert mirrors_in(home) == []
    assert list((home / "mirrors").glob("*.partial-*")) == []
    assert list((home / "workspaces" / "run").iterdir()) == []


async def test_a_run_that_is_cancelled_while_a_remote_is_fetched_leaves_nothing(tmp_path: Path) -> None:
    """R14."""
    home = tmp_path / "home"
    reached = anyio.Event()

    class Waiting(FakeGitHub):
        def serve(self, request: Request) -> Reply:
            if b"command=fetch" in request.body:
                anyio.from_thread.run_sync(reached.set, token=token)
                return Reply(500, [], b"")
            return super().serve(request)

    token = anyio.lowlevel.current_token()
    make_repository(tmp_path / "work", {"a.txt": "a\n"})
    with Waiting(tmp_path) as github:
        github.add_repository(NAME, from_repository=tmp_path / "work")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bound_to, github, home)
            await reached.wait()
            tasks.cancel_scope.cancel()
    assert list((home / "mirrors").glob("*.partial-*")) == []
    assert list((home / "workspaces" / "run").iterdir()) == []


async def test_names_and_contents_of_any_kind_in_a_folder_without_git_stay_valid_json(tmp_path: Path) -> None:
    """R10, R11."""
    folder = tmp_path / "plain"
    write_files(folder, {"a.py": "A = 1\n"})
    names = (
        b"new\nline.py",
        b"esc\x1b[31m.py",
        b"x" * 252 + b".py",
        b"bad\xff.py",
        b"CON",
        b"-rf.py",
        b"\xe2\x80\xae.py",
    )
    for raw in names:
        Path(os.fsdecode(bytes(folder) + b"/" + raw)).write_text("v = 1\n")
    contents = {
        "nul.py": b"a = 1\0\n" * 100,
        "utf16.py": "def f(): pass\n".encode("utf-16"),
        "line.js": b"x=1;" * 2_500_000,
        "nested.py": b"(" * 100_000,
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    async with connected(settings_for(tmp_path / "home", folder)) as client:
        envelope = await call(client, "analyse_repo", source=str(folder), focus="line")
    told = json.dumps(envelope, ensure_ascii=False)
    told.encode()  # no lone surrogate
    assert envelope["status"] == "COMPLETE"
    assert envelope["result"]["files"]["listed"] == 1 + len(names) + len(contents)
    assert not any(character in told for character in "\x1b\u202e")


async def test_a_huge_file_in_a_folder_without_git_is_not_read(tmp_path: Path) -> None:
    """R07: 2 GB of nothing, also where git would read rules for what is ignored."""
    folder = tmp_path / "plain"
    write_files(folder, {"a.py": "A = 1\n", "sub/b.py": "B = 1\n"})
    for name in ("huge.py", "sub/huge.bin"):
        with (folder / name).open("wb") as file:
            file.truncate(2 * 1024**3)
    async with connected(settings_for(tmp_path / "home", folder)) as client:
        with anyio.fail_after(30):
            result = (await call(client, "analyse_repo", source=str(folder)))["result"]
    assert result["files"]["analysed"] == 2
