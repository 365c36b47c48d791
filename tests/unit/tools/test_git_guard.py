"""How git is started: bounded, hardened, and without the secrets of this process."""

import os
from pathlib import Path
from time import monotonic

import anyio
import pytest

from repowright_tools.errors import WorkspaceTooLarge
from repowright_tools.git.clone import clone_whole
from repowright_tools.git.credentials import credential_environment
from repowright_tools.git.guard import GitFailed, GitFlooded, GitLate, run_git
from repowright_tools.git.workspace import Identity, Workspace
from repowright_tools.secrets import register_secret
from support.ports import bound
from support.repositories import make_repository

pytestmark = pytest.mark.anyio
CANARY = "canary-key-of-the-server"


def shell(command: str) -> tuple[str, ...]:
    """Arguments that make git run a shell command: a stand-in for whatever git may start."""
    return ("-c", f"alias.stand-in=!{command}", "stand-in")


def alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_at_the_deadline_git_and_its_children_are_gone(tmp_path: Path) -> None:
    started = monotonic()
    with pytest.raises(GitLate):
        await run_git(tmp_path, *shell("sleep 60 & echo $! > child; wait"), deadline_s=0.5)
    assert monotonic() - started < 10
    child = int((tmp_path / "child").read_text())
    with anyio.fail_after(10):
        while alive(child):
            await anyio.sleep(0.01)


async def test_a_cancelled_call_leaves_no_process(tmp_path: Path) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(run_git, tmp_path, *shell("sleep 60 & echo $! > child; wait"))
        with anyio.fail_after(10):
            while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    child = int((tmp_path / "child").read_text())
    with anyio.fail_after(10):
        while alive(child):
            await anyio.sleep(0.01)


async def test_git_that_prints_without_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(GitFlooded):
        await run_git(tmp_path, *shell("yes"), max_output=100_000)


async def test_what_git_says_on_failure_is_redacted(tmp_path: Path) -> None:
    """K02."""
    register_secret(CANARY)
    with pytest.raises(GitFailed) as failed:
        await run_git(tmp_path, *shell(f"echo fatal: {CANARY} >&2; exit 3; #"))
    assert failed.value.returncode == 3
    assert "fatal:" in failed.value.stderr
    assert CANARY not in str(failed.value)


async def test_git_reads_what_it_is_given_and_may_end_before_the_end(tmp_path: Path) -> None:
    assert (
        await run_git(tmp_path, "hash-object", "--stdin", stdin=b"x\n") == b"587be6b4c3f93f93c489c0111bba5596147a26cb\n"
    )
    assert await run_git(tmp_path, *shell("true"), stdin=b"x" * 10_000_000) == b""


async def test_no_variable_of_this_process_reaches_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """K01: nor one that would change what git does."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "/nowhere")
    told = (await run_git(tmp_path, *shell("env"))).decode()
    assert CANARY not in told
    assert "/nowhere" not in told
    assert "PATH=" in told


async def test_nor_does_it_reach_a_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """K01: the clone is started by a library with an environment of its own."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    make_repository(tmp_path / "source", {"a": "a"})
    seen = tmp_path / "seen"
    hook = tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\nenv > {seen}\nexec "$@"\n')
    hook.chmod(0o755)
    settings = tmp_path / "settings"
    settings.write_text(f"[uploadpack]\n\tpackObjectsHook = {hook}\n")

    await clone_whole(
        str(tmp_path / "source"),
        tmp_path / "clone",
        environment={"GIT_ALLOW_PROTOCOL": "file", "GIT_CONFIG_GLOBAL": str(settings)},
        deadline_s=60,
        max_bytes=10_000_000,
        finish=nothing_more,
    )
    assert "GIT_CONFIG_NOSYSTEM=1" in seen.read_text()
    assert CANARY not in seen.read_text()


async def nothing_more(folder: Path) -> None:
    assert folder.is_dir()


async def test_a_clone_is_ended_when_its_history_alone_is_larger_than_the_limit(tmp_path: Path) -> None:
    """R07."""
    make_repository(tmp_path / "source", {"a": "a"})
    with pytest.raises(WorkspaceTooLarge):
        await clone_whole(
            str(tmp_path / "source"),
            tmp_path / "clone",
            environment={"GIT_ALLOW_PROTOCOL": "file"},
            deadline_s=60,
            max_bytes=1000,
            finish=nothing_more,
        )
    assert [entry.name for entry in tmp_path.iterdir()] == ["source"]


async def test_a_cancelled_clone_leaves_neither_process_nor_folder(tmp_path: Path) -> None:
    source = tmp_path / "source"
    repository = bound(source, make_repository(source, {"a": "a"}))
    workspace = Workspace(tmp_path / "workspace", Identity("Bot", "bot@example.org"), 10_000_000)
    os.mkfifo(source / ".git" / "shallow")  # git's upload side blocks when it opens this
    async with anyio.create_task_group() as group:
        group.start_soon(workspace.clone, repository)
        with anyio.fail_after(10):
            while not list(workspace.root.glob("clone.partial-*/.git/HEAD")):
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    assert [entry.name for entry in workspace.root.iterdir()] == ["gitconfig"]


def test_the_token_is_bound_to_the_host_of_the_url_and_is_in_no_argument() -> None:
    """K01."""
    environment = credential_environment("https://github.com/a/b.git", CANARY)
    keys = [value for name, value in environment.items() if name.startswith("GIT_CONFIG_KEY_")]
    assert keys[-1] == "http.https://github.com/.extraHeader"
    assert int(environment["GIT_CONFIG_COUNT"]) == len(keys)
    assert "core.hooksPath" in keys
    for url, token in (
        ("/srv/bare.git", CANARY),
        ("ssh://git@github.com/a/b", CANARY),
        ("https://github.com/a/b", None),
    ):
        assert not any("extraHeader" in value for value in credential_environment(url, token).values())
