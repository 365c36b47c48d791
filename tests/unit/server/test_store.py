"""The state in its file, beside other processes."""

import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa

from repowright_server.runs.schema import limits
from repowright_server.runs.store import Store

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
