"""Progress of a stage on a terminal's stderr: a bar where the stage counts; silent where stderr is no terminal."""

import os
import shutil
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

import anyio

if TYPE_CHECKING:
    from repowright_server.runs.dispatch import Dispatcher
    from repowright_server.runs.run import Attempt

LOOK_S = 0.1
"""Seconds between looks at the events; the dispatcher puts new ones into the store every quarter of a second."""
_ERASE = "\r\x1b[2K"
_BAR = 24
_HONEST_S = 3.0  # seconds, and a share, of a phase that must have passed for the rest of it to be foretold
_HONEST_SHARE = 0.15


@dataclass
class Phase:
    """What a stage does, since when (by `time.monotonic`), and how far it is if it counts."""

    name: str
    since: float
    done: int | None = None
    total: int | None = None

    def after(self, body: dict[str, Any], now: float) -> "Phase":
        """The phase after an event of this body: the same one goes on as long as its name stays."""
        done, total = body.get("done"), body.get("total")
        name = str(body["message"] if done is not None else body["text"])
        return Phase(name, self.since if name == self.name else now, done, total)


async def follow(dispatcher: "Dispatcher", attempt: "Attempt", stream: TextIO | None = None) -> None:
    """Show the latest event in one line of a terminal that is overwritten, until cancelled.

    `stream` is where to, by default stderr; nothing is written when it is no terminal, or one that cannot erase.
    """
    out = stream or sys.stderr
    if not out.isatty() or os.environ.get("TERM") == "dumb":
        return
    from repowright_server.runs import store

    phase, seen = Phase(await dispatcher.latest_message(attempt), time.monotonic()), 0
    try:
        while True:
            rows = await dispatcher.store.transaction(lambda db: store.events_of(db, attempt.run_id, seen))  # noqa: B023 - called before `seen` changes
            for row in rows:
                phase, seen = phase.after(row["body"], time.monotonic()), int(row["id"])
            out.write(_ERASE + line_of(phase, time.monotonic(), width_of(out)))
            out.flush()
            await anyio.sleep(LOOK_S)
    finally:
        out.write(_ERASE)
        out.flush()


def line_of(phase: Phase, now: float, width: int) -> str:
    """The phase in less than `width` columns: its bar, its counts, and how long the rest takes if that is known."""
    name = "".join(character if character.isprintable() else "?" for character in phase.name)
    if phase.done is None or not phase.total:
        return name[: width - 1]
    share = min(1.0, phase.done / phase.total)
    counts = f"{phase.done:,}/{phase.total:,}"
    filled = round(_BAR * share)
    parts = [name, "#" * filled + "." * (_BAR - filled), f"{counts} {share:4.0%}", _rest(now - phase.since, share)]
    shown = "  ".join(part for part in parts if part)
    return shown if len(shown) < width else f"{name}  {counts}"[: width - 1]


def _rest(elapsed_s: float, share: float) -> str:
    """What is left of the phase if it goes on as it went; files differ, so nothing is said too early."""
    if elapsed_s < _HONEST_S or share < _HONEST_SHARE or share >= 1:
        return ""
    return f"about {max(1, round(elapsed_s * (1 - share) / share))} s left of this"


def width_of(stream: TextIO) -> int:
    """Columns of the terminal behind the stream; 80 when it does not say. COLUMNS wins, as it does in a shell."""
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given) > 0:
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return shutil.get_terminal_size().columns
