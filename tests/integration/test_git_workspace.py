"""The clean clone: whole or absent, apart from the user's tree, and the same commit for the same work."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from repowright_tools.errors import BranchMissing, InvalidRef, NothingToChange, WorkspaceTooLarge
from repowright_tools.git.changes import FileChange
from repowright_tools.git.workspace import Identity, Workspace
from repowright_tools.stage import BoundRepository
from support.ports import bound
from support.repositories import git, make_repository, write_files

pytestmark = pytest.mark.anyio
MOST = 10_000_000
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
IDENTITY = Identity("Bot", "bot@example.org")


@pytest.fixture
def repository(tmp_path: Path) -> BoundRepository:
    folder = tmp_path / "repository"
    return bound(folder, make_repository(folder, {"a.txt": "one\n", "b.txt": "same\n" * 9, "c.txt": "c\n"}))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "runs" / "workspace", IDENTITY, MOST)


async def test_the_clone_is_at_the_pinned_commit_without_uncommitted_changes(
    repository: BoundRepository, workspace: Workspace
) -> None:
    user = Path(repository.root)
    write_files(user, {"a.txt": "uncommitted\n", "new.txt": "new\n"})
    clone = await workspace.clone(repository)
    assert clone == workspace.clone_path
    assert (clone / "a.txt").read_text() == "one\n"
    assert git(clone, "status", "--porcelain") == ""
    assert git(user, "status", "--porcelain") == " M a.txt\n?? new.txt"
    assert workspace.root.stat().st_mode & 0o777 == 0o700


async def test_neither_configuration_nor_alternates_travel(repository: BoundRepository, workspace: Workspace) -> None:
    git(Path(repository.root), "config", "filter.x.clean", "false")
    clone = await workspace.clone(repository)
    assert "filter" not in (clone / ".git" / "config").read_text()
    assert not (clone / ".git" / "objects" / "info" / "alternates").exists()
    assert not (clone / ".git" / "hooks").exists() or list((clone / ".git" / "hooks").glob("[!.]*[!e]")) == []


async def test_a_link_in_the_repository_is_a_plain_file_in_the_clone(tmp_path: Path, workspace: Workspace) -> None:
    """R05."""
    folder = tmp_path / "linked"
    make_repository(folder, {"a.txt": "a\n"})
    (folder / "link").symlink_to("/etc/passwd")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "link")
    clone = await workspace.clone(bound(folder, git(folder, "rev-parse", "HEAD")))
    assert not (clone / "link").is_symlink()
    assert (clone / "link").read_text() == "/etc/passwd"
    (clone / "a.txt").write_text("b\n")
    head = await workspace.commit("m", [], when=WHEN)
    assert git(clone, "ls-tree", head, "link").startswith("120000")


async def test_the_same_work_makes_the_same_commit_and_carries_its_trailers(
    repository: BoundRepository, workspace: Workspace
) -> None:
    clone = await workspace.clone(repository)
    heads: list[str] = []
    for _ in range(2):
        await workspace.start_branch("repowright/x", repository.pinned())
        write_files(clone, {"a.txt": "two\n", "new.log": "n\n"})
        heads.append(await workspace.commit("Subject\n\nBody", [("Task", "T1\nEvil: x"), ("Run", "r_1")], when=WHEN))
    assert heads[0] == heads[1]
    told = git(clone, "log", "-1", "--format=%an <%ae> %at %cn %ct%n%B")
    stamp = int(WHEN.timestamp())
    assert told == f"Bot <bot@example.org> {stamp} Bot {stamp}\nSubject\n\nBody\n\nTask: T1 Evil: x\nRun: r_1"
    assert git(clone, "symbolic-ref", "HEAD") == "refs/heads/repowright/x"


async def test_an_unchanged_tree_is_not_committed(repository: BoundRepository, workspace: Workspace) -> None:
    await workspace.clone(repository)
    with pytest.raises(NothingToChange):
        await workspace.commit("m", [], when=WHEN)


async def test_changes_name_renames_additions_and_binary_files(
    repository: BoundRepository, workspace: Workspace
) -> None:
    clone = await workspace.clone(repository)
    (clone / "b.txt").rename(clone / "moved to.txt")
    (clone / "c.txt").unlink()
    (clone / "bin").write_bytes(b"\0\1")
    write_files(clone, {"a.txt": "one\ntwo\n", "ignored.log": "x\n"})
    head = await workspace.commit("m", [], when=WHEN)
    assert await workspace.changes(repository.pinned(), head) == [
        FileChange("a.txt", "a.txt", "modified", 1, 0),
        FileChange("bin", "bin", "added", 0, 0),
        FileChange("c.txt", "c.txt", "deleted", 0, 1),
        FileChange("ignored.log", "ignored.log", "added", 1, 0),
        FileChange("moved to.txt", "b.txt", "renamed", 0, 0),
    ]
    diff = await workspace.diff(repository.pinned(), head)
    await workspace.reset(repository.pinned())
    subprocess.run(["git", "apply", "--index", "-"], input=diff.encode(), cwd=clone, check=True)
    assert git(clone, "write-tree") == git(clone, "rev-parse", f"{head}^{{tree}}")


@pytest.mark.parametrize("name", ["--output=/tmp/x", "-d", "HEAD", "a..b", "@{-1}", "", "x" * 300])
async def test_a_name_that_is_no_branch_starts_none(
    repository: BoundRepository, workspace: Workspace, name: str
) -> None:
    """G04."""
    await workspace.clone(repository)
    for call in (
        workspace.start_branch(name, repository.pinned()),
        workspace.start_branch("x", name),
        workspace.reset(name),
        workspace.diff(name, repository.pinned()),
        workspace.fetch_branch(repository, name),
    ):
        with pytest.raises(InvalidRef):
            await call


async def test_a_branch_of_the_user_is_brought_in_as_it_is_now(
    repository: BoundRepository, workspace: Workspace
) -> None:
    await workspace.clone(repository)
    user = Path(repository.root)
    git(user, "checkout", "-q", "-b", "feature/x")
    write_files(user, {"d.txt": "d\n"})
    git(user, "add", "-A")
    git(user, "commit", "-q", "-m", "later")
    assert await workspace.fetch_branch(repository, "feature/x") == git(user, "rev-parse", "HEAD")
    with pytest.raises(BranchMissing):
        await workspace.fetch_branch(repository, "nowhere")


async def test_two_runs_on_one_repository_do_not_meet(repository: BoundRepository, tmp_path: Path) -> None:
    """G09."""
    heads: dict[int, str] = {}

    async def work(number: int) -> None:
        own = Workspace(tmp_path / f"run-{number}", IDENTITY, MOST)
        clone = await own.clone(repository)
        await own.start_branch("repowright/same-name", repository.pinned())
        write_files(clone, {"a.txt": f"{number}\n"})
        heads[number] = await own.commit("m", [], when=WHEN)

    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(work, number)
    assert len(set(heads.values())) == 4
    assert git(Path(repository.root), "branch", "--list") == "* main"


async def test_locks_that_a_killed_process_left_are_removed(repository: BoundRepository, workspace: Workspace) -> None:
    """G10."""
    clone = await workspace.clone(repository)
    for name in ("index.lock", "HEAD.lock", "config.lock", "refs/heads/repowright/x.lock"):
        (clone / ".git" / name).write_text("")
    assert await workspace.clone(repository) == clone
    await workspace.start_branch("repowright/x", repository.pinned())
    write_files(clone, {"a.txt": "two\n"})
    await workspace.commit("m", [], when=WHEN)


async def test_a_clone_that_was_killed_half_way_is_made_anew(repository: BoundRepository, workspace: Workspace) -> None:
    """G10, R14: kill -9 in the middle of the clone, which the blocked upload side guarantees."""
    program = f"""
