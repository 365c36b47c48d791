"""The bar on stderr while a stage works."""

import io
import os
import pty
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import anyio
import pytest

from repowright_server.commands.progress import Phase, follow, line_of
from repowright_tools.events import ProgressEvent
from repowright_tools.stage import StageContext
from support.stages import Toy, bench

READ_ALL = 65_536


class Terminal:
    """A terminal of a test: what is written to `stream` can be read as the screen's owner would."""

    def __init__(self) -> None:
        self._screen, inner = pty.openpty()
        self.stream: TextIO = os.fdopen(inner, "w", encoding="utf-8")

    def read(self) -> str:
        self.stream.flush()
        return os.read(self._screen, READ_ALL).decode()

    def close(self) -> None:
        self.stream.close()
        os.close(self._screen)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


@pytest.mark.anyio
async def test_the_bar_shows_how_many_files_are_done_and_is_wiped_at_the_end(
    tmp_path: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    shown = anyio.Event()

    async def act(ctx: StageContext) -> str:
        ctx.events.emit(ProgressEvent("Parsing source", 1200, 4800))
        await shown.wait()
        return "done"

    seen = ""
    async with bench(tmp_path, Toy("one", act)) as runs:
        claim = await runs.dispatcher.submit(runs.call("one"))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow, runs.dispatcher, claim.attempt, terminal.stream)
            with anyio.fail_after(20):
                while "1,200/4,800" not in seen:
                    seen += await anyio.to_thread.run_sync(terminal.read)
            tasks.cancel_scope.cancel()
        shown.set()
        await runs.dispatcher.ended(claim.attempt)
    seen += terminal.read()

    assert "Parsing source  ######..................  1,200/4,800  25%" in seen
    assert seen.endswith("\r\x1b[2K")


@pytest.mark.anyio
async def test_nothing_is_written_where_there_is_no_terminal(tmp_path: Path) -> None:
    async def act(_ctx: StageContext) -> str:
        return "done"

    file = io.StringIO()
    async with bench(tmp_path, Toy("one", act)) as runs:
        claim = await runs.dispatcher.submit(runs.call("one"))
        await follow(runs.dispatcher, claim.attempt, file)
        await runs.dispatcher.ended(claim.attempt)

    assert file.getvalue() == ""


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_the_line_always_fits_the_terminal(width: int) -> None:
    long = Phase("Reading a file with a very long name " * 5, 0.0, 123_456, 1_234_567)

    assert len(line_of(long, 10.0, width)) < width
    assert len(line_of(Phase("x" * 500, 0.0), 10.0, width)) < width


def test_a_narrow_terminal_keeps_the_counts() -> None:
    assert line_of(Phase("Parsing", 0.0, 5, 10), 1.0, 30) == "Parsing  5/10"


def test_the_time_left_is_foretold_only_when_there_is_enough_to_go_by() -> None:
    assert "left" not in line_of(Phase("Parsing", 0.0, 50, 100), 1.0, 120)
    assert "left" not in line_of(Phase("Parsing", 0.0, 5, 100), 60.0, 120)
    assert "left" not in line_of(Phase("Parsing", 0.0, 100, 100), 60.0, 120)
    assert line_of(Phase("Parsing", 0.0, 25, 100), 10.0, 120).endswith("about 30 s left of this")


def test_the_clock_of_a_phase_starts_anew_with_the_next_phase() -> None:
    reading = Phase("x", 0.0).after({"message": "Reading", "text": "Reading (1/9)", "done": 1, "total": 9}, 5.0)
    further = reading.after({"message": "Reading", "text": "Reading (8/9)", "done": 8, "total": 9}, 6.0)
    parsing = further.after({"message": "Parsing", "text": "Parsing (1/9)", "done": 1, "total": 9}, 7.0)

    assert [each.since for each in (reading, further, parsing)] == [5.0, 5.0, 7.0]


def test_a_message_cannot_move_the_cursor() -> None:
    assert "\x1b" not in line_of(Phase("a\x1b[2Jb\rc", 0.0, 1, 2), 0.0, 100)
    assert "\r" not in line_of(Phase("a\x1b[2Jb\rc", 0.0), 0.0, 100)
