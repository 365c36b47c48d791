"""Limits that several processes share over one database."""

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
import sqlalchemy as sa

from fakes.messages_api import MessagesApi
from repowright_server.runs.limits import StoredLimits
from repowright_server.runs.schema import limits as table
from repowright_server.runs.store import Store
from repowright_tools.errors import StateUnavailable
from repowright_tools.llm.book import Book
from repowright_tools.llm.limits import MemoryState, SharedState
from support import limits_process

pytestmark = pytest.mark.anyio

States = Callable[[], SharedState]


@pytest.fixture(params=["memory", "stored"])
def states(request: pytest.FixtureRequest, tmp_path: Path) -> States:
    """Makes states that share one book: as another process sees it, where it is stored."""
    if request.param == "stored":
        return lambda: StoredLimits(Store(None, tmp_path))
    only = MemoryState()
    return lambda: only


def run_together(homes: list[Path], url: str, requests: int) -> None:
    """One process for each home; all begin at the same moment."""
    command = [sys.executable, "-I", limits_process.__file__]
    running = [
        subprocess.Popen(
            [*command, str(home), url, str(requests)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for home in homes
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        process.communicate(timeout=60)
        assert process.returncode == 0


async def test_what_one_writes_another_reads(states: States) -> None:
    await states().change(lambda book: book.keys.update({}))
    assert await states().change(lambda book: book.next_tick()) == 1
    assert await states().change(lambda book: book.next_tick()) == 2


async def test_a_change_that_fails_is_not_kept(states: States) -> None:
    def fail(book: Book) -> None:
        book.next_tick()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await states().change(fail)

    assert await states().change(lambda book: book.tick) == 0


async def test_parallel_changes_all_count(states: States) -> None:
    shared = [states(), states()]

    async def change(number: int) -> None:
        await shared[number % 2].change(lambda book: book.next_tick())

    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(change, number)

    assert await states().change(lambda book: book.tick) == 50


async def test_a_stored_book_that_cannot_be_read_is_replaced(tmp_path: Path) -> None:
    store = Store(None, tmp_path)
    await store.transaction(lambda db: db.execute(table.insert().values(id=1, book="{broken")))

    assert await StoredLimits(store).change(lambda book: book.next_tick()) == 1
    assert await StoredLimits(store).change(lambda book: book.next_tick()) == 2


async def test_a_database_that_is_gone_is_a_named_error(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/missing/state.db"
    with pytest.raises(StateUnavailable):
        await StoredLimits(Store(url, tmp_path)).change(lambda book: book.tick)


async def test_changes_do_not_wait_for_the_disk_and_those_of_the_journal_still_do(tmp_path: Path) -> None:
    store = Store(None, tmp_path)
    await StoredLimits(store).change(lambda book: book.next_tick())

    synchronous = sa.text("PRAGMA synchronous")
    assert store.transact(lambda db: db.scalar(synchronous)) == 2  # FULL
    assert store.relaxed().transact(lambda db: db.scalar(synchronous)) == 1  # NORMAL
    assert stat.S_IMODE((tmp_path / "repowright.db").stat().st_mode) == 0o600


async def test_changes_of_two_processes_are_one_after_the_other(tmp_path: Path) -> None:
    run_together([tmp_path, tmp_path], "", 100)

    assert await StoredLimits(Store(None, tmp_path)).change(lambda book: book.tick) == 200


def test_two_processes_on_one_state_are_refused_no_more_often_than_one(tmp_path: Path) -> None:
    """Three keys of one organisation, and a bucket that holds ten: fifty requests want to be sent at once.

    20 a second, so that a busy machine, which delays what was sent in time, does not fill the bucket by itself.
    """
    refused: list[int] = []
    for processes in (1, 2):
        home = tmp_path / str(processes)
        home.mkdir()
        with MessagesApi() as api:
            api.organisations = dict.fromkeys(limits_process.KEYS, "org-a")
            api.reply = lambda asked: {"word": "yes"}
            api.limit("org-a", requests_per_minute=1200, burst={"requests": 10})
            run_together([home] * processes, api.url, 50 // processes)
            assert len(api.calls) - api.refused_429 == 50
            refused.append(api.refused_429)

    alone, together = refused
    assert together <= max(alone, 1), refused
    assert max(refused) <= 1, "2% of the requests"
