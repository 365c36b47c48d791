"""Which server processes are alive: each holds a lock on a file for as long as it lives.

A lease that expires by the clock must wait for the clock, and a clock can jump. The kernel drops a lock at the very
moment its process dies, however it dies, so that the next server takes over at once and never too early.
"""

import fcntl
import os
import secrets
from pathlib import Path


class Presence:
    """This process's sign of life, and how to tell whether another one still gives its own."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "servers"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.holder = f"s_{os.getpid()}_{secrets.token_hex(6)}"
        self._lock = os.open(self._path(self.holder), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def is_alive(self, holder: str | None) -> bool:
        """Whether the process that calls itself `holder` still runs."""
        if holder is None:
            return False
        if holder == self.holder:
            return True
        try:
            other = os.open(self._path(holder), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who look must not see each other
        except BlockingIOError:
            return True
        else:
            self._path(holder).unlink(missing_ok=True)
            return False
        finally:
            os.close(other)

    def leave(self) -> None:
        self._path(self.holder).unlink(missing_ok=True)
        os.close(self._lock)

    def _path(self, holder: str) -> Path:
        return self._folder / f"{holder}.lock"