import sys, anyio
sys.path[:0] = {sys.path!r}
from pathlib import Path
from repowright_tools.git.workspace import Identity, Workspace
from repowright_tools.stage import BoundRepository
repository = BoundRepository.model_validate_json(sys.argv[1])
anyio.run(Workspace(Path(sys.argv[2]), Identity("Bot", "b@example.org"), 10**7).clone, repository)
"""
    (fifo := Path(repository.root) / ".git" / "shallow").unlink(missing_ok=True)
    os.mkfifo(fifo)  # git's upload side blocks when it opens this
    arguments = [sys.executable, "-c", program, repository.model_dump_json(), str(workspace.root)]
    killed = subprocess.Popen(arguments, start_new_session=True)
    try:
        with anyio.fail_after(30):
            while not list(workspace.root.glob("clone.partial-*/.git/HEAD")):
                await anyio.sleep(0.01)
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    descriptor = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
    fifo.unlink()
    os.close(descriptor)
    assert not workspace.clone_path.exists()
    clone = await workspace.clone(repository)
    assert git(clone, "rev-parse", "HEAD") == repository.commit
    assert git(clone, "status", "--porcelain") == ""


async def test_a_clone_larger_than_the_limit_leaves_nothing(repository: BoundRepository, tmp_path: Path) -> None:
    """R07."""
    small = Workspace(tmp_path / "small", IDENTITY, 1000)
    with pytest.raises(WorkspaceTooLarge):
        await small.clone(repository)
    assert [entry.name for entry in small.root.iterdir()] == ["gitconfig"]
