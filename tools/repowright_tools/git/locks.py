"""Locks between processes that a killed holder cannot leave behind."""

import fcntl
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio

_POLL_S = 0.05


class FileLock:
    """A lock on a file, held by `locked`. The kernel gives it back when its last holder is gone.

    Attributes:
        descriptor: a child process that inherits it (`pass_fds`) keeps the lock when this process is killed: what the
            child still writes then is not taken for left behind.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor


@asynccontextmanager
async def locked(path: Path, *, alone: bool) -> AsyncGenerator[FileLock]:
    """Hold the lock on `path`, which is made if need be; wait for it as long as the caller's deadline allows."""
    while True:
        lock = FileLock(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        try:
            await _acquire(lock.descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            if _is_file_at(lock.descriptor, path):
                yield lock
                return
        finally:
            os.close(lock.descriptor)


def lock_now(path: Path) -> FileLock | None:
    """The lock on an existing file for this process alone, if nobody has it; to be closed by `os.close`."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_file_at(descriptor, path):
            return FileLock(descriptor)
    os.close(descriptor)
    return None


async def _acquire(descriptor: int, kind: int) -> None:
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            await anyio.sleep(_POLL_S)
        else:
            return


def _is_file_at(descriptor: int, path: Path) -> bool:
    """Whether `path` still is the file that was locked: who prunes removes it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False
