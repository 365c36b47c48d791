"""The server as a process: how it starts, and how it ends without leaving anything behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import pytest

from fakes.messages_api import MessagesApi
from fakes.messages_script import Hang
from support.repositories import make_repository

COMMAND = [sys.executable, "-I", "-m", "repowright_server"]
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


class Server:
    """A server process that is talked to line by line."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        whole = {"PATH": os.environ["PATH"], "REPOWRIGHT_HOME": str(home), "LLM_PROVIDER": "host"} | environment
        self.process = subprocess.Popen(
            [*COMMAND, "serve", *arguments], env=whole, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._id = 0

    @property
    def stdin(self) -> IO[str]:
        return cast("IO[str]", self.process.stdin)

    def send(self, method: str, params: dict[str, Any], *, notify: bool = False) -> None:
        self._id += 0 if notify else 1
        numbered = {} if notify else {"id": self._id}
        self.stdin.write(json.dumps({"jsonrpc": "2.0", "method": method, "params": params} | numbered) + "\n")
        self.stdin.flush()

    def read(self) -> dict[str, Any]:
        line = cast("IO[str]", self.process.stdout).readline()
        message: dict[str, Any] = json.loads(line)
        return message

    def shake_hands(self) -> None:
        self.send("initialize", HELLO)
        assert "result" in self.read()
        self.send("notifications/initialized", {}, notify=True)

    def call(self, tool: str, **arguments: Any) -> None:
        self.send("tools/call", {"name": tool, "arguments": arguments})

    def answer(self) -> dict[str, Any]:
        message = self.read()
        while "result" not in message:
            message = self.read()
        envelope: dict[str, Any] = message["result"]["structuredContent"]
        return envelope

    def ended(self, within_s: float) -> int:
        return self.process.wait(within_s)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        with suppress(BrokenPipeError):
            self.stdin.close()
        cast("IO[str]", self.process.stdout).close()


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi() as server:
        yield server


@pytest.fixture
def thinking(tmp_path: Path, api: MessagesApi) -> Iterator[tuple[Server, str]]:
    """A server with a call in flight, whose model does not answer."""
    make_repository(tmp_path / "work", {"a.py": "x = 1\n"})
    api.then(Hang())
    settings = {"LLM_PROVIDER": "anthropic", "ANTHROPIC_API_KEY": "sk-ant-test", "ANTHROPIC_BASE_URL": api.url}
    with Server(tmp_path / "home", "--allow-root", str(tmp_path / "work"), **settings) as server:
        server.shake_hands()
        server.call("plan_feature", request="anything", wait_s=0)
        run_id = server.answer()["run_id"]
        server.call("plan_feature", request="anything", run_id=run_id)
        api.wait_for(1)
        yield server, run_id


@pytest.mark.parametrize("end", ["eof", "SIGTERM", "SIGINT"])
def test_the_end_of_input_and_signals_end_the_server_soon_and_leave_the_work_resumable(
    thinking: tuple[Server, str], tmp_path: Path, end: str
) -> None:
    """M05 L16"""
    server, run_id = thinking
    began = time.monotonic()
    if end == "eof":
        server.stdin.close()
    else:
        server.process.send_signal(signal.Signals[end])
    status = server.ended(within_s=5)
    took = time.monotonic() - began

    assert status == (0 if end == "eof" else 128 + signal.Signals[end])
    assert took < 5
    shown = _run(tmp_path / "home", "runs", "show", run_id)
    assert "IN_PROGRESS" in shown.stdout


def test_a_cancelled_call_ends_its_attempt(thinking: tuple[Server, str], tmp_path: Path) -> None:
    """S21"""
    server, run_id = thinking
    server.send("notifications/cancelled", {"requestId": 3, "reason": "the user said so"}, notify=True)
    server.call("get_run", run_id=run_id, wait_s=10)

    (stage,) = server.answer()["result"]["stages"]
    assert stage["status"] == "CANCELLED"
    assert "CANCELLED" in _run(tmp_path / "home", "runs", "show", run_id).stdout


def test_without_a_key_the_server_refuses_to_start_and_says_which_providers_need_none(tmp_path: Path) -> None:
    done = _run(tmp_path, "serve", LLM_PROVIDER="anthropic")

    assert done.returncode == 2
    assert done.stdout == ""
    assert all(word in done.stderr for word in ("ANTHROPIC_API_KEY", "host", "scripted"))


def test_a_wrong_setting_is_named_before_anything_starts(tmp_path: Path) -> None:
    done = _run(tmp_path, "serve", WAIT_S="soon")

    assert (done.returncode, done.stdout) == (2, "")
    assert "WAIT_S" in done.stderr


@pytest.mark.parametrize("line", ["not json", "[]", '{"jsonrpc": "2.0", "id": 9, "method": "no/such"}', '{"a":' * 2000])
def test_malformed_input_does_not_end_the_server(tmp_path: Path, line: str) -> None:
    """M02"""
    with Server(tmp_path) as server:
        server.shake_hands()
        server.stdin.write(f"{line}\n")
        server.stdin.flush()
        server.send("tools/list", {})
        message = server.read()
        while message.get("id") != 2:
            message = server.read()
        server.stdin.close()

        assert len(message["result"]["tools"]) == 9
        assert server.ended(within_s=5) == 0


def test_a_started_server_has_imported_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, anyio\n"
        "from repowright_server.app import build_server\n"
        "from repowright_server.settings import load_settings\n"
        "server = build_server(load_settings())\n"
        "anyio.run(server.list_tools)\n"
        "heavy = {'anthropic', 'openai', 'github', 'docker', 'git', 'tree_sitter', 'sqlalchemy', 'tiktoken'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], env={"REPOWRIGHT_HOME": str(tmp_path)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip

    assert done.stdout.strip() == "[]"


def test_the_packages_of_an_opened_repository_are_not_imported(tmp_path: Path) -> None:
    """An IDE starts the server inside other people's repositories, which have folders called server and tools."""
    make_repository(
        tmp_path / "work",
        {f"{name}/__init__.py": "raise SystemExit('hostile')\n" for name in ("server", "tools", "anyio", "mcp")},
    )
    done = subprocess.run(
        [*COMMAND, "--version"], cwd=tmp_path / "work", capture_output=True, text=True, check=True,
        env={"PATH": os.environ["PATH"], "REPOWRIGHT_HOME": str(tmp_path)},
    )  # fmt: skip

    assert done.stdout.startswith("repowright ")


def _run(home: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    whole = {"PATH": os.environ["PATH"], "REPOWRIGHT_HOME": str(home), "LLM_PROVIDER": "host"} | environment
    return subprocess.run([*COMMAND, *arguments], env=whole, capture_output=True, text=True, check=False, timeout=60)
