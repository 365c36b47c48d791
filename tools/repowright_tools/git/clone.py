"""A clone under a deadline and a size cap, that is there whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import anyio

from repowright_tools.errors import CloneFailed, CloneTimeout, WorkspaceTooLarge
from repowright_tools.git.gitpython import Processes, attended, translated, watched_git
from repowright_tools.git.guard import GitFailed, git_environment, run_git
from repowright_tools.threads import in_thread

CLONE_DEADLINE_S = 300.0
_POLL_S = 0.5
_PARTIAL = ".partial-"
PARTIAL_CLONE = {
    "core.repositoryformatversion": "1",
    "extensions.partialClone": "origin",
    "remote.origin.promisor": "true",
    "remote.origin.partialclonefilter": "blob:none",
}
"""What tells git that missing files are none that got lost."""


async def clone_whole(
    url: str,
    destination: Path,
    *,
    environment: Mapping[str, str],
    deadline_s: float,
    max_bytes: int,
    finish: Callable[[Path], Awaitable[None]],
) -> None:
    """Clone `url`; `destination` appears only when the clone is complete and finished.

    No submodule, no LFS object and no configuration comes along, and no object is shared with anything on disk.

    Args:
        url: a checked URL, or an absolute path.
        destination: the folder to make; its parent exists.
        environment: additions to the hardened environment; names the one protocol in GIT_ALLOW_PROTOCOL.
        deadline_s: seconds until the clone is killed.
        max_bytes: size on disk at which the clone is killed.
        finish: what else belongs to it, such as the checkout; within the same deadline.

    Raises:
        CloneTimeout, WorkspaceTooLarge, CloneFailed: with nothing left behind.
    """

    async def fill(partial: Path) -> None:
        await _clone(url, partial, environment, max_bytes)
        await run_git(partial, "config", "core.symlinks", "false")
        await finish(partial)

    await whole_or_absent(destination, fill, deadline_s)


async def link_clone(mirror: Path, destination: Path, settings: Mapping[str, str], deadline_s: float) -> None:
    """Clone a bare repository of ours into an empty folder, by links to its files where the file system has them.

    For clones that are only read. Objects are never changed in place, so the links outlive the mirror; alternates
    would not, and a repository that borrows is refused.

    Args:
        mirror: the bare repository.
        destination: an empty folder.
        settings: what git's configuration of the clone says besides.
        deadline_s: seconds until git is killed.

    Raises:
        GitFailed: git cannot clone it.
    """
    environment = {"GIT_ALLOW_PROTOCOL": "file"}
    clone = ("clone", "--quiet", "--no-checkout", "--template=", "--", str(mirror), ".")
    await run_git(destination, *clone, environment=environment, deadline_s=deadline_s)
    for key, value in {**settings, "core.symlinks": "false"}.items():
        await run_git(destination, "config", key, value)


def is_partial(checkout: Path) -> bool:
    """Whether a checkout of ours lacks files of its history."""
    return "promisor = true" in (checkout / ".git" / "config").read_text(encoding="utf-8", errors="replace")


async def whole_or_absent(destination: Path, fill: Callable[[Path], Awaitable[None]], deadline_s: float) -> None:
    """Make `destination` by `fill`, which is given an empty folder; it appears when that has returned.

    What a killed process had begun of it is removed first.

    Raises:
        CloneTimeout, CloneFailed: with nothing left behind, as with any error of `fill`.
    """
    for remains in destination.parent.glob(f"{destination.name}{_PARTIAL}*"):
        await in_thread(shutil.rmtree, remains, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{destination.name}{_PARTIAL}", dir=destination.parent))
    try:
        with anyio.fail_after(deadline_s):
            await fill(partial)
        await in_thread(partial.rename, destination)
    except TimeoutError as error:
        raise CloneTimeout(f"the clone did not end within {deadline_s:g} s") from error
    except GitFailed as error:
        raise CloneFailed(f"git cannot finish the clone: {error.stderr}") from error
    finally:
        with anyio.CancelScope(shield=True):
            await in_thread(shutil.rmtree, partial, ignore_errors=True)


async def put_work_tree(folder: Path, commit: str, *checkout: str, max_bytes: int) -> None:
    """Check `commit` out in a clone of ours, if its files fit; a small pack may hold very large files.

    Raises:
        WorkspaceTooLarge: they do not.
        GitFailed: git cannot write them.
    """
    listed = await run_git(folder, "ls-tree", "-r", "-l", "-z", "--full-tree", commit)
    sizes = (entry.split(b"\t")[0].split()[-1] for entry in listed.split(b"\0") if entry)
    total = sum(int(size) for size in sizes if size.isdigit())
    if total + await in_thread(folder_bytes, folder) > max_bytes:
        raise WorkspaceTooLarge(f"the files of the commit and its history are larger than {max_bytes} bytes")
    await run_git(folder, "checkout", "--quiet", "--force", *checkout, commit, "--", deadline_s=CLONE_DEADLINE_S)


async def _clone(url: str, folder: Path, environment: Mapping[str, str], max_bytes: int) -> None:
    """Clone by GitPython, and end it when the folder grows too large."""
    whole = git_environment(environment)

    def clone(processes: Processes) -> None:
        from git import Repo

        class WatchedRepo(Repo):
            GitCommandWrapperType = watched_git(whole, processes)

        with translated():
            WatchedRepo.clone_from(url, folder, no_checkout=True, no_local=True).close()

    async def watch(ended: anyio.Event) -> None:
        while not ended.is_set():
            with anyio.move_on_after(_POLL_S):
                await ended.wait()
            if await in_thread(folder_bytes, folder) > max_bytes:
                raise WorkspaceTooLarge(f"the clone is larger than {max_bytes} bytes")

    try:
        await attended(clone, watch)
    except GitFailed as error:
        # Without git's progress.
        lines = error.stderr.splitlines()
        told = [line for line in lines if line.startswith(("fatal:", "error:", "remote:")) or error.returncode is None]
        raise CloneFailed(f"git cannot clone: {' '.join(told)}") from None


def folder_bytes(folder: Path) -> int:
    """Bytes that a folder takes on disk; files that vanish meanwhile count nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).lstat().st_blocks * 512
            except FileNotFoundError:
                continue
    return total
