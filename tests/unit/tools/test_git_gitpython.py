"""How GitPython is let start git: bounded, hardened, and without the secrets of this process."""

import traceback
from pathlib import Path
from time import monotonic

import anyio
import pytest

from repowright_tools.git.gitpython import run_gitpython
from repowright_tools.git.guard import GitFailed, GitLate, config_environment
from repowright_tools.secrets import register_secret

pytestmark = pytest.mark.anyio
CANARY = "canary-key-of-the-server"


async def run(folder: Path, command: str, *, deadline_s: float = 60) -> None:
    """Have git run a shell command: a stand-in for whatever git may start."""
    environment = config_environment({"alias.stand-in": f"!{command}"})
    await run_gitpython(folder, "stand-in", environment=environment, deadline_s=deadline_s)


async def gone(process_id: int) -> None:
    """Return when there is no such process any more, or only its remains."""
    with anyio.fail_after(10):
        while True:
            try:
                state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
            except FileNotFoundError:
                return
            if state == "Z":
                return
            await anyio.sleep(0.01)


async def test_at_the_deadline_git_under_gitpython_and_its_children_are_gone(tmp_path: Path) -> None:
    started = monotonic()
    with pytest.raises(GitLate):
        await run(tmp_path, "sleep 60 & echo $! > child; wait", deadline_s=0.5)
    assert monotonic() - started < 10
    await gone(int((tmp_path / "child").read_text()))


async def test_a_cancelled_call_of_gitpython_leaves_no_process(tmp_path: Path) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(run, tmp_path, "sleep 60 & echo $! > child; wait")
        with anyio.fail_after(10):
            while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    await gone(int((tmp_path / "child").read_text()))


async def test_git_under_gitpython_knows_nothing_of_this_processs_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """K01: also what would change how git behaves."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    await run(tmp_path, "env > seen")
    seen = (tmp_path / "seen").read_text()
    assert CANARY not in seen
    assert "HOME=/nonexistent" in seen
    assert "GIT_ALLOW_PROTOCOL=none" in seen
    assert not (tmp_path / "trace").exists()


async def test_a_failure_of_gitpython_says_what_git_said_without_secrets_and_its_command_line(tmp_path: Path) -> None:
    """K01."""
    register_secret(CANARY)
    with pytest.raises(GitFailed) as raised:
        await run(tmp_path, f"echo no such thing: {CANARY} >&2; exit 3")
    assert raised.value.returncode == 3
    assert "no such thing: " in raised.value.stderr
    told = "".join(traceback.format_exception(raised.value))
    assert CANARY not in told
    assert "HOME" not in told


async def test_a_flood_of_messages_does_not_stop_git_and_its_last_part_is_kept(tmp_path: Path) -> None:
    with pytest.raises(GitFailed) as raised:
        await run(tmp_path, "yes remote: spam | head -n 200000 >&2; echo the end >&2; exit 1")
    assert raised.value.stderr.endswith("the end")
    assert len(raised.value.stderr) <= 64 * 1024
