"""Mirrors that several processes use at once, that were damaged, or whose maker was killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from fakes.github import FakeGitHub, Reply, Request
from repowright_tools.errors import CloneFailed
from repowright_tools.git.clone import folder_bytes
from repowright_tools.git.locks import lock_now, locked
from repowright_tools.git.mirrors import Found, MirrorLimits, Mirrors, Wanted
from repowright_tools.git.policy import SourcePolicy
from repowright_tools.git.remote import remote_at
from support.remotes import MOST, NAME, advance, allow_filter, bound_to, forge, mirrors_in, policy_for
from support.repositories import git, make_repository

pytestmark = pytest.mark.anyio

_PROGRAM = f"""
import json, os, signal, sys
sys.path[:0] = {sys.path!r}
import anyio
from pathlib import Path
from repowright_tools.git import mirrors
from repowright_tools.git.policy import SourcePolicy
from repowright_tools.git.source import bind, parse_source
from repowright_tools.git.workspace import Identity, Workspace
policy, folder, name, last = json.loads(sys.argv[1])
policy = SourcePolicy(**{{**policy, "mirrors": Path(policy["mirrors"])}})
steps = 0
def step(event, arguments):
    global steps
    if event in {{"os.rename", "shutil.rmtree", "subprocess.Popen", "os.remove", "tempfile.mkdtemp"}}:
        steps += 1
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(step)
workspace = Workspace(Path(folder), Identity("Bot", "b@example.org"), policy.max_bytes, policy)
bound = anyio.run(lambda: bind(parse_source(name, None, policy), workspace, policy))
print(bound.commit, steps)
"""


def start(policy: SourcePolicy, folder: Path, name: str = NAME, last: int = 0) -> "subprocess.Popen[str]":
    """A process that binds a run; it kills itself before its step number `last`."""
    told = json.dumps([{**asdict(policy), "mirrors": str(policy.mirrors)}, str(folder), name, last])
    command = [sys.executable, "-P", "-c", _PROGRAM, told]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def ended(processes: Sequence["subprocess.Popen[str]"]) -> list[list[str]]:
    """What each of the processes printed."""
    done = [process.communicate(timeout=60) for process in processes]
    assert [error for _, error in done if error] == []
    return [output.split() for output, _ in done]


def fetches(github: FakeGitHub, name: str) -> int:
    """Requests for commits: those for single files compare no history."""
    return sum(
        f"/{name}.git/git-upload-pack" in each.path and b"command=fetch" in each.body and b"want " in each.body
        for each in github.requests
    )


def test_processes_at_once_share_one_mirror_of_each_remote(tmp_path: Path) -> None:
    """G09: four of one remote, two of another."""
    home, other = tmp_path / "home", "ada/other"
    with forge(tmp_path) as github:
        make_repository(tmp_path / "other", {"b.txt": "b\n"})
        github.add_repository(other, from_repository=tmp_path / "other")
        allow_filter(github, other)
        policy = policy_for(github, home)
        names = [NAME, other, NAME, NAME, other, NAME]
        runs = [home / "workspaces" / str(number) for number in range(len(names))]
        told = ended([start(policy, run, name) for run, name in zip(runs, names, strict=True)])
        counts = [fetches(github, NAME), fetches(github, other)]
    heads = {NAME: git(tmp_path / "work", "rev-parse", "HEAD"), other: git(tmp_path / "other", "rev-parse", "HEAD")}
    assert [commit for commit, _ in told] == [heads[name] for name in names]
    assert [git(run / "source", "rev-parse", "HEAD") for run in runs] == [heads[name] for name in names]
    assert counts == [2, 2]  # the history, and the files of the commit
    assert len(mirrors_in(home)) == 2


async def test_a_remote_that_moves_while_many_runs_read_it_gives_each_a_commit_that_it_had(tmp_path: Path) -> None:
    """G09."""
    home = tmp_path / "home"
    commits: list[str] = []
    bounds: list[str] = []
    with forge(tmp_path) as github:
        heads = [git(tmp_path / "work", "rev-parse", "HEAD")]

        async def run(number: int) -> None:
            bound = await bound_to(github, home, f"run-{number}")
            bounds.append(bound.pinned())
            commits.append(git(Path(bound.root), "rev-parse", "HEAD"))

        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(run, number)
                heads.append(advance(tmp_path, github, {"a.txt": f"{number}\n"}))
                await anyio.lowlevel.checkpoint()
    assert bounds == commits
    assert set(commits) <= set(heads)


def test_a_process_that_is_killed_at_any_step_leaves_a_mirror_that_works(tmp_path: Path) -> None:
    """R14, G10: before each folder that is made, moved or removed and each git that is started, of a first run and of
    an update.
    """
    home = tmp_path / "home"
    with forge(tmp_path) as github:
        first = policy_for(github, home / "counting")
        total = int(ended([start(first, home / "counting" / "run")])[0][1])
        assert total > 10
        policy = policy_for(github, home / "same")  # which sees a kill at every step, two at a time
        for last in range(1, total + 1, 2):
            pair = [start(policy, home / "same" / f"run-{each}", last=each) for each in (last, last + 1)]
            for killed in pair:
                assert killed.wait(60) in (-signal.SIGKILL, 0)  # an update has fewer steps
                killed.communicate()
            for mirror in mirrors_in(home / "same"):  # half of one never has that name
                assert git(mirror, "for-each-ref", "refs/heads")
            if last % 3 == 0:
                advance(tmp_path, github, {"a.txt": f"{last}\n"})
        told = ended([start(policy_for(github, home / "same"), home / "same" / "run")])
    assert told[0][0] == git(tmp_path / "work", "rev-parse", "HEAD")
    assert git(home / "same" / "run" / "source", "status", "--porcelain") == ""
    assert len(mirrors_in(home / "same")) == 1
    assert [path.name for path in (home / "same" / "mirrors").glob("*.partial-*")] == []


@dataclass
class Slow(FakeGitHub):
    """A forge that keeps fetches waiting until it is told."""

    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Slow":
        super().__enter__()
        return self

    def serve(self, request: Request) -> Reply:
        if b"command=fetch" in request.body:
            self.reached.set()
            self.go.wait(60)
        return super().serve(request)


async def test_what_a_killed_process_started_keeps_the_mirror_locked_until_it_ends(tmp_path: Path) -> None:
    """G10: its git lives on, and what it writes is not taken for left behind."""
    make_repository(tmp_path / "work", {"a.txt": "a\n"})
    with Slow(tmp_path) as github:
        github.add_repository(NAME, from_repository=tmp_path / "work")
        policy = policy_for(github, tmp_path / "home")
        process = start(policy, tmp_path / "home" / "run")
        assert await anyio.to_thread.run_sync(github.reached.wait, 60)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        (path,) = (tmp_path / "home" / "mirrors").glob("*.lock")
        assert lock_now(path) is None
        github.go.set()
        with anyio.fail_after(60):
            async with locked(path, alone=True):
                pass
            assert (await bound_to(github, tmp_path / "home")).commit == git(tmp_path / "work", "rev-parse", "HEAD")


def damage_packs(mirror: Path) -> None:
    for path in mirror.glob("objects/pack/*.pack"):
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:40])


def lose_packs(mirror: Path) -> None:
    for path in mirror.glob("objects/pack/*"):
        path.unlink()


def flip_bits(mirror: Path) -> None:
    for path in mirror.glob("objects/pack/*.pack"):
        path.chmod(0o600)
        data = path.read_bytes()
        path.write_bytes(data[:12] + bytes(each ^ 0xFF for each in data[12:-20]) + data[-20:])


def spoil_config(mirror: Path) -> None:
    (mirror / "config").write_bytes(b"\0[[[")


def spoil_head(mirror: Path) -> None:
    (mirror / "HEAD").write_bytes(b"")


def lose_everything(mirror: Path) -> None:
    for path in sorted(mirror.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("harm", [damage_packs, lose_packs, flip_bits, spoil_config, spoil_head, lose_everything])
async def test_a_damaged_mirror_is_made_anew_and_that_is_said(
    tmp_path: Path, harm: Callable[[Path], None], moved: bool
) -> None:
    home = tmp_path / "home"
    with forge(tmp_path) as github:
        await bound_to(github, home, "one")
        harm(mirrors_in(home)[0])
        commit = git(tmp_path / "work", "rev-parse", "HEAD")
        if moved:
            commit = advance(tmp_path, github, {"new.txt": "new\n"})
        bound = await bound_to(github, home, "two")
    assert bound.commit == commit
    assert git(Path(bound.root), "status", "--porcelain") == ""
    assert [warning.code for warning in bound.warnings] == ["mirror_rebuilt"]


async def test_a_remote_that_fails_is_not_taken_for_a_damaged_mirror(tmp_path: Path) -> None:
    """R14: the mirror is kept, and nobody is told that it was damaged."""
    home = tmp_path / "home"
    with forge(tmp_path) as github:
        await bound_to(github, home)
        (mirror,) = mirrors_in(home)
        made = mirror.stat().st_ino
        commit = advance(tmp_path, github, {"new.txt": "new\n"})
        for broken in ("info/refs", "git-upload-pack"):
            github.fail("GET" if broken == "info/refs" else "POST", broken, 500)
            with pytest.raises(CloneFailed):
                await bound_to(github, home)
        bound = await bound_to(github, home)
    assert (bound.commit, bound.warnings) == (commit, ())
    assert mirrors_in(home)[0].stat().st_ino == made


async def lend(github: FakeGitHub, home: Path, name: str, limits: MirrorLimits) -> Path:
    """Use the mirror of a repository under limits; returns its folder."""

    async def look(found: Found) -> Path:
        return found.mirror.folder

    policy = policy_for(github, home)
    mirrors = Mirrors(home / "mirrors", limits, warn=lambda _: None)
    return await mirrors.lend(Wanted(remote_at(github.clone_url(name), policy), None), look)


LIMITS: dict[str, Callable[[int], MirrorLimits]] = {
    "number": lambda _: MirrorLimits(MOST, count=2),
    "age": lambda _: MirrorLimits(MOST, unused_s=3600),
    "size": lambda of_one: MirrorLimits(of_one * 5 // 2),
}


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)
async def test_mirrors_that_were_used_least_recently_make_room(
    tmp_path: Path, limits: Callable[[int], MirrorLimits]
) -> None:
    """R07."""
    home = tmp_path / "home"
    free = MirrorLimits(MOST)
    with forge(tmp_path) as github:
        for name in ("ada/old", "ada/busy", "ada/new"):
            github.add_repository(name, from_repository=tmp_path / "work")
        old, busy = await lend(github, home, "ada/old", free), await lend(github, home, "ada/busy", free)
        for number, folder in enumerate((old, busy)):
            used = time.time() - 7200 + number
            os.utime(folder.with_name(f"{folder.name}.lock"), (used, used))
        async with locked(busy.with_name(f"{busy.name}.lock"), alone=False):
            new = await lend(github, home, "ada/new", limits(folder_bytes(old)))
    assert set(mirrors_in(home)) == {busy, new}
    assert not old.with_name(f"{old.name}.lock").exists()
    assert list((home / "mirrors").glob("*.partial-*")) == []


async def test_a_lock_that_was_pruned_meanwhile_is_taken_on_the_file_that_is_there_now(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    entered: list[str] = []

    async def wait() -> None:
        async with locked(path, alone=True):
            entered.append("waited")
            assert path.exists()

    async with anyio.create_task_group() as tasks:
        async with locked(path, alone=True):
            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            path.unlink()
        async with locked(path, alone=True):
            entered.append("new")
            await anyio.wait_all_tasks_blocked()
            assert lock_now(path) is None
    assert sorted(entered) == ["new", "waited"]
