"""What the store keeps of work trees: their tables of files, and what of it all trees may forget."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from sqlite3 import Connection

from repowright_tools.index.forms import Depth
from repowright_tools.index.limits import Limits
from repowright_tools.index.store import IndexStore
from repowright_tools.index.table import ID_BYTES, FileTable

MANY = 200
"""Files; for fewer, sending the ids of all known parse results costs more than parsing again."""
_USED_NS = 60_000_000_000  # when a tree was looked at is known to the minute
_KEPT_TREES = 8
_KEPT_CONTENTS = 4  # times the files of the largest tree; beyond, those of no tree go

Warnings = list[tuple[str, str]]


@dataclass
class Scanned:
    """A work tree as it is, or was when the store heard of it last.

    Attributes:
        key: what it is kept under in the store.
        table: its files.
        digest: what this very tree is known by.
        names: what its list of files is known by.
        warnings: code and message of what was given up.
        source_bytes: of files that are small enough to be parsed; rather too many than too few.
        forms: what most files are parsed in.
        read: how many files were opened.
        parsed: how many parse results were made.
        sweeps: how often the store had dropped what no tree held, when it was asked for this one.
        depth: how deep each file is looked into, when that was found out for all of them just now.
    """

    key: str
    table: FileTable = field(default_factory=lambda: FileTable.unknown([]))
    digest: bytes = b""
    names: bytes = b""
    warnings: Warnings = field(default_factory=Warnings)
    source_bytes: int = 0
    forms: Sequence[str] = ()
    read: int = 0
    parsed: int = 0
    sweeps: int = 0
    depth: Depth | None = None


class Swept(Exception):
    """Another process dropped parse results that this one may have counted on."""


def has_content(db: Connection) -> bool:
    return db.execute("SELECT 1 FROM content LIMIT 1").fetchone() is not None


def contents_known(db: Connection) -> dict[bytes, tuple[int, int]]:
    return {identity: (size, lines) for identity, size, lines in db.execute("SELECT id, size, lines FROM content")}


def parsed_known(db: Connection) -> set[tuple[bytes, str]]:
    return set(db.execute("SELECT id, form FROM blob"))


def parsed_of(db: Connection, keys: Iterable[tuple[bytes, str]]) -> set[tuple[bytes, str]]:
    query = "SELECT 1 FROM blob WHERE id = ? AND form = ?"
    return {key for key in keys if db.execute(query, key).fetchone() is not None}


def _sweeps(db: Connection) -> int:
    (last,) = db.execute("SELECT max(number) FROM sweep").fetchone()
    return int(last or 0)


def kept_tree(store: IndexStore, key: str, limits: Limits) -> Scanned:
    with store.reading():
        kept = store.read(lambda db: _kept(db, key))
        if kept.digest and kept.digest != kept.table.digest(repr(limits).encode()):
            raise ValueError("the columns are not those that were kept")
        return kept


def _kept(db: Connection, key: str) -> Scanned:
    row = db.execute("SELECT digest, names, warnings, source_bytes, forms FROM tree WHERE key = ?", (key,)).fetchone()
    sweeps = _sweeps(db)
    if row is None:
        return Scanned(key, sweeps=sweeps)
    columns = "name IN ('names', 'stats', 'ids', 'lines')"
    table = FileTable.from_parts(dict(db.execute(f"SELECT name, data FROM part WHERE key = ? AND {columns}", (key,))))  # noqa: S608 # no text of others
    if table is None:
        return Scanned(key, sweeps=sweeps)
    told = [(code, message) for code, message in json.loads(row[2])]
    return Scanned(key, table, row[0], row[1], told, row[3], row[4].split(), sweeps=sweeps)


def keep_tree(db: Connection, scanned: Scanned) -> None:
    if _sweeps(db) != scanned.sweeps:
        raise Swept
    parts = scanned.table.parts()
    names = db.execute("SELECT names FROM tree WHERE key = ?", (scanned.key,)).fetchone()
    if names is not None and names[0] == scanned.names:
        del parts["names"]
    rows = [(scanned.key, name, data) for name, data in parts.items()]
    db.executemany("INSERT OR REPLACE INTO part VALUES (?, ?, ?)", rows)
    told = json.dumps(scanned.warnings)
    about = (told, scanned.source_bytes, " ".join(scanned.forms))
    row = (scanned.key, time.time_ns(), scanned.digest, scanned.names, *about)
    db.execute("INSERT OR REPLACE INTO tree VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    _forget(db)


def still_used(store: IndexStore, key: str) -> None:
    """Say that somebody looked at a tree in which nothing changed; those that nobody looks at go first."""
    now = time.time_ns()
    query = "SELECT 1 FROM tree WHERE key = ? AND used < ?"
    if store.read(lambda db: db.execute(query, (key, now - _USED_NS)).fetchone()):
        store.write(lambda db: db.execute("UPDATE tree SET used = ? WHERE key = ?", (now, key)))


def _forget(db: Connection) -> None:
    """Drop the trees that nobody looked at for longest, and what belongs to no tree that is left."""
    old = db.execute("SELECT key FROM tree ORDER BY used DESC LIMIT -1 OFFSET ?", (_KEPT_TREES,)).fetchall()
    db.executemany("DELETE FROM tree WHERE key = ?", old)
    db.executemany("DELETE FROM part WHERE key = ?", old)
    db.execute("DELETE FROM derived WHERE tree NOT IN (SELECT digest FROM tree)")
    # A graph that is kept is brought up to date from what its files were: `graph_ids`.
    kept = [ids for (ids,) in db.execute("SELECT data FROM part WHERE name IN ('ids', 'graph_ids')")]
    (known,) = db.execute("SELECT count(*) FROM content").fetchone()
    if known > _KEPT_CONTENTS * max(len(ids) // ID_BYTES for ids in kept) + MANY:
        used = {ids[at : at + ID_BYTES] for ids in kept for at in range(0, len(ids), ID_BYTES)}
        gone = [(identity,) for (identity,) in db.execute("SELECT id FROM content") if identity not in used]
        db.executemany("DELETE FROM content WHERE id = ?", gone)
        db.executemany("DELETE FROM blob WHERE id = ?", gone)
        db.execute("INSERT INTO sweep VALUES (?)", (_sweeps(db) + 1,))
