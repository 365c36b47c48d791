"""Programs run as whole processes: how long they took, what they answered, and the memory of them and their children.

A measured program reads lines of JSON from stdin, answers each with a line of JSON on stdout, and ends with its stdin.
"""

import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE
from types import TracebackType
from typing import Any

_SAMPLE_S = 0.02
_KIB = 1024  # /proc counts in KiB, we in MiB
_SIZES = ("VmRSS", "VmHWM")  # now, and at its highest


@dataclass(frozen=True)
class Peak:
    """Memory in MiB: the highest sum seen over the whole process tree at one time (samples 20 ms apart), and the sum
    of every process's own high-water mark, which is never below the true peak of what was sampled.
    """

    together: float
    marks: float


class Program:
    """A running program that is asked line by line. `seconds` is from its spawn to its end, once it has ended."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._began = time.perf_counter()
        self.seconds = 0.0
        self._process = subprocess.Popen(command, env=environment, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, question: object = None) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(question)}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args!r} ended without an answer (exit {self._process.wait()})")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self.seconds = time.perf_counter() - self._began
        self._process.stdout.close()

    def __enter__(self) -> "Program":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.close()


class MemorySampler:
    """Watches a process and everything below it until it is left."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._together = 0.0
        self._marks: dict[int, float] = {}
        self._thread = threading.Thread(target=self._watch)

    @property
    def peak(self) -> Peak:
        return Peak(self._together, sum(self._marks.values()))

    def __enter__(self) -> "MemorySampler":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            now = 0.0
            for pid in _tree(self._pid):
                resident, mark = _memory(pid)
                now += resident
                self._marks[pid] = max(mark, self._marks.get(pid, 0.0))
            self._together = max(self._together, now)
            if self._over.wait(_SAMPLE_S):
                return


def run(
    command: Sequence[str], environment: Mapping[str, str], question: object = None
) -> tuple[dict[str, Any], float]:
    """The answer of a fresh process to one question, and the seconds from its spawn to its end."""
    with Program(command, environment) as program:
        answer = program.ask(question)
        program.close()
    return answer, program.seconds


def clean_environment(folder: Path) -> dict[str, str]:
    """This environment, with byte code kept in a folder of our own: programs start as installed ones do."""
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _tree(pid: int) -> list[int]:
    """The process and all its descendants, as the kernel lists them."""
    found = [pid]
    for one in found:  # grows while it is walked
        with suppress(OSError):
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children") as children:
                    found += [int(child) for child in children.read().split()]
    return found


def _memory(pid: int) -> tuple[float, float]:
    """Resident memory of a process now and at its highest, in MiB; zeros when it is gone."""
    with suppress(OSError), open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status if line.startswith(_SIZES))
        now, highest = (int(fields.get(name, "0 kB").split()[0]) / _KIB for name in _SIZES)
        return now, highest
    return 0.0, 0.0
