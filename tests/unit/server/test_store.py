"""The state in its file, beside other processes."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from repowright_server.runs.schema import limits
from repowright_server.runs.store import Store
from repowright_tools.errors import StateUnavailable

ANOTHER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute(f"UPDATE {sys.argv[2]} SET book = book || '+'")
connection.commit()
connection.close()
"""


def test_what_another_process_writes_is_seen_and_its_end_takes_nothing_away(tmp_path: Path) -> None:
    """Also beside a second store on the file: closing what it opened must not give up the locks of the first one."""
    state = Store(None, tmp_path)
    state.transact(lambda db: db.execute(limits.insert().values(id=1, book="ours")))
    state.relaxed().transact(lambda db: db.scalar(sa.select(limits.c.book)))

    command = [sys.executable, "-I", "-c", ANOTHER, str(tmp_path / "repowright.db"), limits.name]
    for more in ("+", "++"):
        subprocess.run(command, check=True)
        assert state.transact(lambda db: db.scalar(sa.select(limits.c.book))) == f"ours{more}"
    assert (tmp_path / "repowright.db-wal").exists()
    state.close()


def test_threads_of_a_process_take_turns_and_do_not_wait_for_ever(tmp_path: Path) -> None:
    """Also those of its relaxed twin. One that takes longer than the others have patience takes nothing from them."""
    state = Store(None, tmp_path, patience_s=0.2)
    begun, free = threading.Event(), threading.Event()

    def hold(db: sa.Connection) -> None:
        begun.set()
        assert free.wait(10)

    with ThreadPoolExecutor() as threads:
        held = threads.submit(state.transact, hold)
        assert begun.wait(10)
        with pytest.raises(StateUnavailable, match="turn"):
            state.relaxed().transact(lambda db: None)
        free.set()
        held.result(10)
    state.relaxed().transact(lambda db: None)
    state.close()
