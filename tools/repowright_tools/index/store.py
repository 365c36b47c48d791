"""Where an index is kept: one SQLite file a repository, shared by processes, or one in memory.

It is a cache. What is in it can be made anew from the repository, so a damaged or outdated file is replaced, and
whatever it holds has passed the search for secrets.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from threading import RLock
from typing import TypeVar

from repowright_tools.errors import InternalError
from repowright_tools.index.transaction import transaction

T = TypeVar("T")

_VERSION = 1
_BUSY_S = 20.0
_LOG_PAGES = 8000  # of 4 kB; each time the log is folded in, the disk is waited for
_MOST_REPLACED = 3  # times an index is found damaged on opening
_KEPT_FILES = 64  # indexes in one folder; the least recently used ones go
_OF_THE_DISK = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_CANTOPEN", "SQLITE_IOERR")
_SCHEMA = """
CREATE TABLE blob (id BLOB, form TEXT, parsed TEXT, PRIMARY KEY (id, form)) STRICT;
CREATE INDEX lost ON blob (id, form) WHERE parsed = '';
CREATE TABLE content (id BLOB PRIMARY KEY, size INTEGER, lines INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE tree (
    key TEXT PRIMARY KEY, used INTEGER, digest BLOB, names BLOB, warnings TEXT, source_bytes INTEGER, forms TEXT
) STRICT;
CREATE TABLE sweep (number INTEGER PRIMARY KEY) STRICT;
CREATE TABLE part (key TEXT, name TEXT, data BLOB, PRIMARY KEY (key, name)) STRICT;
CREATE TABLE derived (tree BLOB, name TEXT, data TEXT, PRIMARY KEY (tree, name)) STRICT;
"""


class StoreFull(Exception):
    """The index cannot be written: the disk is full, read-only or held by another process for too long."""


UNUSABLE = (sqlite3.Error, StoreFull)
"""What using one more connection to the index may raise, its opening too. Whoever keeps there what can be made anew
makes it in `in_memory()` then: it is the same."""


_SENSELESS = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError)
"""What comes of reading something else than what was written."""


class StoreDamaged(InternalError):
    """What was kept is not as we wrote it. An empty index is in its place now: whoever had read of it starts anew."""

    retryable = True
    what_to_do = "Call again: the damaged index has been removed, and is made anew."


class IndexStore:
    """The tables of one index. Calls block; several threads may call, one at a time gets the connection.

    Attributes:
        rebuilt: whether a damaged file was replaced by an empty one.
    """

    def __init__(self, path: Path | None) -> None:
        """Open or make the file at `path`; None is an index in memory.

        Raises:
            StoreFull: it can be neither opened nor made.
        """
        self.rebuilt = False
        self._path = path
        self._lock = RLock()
        self._connection, self._file = self._opened()

    def connect(self) -> sqlite3.Connection:
        """One more connection to the same file; to an empty index when this one is in memory.

        Raises:
            StoreFull: it cannot be opened.
        """
        connection, _ = self._opened()
        return connection

    def __del__(self) -> None:
        with suppress(AttributeError, sqlite3.Error):  # it may never have been opened
            self._connection.close()

    def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """What a query says.

        Raises:
            StoreFull: it cannot be read.
            StoreDamaged: the file is damaged.
        """
        return self._guarded(query)

    def write(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Do a change in one transaction, whole or not at all.

        Raises:
            StoreFull: it cannot be written.
            StoreDamaged: the file is damaged.
        """

        def transact(db: sqlite3.Connection) -> T:
            with transaction(db):
                return change(db)

        return self._guarded(transact)

    def _guarded(self, call: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            try:
                return call(self._connection)
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                if _is_of_the_disk(error):
                    raise StoreFull(str(error)) from error
                # Not tried again: what else the caller knows of the index does not hold for an empty one.
                self._replace()
                raise StoreDamaged(f"the kept index is damaged: {error}") from error

    @contextmanager
    def reading(self) -> Generator[None]:
        """Take apart what was read; SQLite does not notice every damage.

        Raises:
            StoreDamaged: it makes no sense.
        """
        try:
            yield
        except _SENSELESS as error:
            with self._lock:
                self._replace()
            raise StoreDamaged(f"the kept index is damaged: {error}") from error

    def _opened(self) -> tuple[sqlite3.Connection, int | None]:
        """A connection, and the inode of its file."""
        try:
            if self._path is None:
                return _connected(None), None
            _make_room(self._path)
            file, damage = None, None
            for _ in range(_MOST_REPLACED):
                with _folder_held(self._path.parent):
                    file = _inode(self._path)
                    try:
                        return _connected(self._path), _inode(self._path)
                    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # even its message may be damaged
                        if _is_of_the_disk(error):
                            raise
                        damage = error
                self._remove(file)
        except (sqlite3.Error, OSError) as error:
            raise StoreFull(str(error)) from error
        raise StoreFull("it is damaged as soon as it is made") from damage

    def _replace(self) -> None:
        self._connection.close()
        self._remove(self._file)
        self._connection, self._file = self._opened()

    def _remove(self, file: int | None) -> None:
        """Remove a damaged file, if nobody has replaced it yet."""
        self.rebuilt = True
        if self._path is None:
            return
        with _folder_held(self._path.parent, alone=True):
            if _inode(self._path) in {None, file}:
                _unlink(self._path)


@contextmanager
def _folder_held(folder: Path, *, alone: bool = False) -> Generator[None]:
    """While an index is opened, none is removed: who opens a new file beside the old one's `-shm` would cut off what
    others have mapped into their memory, which ends their process. Raises OSError.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _unlink(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}{ending}").unlink(missing_ok=True)


def in_memory() -> sqlite3.Connection:
    """An empty database, where the one of the index is unusable."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def store_path(folder: Path, repository: str, stamp: str) -> Path:
    """The file for a repository, which is known by its address or the place of its history.

    `stamp` is the version of the code: another one does not use these results, and does not destroy them either.
    """
    name = blake2b(f"{stamp} {repository}".encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    return folder / f"{name}.sqlite"


def _connected(path: Path | None) -> sqlite3.Connection:
    connection = sqlite3.connect(
        ":memory:" if path is None else path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        _write_ahead(connection)
        for pragma in ("synchronous = NORMAL", "temp_store = MEMORY", f"wal_autocheckpoint = {_LOG_PAGES}"):
            connection.execute(f"PRAGMA {pragma}")
        _prepare(connection)
    except (sqlite3.Error, UnicodeDecodeError):
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Others may be opening the new file too, and SQLite waits for nobody when it changes the mode of a journal."""
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _prepare(db: sqlite3.Connection) -> None:
    (found,) = db.execute("PRAGMA user_version").fetchone()
    if found == _VERSION:
        return
    db.execute("BEGIN IMMEDIATE")
    (found,) = db.execute("PRAGMA user_version").fetchone()  # another process may have been first
    if found == 0:
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {_VERSION}")
    db.execute("COMMIT")
    if found not in {0, _VERSION}:
        raise sqlite3.DatabaseError("an index of another version")


def _is_of_the_disk(error: Exception) -> bool:
    """Whether the disk or another process is in the way; else the file is not as we made it."""
    name: str = getattr(error, "sqlite_errorname", "")  # what Python itself finds wrong has none
    return name.startswith(_OF_THE_DISK) and name != "SQLITE_IOERR_SHORT_READ"  # a file that was cut off


def _make_room(path: Path) -> None:
    """Have the folder, for its owner alone, with few enough files in it."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _folder_held(path.parent, alone=True):
        files = sorted(path.parent.glob("*.sqlite"), key=lambda file: file.stat().st_mtime)
        for file in files[: max(0, len(files) + 1 - _KEPT_FILES)]:
            _unlink(file)
