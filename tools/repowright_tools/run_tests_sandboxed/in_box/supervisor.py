"""The process that starts the tests, listens to them, and alone writes down what they did.

It starts before any code of the repository and stays out of its reach although both are the same user:
- it imports nothing from the repository (`-I -S`), and its folders of imports are read-only in the box;
- it is not dumpable, so that the kernel refuses others its memory, its open files and a debugger (prctl(2), proc(5));
- it takes events only with the right HMAC of a key that it makes itself and gives to the test process alone;
- it compares the sources and configuration before and after the run: what is tested is what was given;
- before it writes the record it stops and kills every process that was not there before the tests.
Whoever kills or stops it gets no record at all, and without a record nothing has passed.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import hmac
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import time
import zlib
from typing import Any

_NOT_DUMPABLE = 4  # PR_SET_DUMPABLE
_MOST_BYTES = 48 * 1024 * 1024
_HELD = ".held"
_COMPARED = (".py", ".ini", ".toml", ".cfg")
_STEERING = ("conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml")
"""Files that must not come into being either."""
_MOST_CHANGED = 20


def main() -> None:
    """Do the order in the first argument (see `supervised_line`), and end as the tests ended."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    ctypes.CDLL(None).prctl(_NOT_DUMPABLE, 0, 0, 0, 0)
    trusted = set(_processes())
    hashes = _hashes(order["repository"])
    if order["prepare"]:
        subprocess.run(["/bin/sh", "-c", order["prepare"]], check=False)
        _kill_strangers(trusted)
    _hold(order["site"])
    listener, code = _watch(order, hashes)
    alone = _kill_strangers(trusted)
    changed = _changed(order["repository"], hashes)
    rest = json.dumps({**listener.heard(), "exit": code, "alone": alone, "changed": changed}).encode()
    _write(order["record"], zlib.compress(b'{"events": ' + listener.events() + b", " + rest[1:]))
    sys.exit(code)


def _hashes(root: str) -> dict[str, str]:
    """What the sources and configuration of the repository hold."""
    found: dict[str, str] = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118 - no more imports than needed
            if name.endswith(_COMPARED) and stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb") as file:  # noqa: PTH123
                    found[path] = hashlib.sha256(file.read()).hexdigest()
    return found


def _changed(root: str, before: dict[str, str]) -> list[str]:
    """Files that hold something else than before anything ran, are gone, or newly configure the runner."""
    now = _hashes(root)
    new = [path for path in now.keys() - before.keys() if os.path.basename(path) in _STEERING]  # noqa: PTH119
    changed = sorted([path for path in before if now.get(path) != before[path]] + new)
    return [os.path.relpath(path, root) for path in changed[:_MOST_CHANGED]]


def _hold(site: str) -> None:
    """Put the folder aside whose .pth files would run in the test process before anything of ours."""
    if os.path.isdir(site):  # noqa: PTH112
        shutil.rmtree(site + _HELD, ignore_errors=True)
        os.rename(site, site + _HELD)  # noqa: PTH104


# --- listening ----------------------------------------------------------------------------------------------------


def _watch(order: dict[str, Any], hashes: dict[str, str]) -> tuple[Listener, int]:
    """Run the tests; what they said, and how their process ended (as the shell counts)."""
    key = os.urandom(32)
    ask_read, ask_write = os.pipe()
    say_read, say_write = os.pipe()
    argv = [sys.executable, "-I", "-u", "-c", order["start"], str(ask_read), str(say_write)]
    process = subprocess.Popen(argv, pass_fds=[ask_read, say_write])
    os.close(ask_read)
    os.close(say_write)
    _tell(ask_write, {**order["child"], "key": key.hex(), "hashes": hashes, "site": order["site"]})
    listener = Listener(key)
    os.set_blocking(say_read, False)
    while process.poll() is None and not listener.closed:
        listener.take(say_read, 0.05)
    code = process.wait()
    listener.take(say_read, 0.0)
    return listener, code if code >= 0 else 128 - code


def _tell(pipe: int, what: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(pipe, "wb") as file:
        file.write(json.dumps(what).encode())  # it died at once: its exit code says so


class Listener:
    """Takes lines of `mac json`, and keeps those that only the holder of the key can have sent, in their order."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._rest = b""
        self._events: list[bytes] = []
        self._bytes = 0
        self._strange = 0
        self.closed = False

    def take(self, pipe: int, wait_s: float) -> None:
        """All there is to read now."""
        select.select([pipe], [], [], wait_s)
        while self._bytes <= _MOST_BYTES:
            try:
                data = os.read(pipe, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                self.closed = True
                return
            self._bytes += len(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._line(line)
        os.read(pipe, 1 << 16)  # a flood is swallowed, so that nobody waits for us

    def _line(self, line: bytes) -> None:
        mac, _, text = line.partition(b" ")
        ours = hmac.new(self._key, b"%d " % len(self._events) + text, "sha256").hexdigest().encode()
        if hmac.compare_digest(mac, ours):
            self._events.append(text)
        else:
            self._strange += 1

    def heard(self) -> dict[str, Any]:
        """All but the events themselves, which may be many."""
        return {"strange": self._strange + bool(self._rest), "flooded": self._bytes > _MOST_BYTES}

    def events(self) -> bytes:
        """The events as one JSON array."""
        return b"[" + b",".join(self._events) + b"]"


# --- the end ------------------------------------------------------------------------------------------------------


def _processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and not _is_dead(name)]  # noqa: PTH208


def _is_dead(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            return file.read().rpartition(b")")[2].split()[0] in (b"Z", b"X")
    except OSError:
        return True


def _kill_strangers(trusted: set[int]) -> bool:
    """Kill all that was not there at the start; whether we are alone now."""
    ends = time.monotonic() + 5
    while strangers := [pid for pid in _processes() if pid not in trusted]:
        os.kill(-1, signal.SIGSTOP)  # everybody at once: what is stopped cannot fork away
        for pid in strangers:
            _signal(pid, signal.SIGKILL)
        for pid in trusted - {1, os.getpid()}:
            _signal(pid, signal.SIGCONT)
        if time.monotonic() > ends:
            return False
        time.sleep(0.005)
    return True


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _write(path: str, data: bytes) -> None:
    """Write a new regular file, whatever the tests have put in its way."""
    folder = os.path.dirname(path)  # noqa: PTH120
    if os.path.islink(folder) or not os.path.isdir(folder):  # noqa: PTH112, PTH114
        _away(folder)
        os.mkdir(folder, 0o755)  # noqa: PTH102
    _away(path)
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(target, "wb") as file:
        file.write(data)


def _away(path: str) -> None:
    if os.path.lexists(path):
        os.rename(path, f"{path}.{os.urandom(8).hex()}")  # noqa: PTH104


if __name__ == "__main__":
    main()
