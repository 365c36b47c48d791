"""A change of a database that is done whole or not at all."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager, suppress


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """All or nothing, as the only writer: another process that wants to write waits.

    Args:
        connection: with `isolation_level=None`.

    Raises:
        sqlite3.Error: it cannot be begun or committed. What fails inside comes out as it is.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # SQLite may have done it; what went wrong before is what is to be told
            connection.execute("ROLLBACK")
        raise
