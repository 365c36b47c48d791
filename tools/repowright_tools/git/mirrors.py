"""The mirrors of remote repositories: one for each URL, shared by all runs and processes of this machine.

Mirrors live in one private folder, each with a lock beside it. Who reads one shares the lock; who changes, replaces
or removes one has it alone. A new mirror gets its name when it is complete, so one that a killed process began is
never taken for a mirror. A git process inherits the lock: if ours is killed, the mirror stays locked until it ends.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import anyio

from repowright_tools.errors import CloneFailed, CloneTimeout, EmptyRepository, UnknownRef, WorkspaceTooLarge
from repowright_tools.git.bounded import bounded
from repowright_tools.git.clone import CLONE_DEADLINE_S, folder_bytes
from repowright_tools.git.guard import GitFailed
from repowright_tools.git.locks import FileLock, lock_now, locked
from repowright_tools.git.mirror import Mirror
from repowright_tools.git.policy import SourcePolicy
from repowright_tools.git.remote import Remote, RemoteState, look_up, told
from repowright_tools.models import RepositoryWarning
from repowright_tools.threads import in_thread

T = TypeVar("T")
_PARTIAL = ".partial-"
_LOCK = ".lock"
_MAX_PACKS = 100
"""Fetches after which a mirror is made anew: each leaves a pack, and git reads through all of them."""


@dataclass(frozen=True)
class MirrorLimits:
    """How much the folder of mirrors keeps; what was used least recently goes first.

    Attributes:
        max_bytes: of one mirror, and of all together, on disk.
        count: mirrors.
        unused_s: seconds since a mirror was used.
    """

    max_bytes: int
    count: int = 64
    unused_s: float = 30 * 86400


@dataclass(frozen=True)
class Wanted:
    """A commit of a remote: of a checked `ref` (None: its HEAD), with the files of all its history if `whole`."""

    remote: Remote
    ref: str | None
    whole: bool = False


@dataclass(frozen=True)
class Found:
    """A mirror that has the commit and its files; only to be read, and only while it is lent."""

    mirror: Mirror
    commit: str
    branch: str | None


@asynccontextmanager
async def mirrors_of(
    policy: SourcePolicy,
    workspace: Path,
    *,
    warn: Callable[[RepositoryWarning], None] = lambda _: None,
    deadline_s: float = CLONE_DEADLINE_S,
) -> AsyncGenerator[Mirrors]:
    """The mirrors that all runs share, or without a folder for them, those of this one use, below `workspace`.

    Raises:
        CloneTimeout: what is done with them takes longer than `deadline_s` seconds, waiting for others included.
    """
    limits = MirrorLimits(policy.max_bytes)
    own = None if policy.mirrors else Path(tempfile.mkdtemp(prefix="mirror-", dir=workspace))
    try:
        with anyio.fail_after(deadline_s):
            yield Mirrors(policy.mirrors or own or workspace, limits, warn, deadline_s)
    except TimeoutError as error:
        raise CloneTimeout(f"the clone did not end within {deadline_s:g} s") from error
    finally:
        if own is not None:
            shutil.rmtree(own, ignore_errors=True)


class Mirrors:
    """The folder of mirrors."""

    def __init__(
        self,
        folder: Path,
        limits: MirrorLimits,
        warn: Callable[[RepositoryWarning], None],
        deadline_s: float = CLONE_DEADLINE_S,
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._warn = warn
        self._deadline_s = deadline_s

    async def lend(self, wanted: Wanted, work: Callable[[Found], Awaitable[T]]) -> T:
        """Bring the remote's mirror up to date and do `work` with it.

        The remote is asked once for its branches and tags, and for nothing else when the mirror has it all.

        Args:
            wanted: what the mirror must have.
            work: reads the mirror; CloneFailed of it means that the mirror is damaged, which is then made anew once.

        Raises:
            EmptyRepository, UnknownRef: the remote has no such commit.
            CloneFailed, WorkspaceTooLarge: it cannot be fetched.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = await look_up(wanted.remote, self._deadline_s)
        if not state.refs and state.head_commit is None:
            raise EmptyRepository(f"{wanted.remote.url} has no commit yet")
        name = _name(wanted.remote.url)
        lock_path = self._folder / f"{name}{_LOCK}"
        async with locked(lock_path, alone=False) as lock:
            os.utime(lock_path)
            found = await self._ready(self._mirror(name, wanted, lock), wanted, state)
            if found is not None:
                with self._mended(wanted):
                    return await work(found)
        async with locked(lock_path, alone=True) as lock:
            await in_thread(self._sweep, name)
            # Somebody else may have made it anew meanwhile; only what could not be worked with is not looked at again.
            updated = None if found is not None else await self._updated(name, wanted, state, lock)
            if updated is not None:
                with self._mended(wanted):
                    result = await work(updated)
                    await in_thread(self._prune, name)
                    return result
            result = await work(await self._build(name, wanted, state, lock))
            await in_thread(self._prune, name)
            return result

    @contextmanager
    def _mended(self, wanted: Wanted) -> Generator[None]:
        """Go on after a failure that a new mirror may mend."""
        try:
            yield
        except CloneFailed:
            self._say_damaged(wanted)
        except WorkspaceTooLarge:
            pass  # files that earlier commits needed take room as well

    def _mirror(self, name: str, wanted: Wanted, lock: FileLock) -> Mirror:
        return Mirror(self._folder / name, wanted.remote, (lock.descriptor,), self._deadline_s)

    async def _ready(self, mirror: Mirror, wanted: Wanted, state: RemoteState) -> Found | None:
        """The commit, if the mirror has everything already."""
        try:
            if not mirror.folder.is_dir() or (wanted.whole and not mirror.is_whole):
                return None
            if not await in_thread(mirror.has_whole_packs) or not await mirror.follows(state):
                return None
            commit, branch = await mirror.resolve(wanted.ref)
            return None if await mirror.missing(commit) else Found(mirror, commit, branch)
        except (GitFailed, OSError, EmptyRepository, UnknownRef):  # fetched or found out with the lock alone
            return None

    async def _updated(self, name: str, wanted: Wanted, state: RemoteState, lock: FileLock) -> Found | None:
        """The mirror that is there, brought up to date; None when there is none that is any good."""
        mirror = self._mirror(name, wanted, lock)
        if not mirror.folder.is_dir() or not await self._is_worth_updating(mirror, wanted):
            return None
        try:
            await mirror.tidy()
            return await bounded(mirror.folder, self._limits.max_bytes, lambda: _fill(mirror, wanted, state))
        except GitFailed as error:
            if await mirror.is_sound():
                raise CloneFailed(f"git cannot fetch: {told(error)}") from None
            self._say_damaged(wanted)
        except WorkspaceTooLarge:
            pass  # as in _mended
        return None

    async def _is_worth_updating(self, mirror: Mirror, wanted: Wanted) -> bool:
        try:
            if await in_thread(mirror.has_whole_packs):
                return (mirror.is_whole or not wanted.whole) and mirror.packs <= _MAX_PACKS
        except (OSError, UnicodeDecodeError):
            pass
        self._say_damaged(wanted)
        return False

    async def _build(self, name: str, wanted: Wanted, state: RemoteState, lock: FileLock) -> Found:
        partial = Path(tempfile.mkdtemp(prefix=f"{name}{_PARTIAL}", dir=self._folder))
        mirror = Mirror(partial, wanted.remote, (lock.descriptor,), self._deadline_s)

        async def build() -> Found:
            await mirror.create(state.object_format, whole=wanted.whole)
            await mirror.fetch(state, wanted.ref)
            await mirror.note_whole((await mirror.resolve(wanted.ref))[0], state.object_format)
            return await _fill(mirror, wanted, state)

        try:
            found = await bounded(partial, self._limits.max_bytes, build)
            await in_thread(_put_in_place, partial, self._folder / name)
        except GitFailed as error:
            raise CloneFailed(f"git cannot clone: {told(error)}") from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return Found(self._mirror(name, wanted, lock), found.commit, found.branch)

    def _say_damaged(self, wanted: Wanted) -> None:
        text = f"The mirror of {wanted.remote.url} was damaged; it has been made anew."
        self._warn(RepositoryWarning(code="mirror_rebuilt", message=text))

    def _sweep(self, name: str) -> None:
        """Remove mirrors that a killed process was making; for whoever has the lock alone."""
        for remains in self._folder.glob(f"{name}{_PARTIAL}*"):
            shutil.rmtree(remains, ignore_errors=True)

    def _prune(self, used: str) -> None:
        """Remove mirrors until the rest is within the limits; those in use stay."""
        known: list[tuple[float, str, int]] = []
        for lock_path in self._folder.glob(f"*{_LOCK}"):
            with suppress(FileNotFoundError):
                name = lock_path.name.removesuffix(_LOCK)
                known.append((lock_path.stat().st_mtime, name, folder_bytes(self._folder / name)))
        count, total = len(known), sum(size for *_, size in known)
        for used_at, name, size in sorted(known):
            unused = time.time() - used_at > self._limits.unused_s
            too_much = count > self._limits.count or total > self._limits.max_bytes
            if name != used and (unused or too_much) and self._remove(name):
                count, total = count - 1, total - size

    def _remove(self, name: str) -> bool:
        lock_path = self._folder / f"{name}{_LOCK}"
        lock = lock_now(lock_path)
        if lock is None:
            return False
        try:
            with suppress(FileNotFoundError):
                (self._folder / name).rename(self._folder / f"{name}{_PARTIAL}removed")
            self._sweep(name)
            lock_path.unlink(missing_ok=True)
        finally:
            os.close(lock.descriptor)
        return True


async def _fill(mirror: Mirror, wanted: Wanted, state: RemoteState) -> Found:
    await mirror.fetch(state, wanted.ref)
    commit, branch = await mirror.resolve(wanted.ref)
    await mirror.fetch_files(commit)
    return Found(mirror, commit, branch)


def _put_in_place(new: Path, place: Path) -> None:
    """Give a complete mirror its name. A kill between the two steps leaves no mirror, and never half of one."""
    with suppress(FileNotFoundError):
        place.rename(place.with_name(f"{place.name}{_PARTIAL}replaced"))
    new.rename(place)
    shutil.rmtree(place.with_name(f"{place.name}{_PARTIAL}replaced"), ignore_errors=True)


def _name(url: str) -> str:
    return hashlib.sha256(url.encode()).hexdigest()[:40]
