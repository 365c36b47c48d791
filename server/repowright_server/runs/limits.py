"""What is known of model limits, shared by all processes over the database of the runs. Imports SQLAlchemy: lazily."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import anyio
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from repowright_server.runs.schema import limits
from repowright_server.runs.store import Store
from repowright_tools.llm.book import Book

T = TypeVar("T")
_ROW = 1
_READ = sa.select(limits.c.book).where(limits.c.id == _ROW).with_for_update()
_REPLACE = limits.update().where(limits.c.id == _ROW)
_ADD = limits.insert()


class StoredLimits:
    """The SharedState port over one row.

    Its transactions do not wait for the disk, as those of the journal must: a book that a loss of power sets back is
    learned anew.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = anyio.Lock()  # of many that wait for the row, one takes a connection and a thread

    async def change(self, work: Callable[[Book], T]) -> T:
        async with self._turn:
            return await self._store.relaxed().transaction(lambda connection: _change(connection, work))


def _change(connection: Connection, work: Callable[[Book], T]) -> T:
    text = connection.scalar(_READ)
    if text is None:
        with suppress(IntegrityError), connection.begin_nested():  # another process may make the row at this moment
            connection.execute(_ADD, {"id": _ROW, "book": Book().dump()})
        text = connection.scalar(_READ)
    book = Book.load(text)
    result = work(book)
    connection.execute(_REPLACE, {"book": book.dump()})
    return result
