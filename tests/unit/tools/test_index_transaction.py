"""Changes of an index are whole or not there, and what stopped one is told."""

import sqlite3
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from repowright_tools.index.store import IndexStore
from repowright_tools.index.transaction import transaction


@pytest.fixture
def database() -> Generator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("CREATE TABLE a(x INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE b(x REFERENCES a(x) DEFERRABLE INITIALLY DEFERRED)")
        yield connection


def count(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT (SELECT count(*) FROM a) + (SELECT count(*) FROM b)").fetchone()[0])


def change(database: sqlite3.Connection, *statements: str) -> None:
    with transaction(database):
        for statement in statements:
            database.execute(statement)


def interrupted(database: sqlite3.Connection) -> None:
    with transaction(database):
        database.execute("INSERT INTO a VALUES(1)")
        raise KeyboardInterrupt


def test_a_change_that_ends_is_there(database: sqlite3.Connection) -> None:
    change(database, "INSERT INTO a VALUES(1)", "INSERT INTO b VALUES(1)")

    assert not database.in_transaction
    assert count(database) == 2


def test_of_a_change_that_is_stopped_half_way_nothing_is_there(database: sqlite3.Connection) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(database)

    assert not database.in_transaction
    assert count(database) == 0


def test_a_change_that_cannot_be_committed_does_not_stay_open(database: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        change(database, "INSERT INTO b VALUES(1)")

    assert not database.in_transaction
    assert count(database) == 0


def test_what_went_wrong_is_told_where_sqlite_has_undone_the_change_by_itself(database: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        change(database, "INSERT INTO a VALUES(1)", "INSERT OR ROLLBACK INTO a VALUES(1)")

    assert count(database) == 0


def test_whoever_opens_a_new_index_at_the_same_moment_can_keep_it(tmp_path: Path) -> None:
    """Rounds, since SQLite refuses one of six in every twentieth of them alone."""
    together = Barrier(6)

    def opened(number: int) -> bool:
        together.wait()
        IndexStore(tmp_path / f"{number}.sqlite")
        return True

    with ThreadPoolExecutor(6) as threads:
        for number in range(60):
            assert all(threads.map(opened, [number] * 6))
