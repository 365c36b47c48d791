"""What code in a box may try, what it must find, and which guard stops it: one row an attempt.

`{gateway}` and `{port}` stand for a service on the host, at the address that containers reach the host by.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from shlex import quote
from typing import Any

MIB = 2**20


@dataclass(frozen=True)
class Attack:
    """One attempt.

    Attributes:
        name: a sentence about the box.
        case: the id of the public list.
        script: for `sh`.
        held: what the script prints in a box, as a part of its output.
        policy: settings of the box that are smaller than usual, to be quick.
        off: the knock-out: fields of HostConfig without the guard. Empty where the guard is the engine's own default,
            which cannot be taken away by itself.
        open: what the script prints without the guard.
        user: who runs the knock-out where nobody would be stopped all the same.
        wide: the policy of the knock-out, where the guard is a number.
    """

    name: str
    case: str
    script: str
    held: str
    policy: Mapping[str, Any] = field(default_factory=dict[str, Any])
    off: Mapping[str, Any] = field(default_factory=dict[str, Any])
    open: str = ""
    user: str | None = None
    wide: Mapping[str, Any] = field(default_factory=dict[str, Any])


def python(code: str) -> str:
    return f"python3 -c {quote(code)} 2>&1"


def attempt(command: str) -> str:
    return f"( {command} ) >/dev/null 2>&1 && echo DONE || echo refused"


def fill(path: str, megabytes: int = 100) -> str:
    return f"dd if=/dev/zero of={path} bs=1M count={megabytes} && echo WRITTEN"


THREADS = """
import threading
done = threading.Event()
try:
    for count in range(200):
        threading.Thread(target=done.wait).start()
    print("ALL")
except RuntimeError as error:
    print("stopped:", error)
done.set()
"""
