"""Inverted lists in SQLite, of documents that are known by their content.

A document is stored once under its key (the blob id of a file, the id of a commit) and never changes. Which documents
count is said by whoever asks: branches, worktrees and processes share one database without disturbing each other, and
an answer depends on the documents asked about alone, never on what else is stored.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from repowright_tools.index.transaction import transaction

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS search_state(name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    """CREATE TABLE IF NOT EXISTS search_document(
        id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, key TEXT NOT NULL, length INTEGER NOT NULL,
        extra BLOB NOT NULL, UNIQUE(kind, key))""",
    """CREATE TABLE IF NOT EXISTS search_posting(
        field TEXT NOT NULL, term TEXT NOT NULL, batch INTEGER NOT NULL, entries BLOB NOT NULL,
        PRIMARY KEY(field, term, batch))""",
)
_BATCH_ENTRIES = 400_000  # that many take some 20 MB of memory
_COUNT_BITS = 16
COUNT_MASK = (1 << _COUNT_BITS) - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A document to store.

    Attributes:
        terms: its terms by field, each with a count (1 to 65,535) and a 64-bit integer of the caller's.
        length: what its counts are normalised by.
        extra: kept with it as it is.
    """

    key: str
    length: int
    extra: bytes
    terms: Mapping[str, tuple[Sequence[str], Sequence[int], Sequence[int]]]


class Postings:
    """The stored documents of one kind. One connection, used by one thread at a time.

    Args:
        connection: with `isolation_level=None`; transactions are begun and ended here.
        kind: keeps documents apart that have nothing to do with each other.
    """

    def __init__(self, connection: sqlite3.Connection, kind: str) -> None:
        self._connection = connection
        self._kind = kind
        for statement in _SCHEMA:
            connection.execute(statement)

    def stored(self) -> dict[str, tuple[int, int]]:
        """Number and length by key."""
        rows = self._connection.execute("SELECT key, id, length FROM search_document WHERE kind = ?", (self._kind,))
        return {key: (number, length) for key, number, length in rows}

    def kept_with(self, number: int) -> bytes:
        row = self._connection.execute("SELECT extra FROM search_document WHERE id = ?", (number,)).fetchone()
        return bytes(row[0]) if row else b""

    def add(self, entries: Iterable[Entry]) -> None:
        """Store documents, a bounded number in each transaction; those that another process stored meanwhile stay."""
        some: list[Entry] = []
        size = 0
        for entry in entries:
            some.append(entry)
            size += sum(len(terms) for terms, _, _ in entry.terms.values())
            if size >= _BATCH_ENTRIES:
                self._write(some)
                some, size = [], 0
        if some:
            self._write(some)

    def lists(self, field: str, term: str) -> tuple[array[int], array[int]]:
        """The documents that have the term, of any tree: heads (see `number_of`) and their integers, side by side."""
        entries = _entries()
        rows = self._connection.execute(
            "SELECT entries FROM search_posting WHERE field = ? AND term = ? ORDER BY batch", (self._field(field), term)
        )
        for (data,) in rows:
            entries.frombytes(data)
        return entries[::2], entries[1::2]

    def generation(self) -> int:
        """Rises when documents were dropped."""
        row = self._connection.execute("SELECT value FROM search_state WHERE name = 'generation'").fetchone()
        return int(row[0]) if row else 0

    def drop_others(self, keys: Collection[str], spare: int) -> bool:
        """Drop the documents with other keys when they are more than `keys` by `spare`; whether that was done."""
        wanted = set(keys)
        (count,) = self._connection.execute(
            "SELECT count(*) FROM search_document WHERE kind = ?", (self._kind,)
        ).fetchone()
        if count <= 2 * len(wanted) + spare:
            return False
        with transaction(self._connection):
            dead = [(number,) for key, (number, _) in self.stored().items() if key not in wanted]
            self._connection.executemany("DELETE FROM search_document WHERE id = ?", dead)
            gone = {number for (number,) in dead}
            like = (f"{self._kind}.", f"{self._kind}/")  # the fields of this kind: '/' is the character after '.'
            rows = self._connection.execute(
                "SELECT rowid, entries FROM search_posting WHERE field > ? AND field < ?", like
            ).fetchall()
            for row, data in rows:
                self._filter(row, data, gone)
            self._connection.execute(
                "INSERT INTO search_state VALUES('generation', 1) ON CONFLICT DO UPDATE SET value = value + 1"
            )
        return True

    def _filter(self, row: int, data: bytes, gone: set[int]) -> None:
        entries = array("Q")
        entries.frombytes(data)
        left = array("Q")
        for head, value in zip(entries[::2], entries[1::2], strict=True):
            if head >> _COUNT_BITS not in gone:
                left.extend((head, value))
        if not left:
            self._connection.execute("DELETE FROM search_posting WHERE rowid = ?", (row,))
        elif len(left) < len(entries):
            self._connection.execute("UPDATE search_posting SET entries = ? WHERE rowid = ?", (left.tobytes(), row))

    def _write(self, entries: Sequence[Entry]) -> None:
        with transaction(self._connection):
            known = self.stored()
            gathered: defaultdict[tuple[str, str], array[int]] = defaultdict(_entries)
            batch = self._next_batch()
            for entry in entries:
                if entry.key in known:
                    continue
                inserted = self._connection.execute(
                    "INSERT INTO search_document(kind, key, length, extra) VALUES(?, ?, ?, ?)",
                    (self._kind, entry.key, entry.length, entry.extra),
                )
                number = inserted.lastrowid or 0
                known[entry.key] = (number, entry.length)
                for field, (terms, counts, values) in entry.terms.items():
                    name = self._field(field)
                    for term, count, value in zip(terms, counts, values, strict=True):
                        gathered[name, term].extend((number << _COUNT_BITS | count, value))
            self._connection.executemany(
                "INSERT INTO search_posting VALUES(?, ?, ?, ?)",
                ((field, term, batch, gathered[field, term].tobytes()) for field, term in sorted(gathered)),
            )

    def _next_batch(self) -> int:
        self._connection.execute(
            "INSERT INTO search_state VALUES('batch', 1) ON CONFLICT DO UPDATE SET value = value + 1"
        )
        return int(self._connection.execute("SELECT value FROM search_state WHERE name = 'batch'").fetchone()[0])

    def _field(self, field: str) -> str:
        return f"{self._kind}.{field}"


def number_of(head: int) -> int:
    """The document's number in a head."""
    return head >> _COUNT_BITS


def count_of(head: int) -> int:
    """How often the document has the term."""
    return head & COUNT_MASK


def _entries() -> array[int]:
    return array("Q")
