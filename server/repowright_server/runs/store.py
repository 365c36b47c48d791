"""The state of all runs in one database, by SQLAlchemy Core. Imported at first use: SQLAlchemy is heavy."""

import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from repowright_server.runs.run import Attempt, Run, Status
from repowright_server.runs.schema import SCHEMA_VERSION, approvals, attempts, events, metadata, runs, schema
from repowright_tools.errors import StateTooNew, StateUnavailable
from repowright_tools.threads import in_thread

T = TypeVar("T")


class Store:
    """Transactions over the tables above, each in a worker thread.

    Raises, from every method:
        StateUnavailable: the database cannot be read or written (locked, full, corrupt, forbidden).
        StateTooNew: a newer version of this program has written it.
    """

    def __init__(
        self,
        url: str | None,
        home: Path,
        *,
        patience_s: float = 10.0,
        durable: bool = True,
        turn: "threading.Lock | None" = None,
    ) -> None:
        """A store at a database URL, or in a file in `home`.

        Args:
            url: None means the file.
            home: the folder of the file.
            patience_s: how long a transaction waits for others in this process, and then for other processes.
            durable: see `relaxed`.
            turn: a lock to share with another store on the same file; None means one of its own.
        """
        self._place = url, home
        self._patience_s = patience_s
        self._relaxed: Store | None = None
        if url is None:
            path = home / "repowright.db"
            _create(path)
            url = f"sqlite:///{path}"
        try:
            arguments = {"timeout": patience_s} if url.startswith("sqlite") else {}
            self._engine = sa.create_engine(url, connect_args=arguments)
        except (SQLAlchemyError, ImportError) as error:
            raise StateUnavailable(f"DATABASE_URL cannot be used: {error}") from error
        if self._engine.dialect.name == "sqlite":
            event.listen(self._engine, "connect", partial(_configure_sqlite, durable))
            event.listen(self._engine, "begin", _begin_immediate)
        # SQLite has one writer at a time, and one that waits for it polls: threads of this process wait here instead.
        self._turn = turn or (threading.Lock() if self._engine.dialect.name == "sqlite" else None)
        self._ready = False
        self._preparing = threading.Lock()

    def relaxed(self) -> "Store":
        """The same database for what a loss of power may take back: in SQLite its commits do not wait for the disk.

        A process that dies takes nothing back, and the database stays whole. It is closed with this store.
        """
        if self._engine.dialect.name != "sqlite":
            return self
        if self._relaxed is None:
            self._relaxed = Store(*self._place, patience_s=self._patience_s, durable=False, turn=self._turn)
        return self._relaxed

    async def transaction(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction: all of it is kept, or none."""
        return await in_thread(self.transact, work)

    def transact(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._in_turn():
                with self._preparing:
                    if not self._ready:
                        with self._engine.begin() as connection:  # its own transaction: `work` may be rolled back
                            self._prepare(connection)
                        self._ready = True
                with self._engine.begin() as connection:
                    return work(connection)
        except SQLAlchemyError as error:
            reason: object = getattr(error, "orig", None)
            raise StateUnavailable(f"the state cannot be used: {reason or error}") from error

    @contextmanager
    def _in_turn(self) -> Generator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=self._patience_s):
            raise StateUnavailable(f"the state cannot be used: no turn came within {self._patience_s:g} s")
        try:
            yield
        finally:
            self._turn.release()

    def _prepare(self, connection: Connection) -> None:
        metadata.create_all(connection)
        version = connection.scalar(sa.select(schema.c.version))
        if version is None:
            connection.execute(schema.insert().values(version=SCHEMA_VERSION))
        elif version > SCHEMA_VERSION:
            raise StateTooNew(f"the state has schema version {version}; this program knows up to {SCHEMA_VERSION}")

    def close(self) -> None:
        self._engine.dispose()
        if self._relaxed is not None:
            self._relaxed.close()


def _create(path: Path) -> None:
    """Make the file private before SQLite makes it 0644. One that is there is not even opened.

    To close it would give up all locks that this process has on it, those of open connections too (POSIX, fcntl). Then
    the next process that ends takes itself for the last one and deletes the write-ahead log, and from there on both
    sides write what the other one never sees. Source: https://www.sqlite.org/howtocorrupt.html, 2.2
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _configure_sqlite(durable: bool, connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are ours to begin
    connection.execute("PRAGMA journal_mode=WAL")
    # FULL: an intent must be on disk before its effect. NORMAL waits for no disk, and only power can undo a commit.
    connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


# --- rows -----------------------------------------------------------------------------------------------------------


def _row(connection: Connection, query: sa.Select[Any]) -> dict[str, Any] | None:
    row = connection.execute(query).mappings().first()
    return None if row is None else dict(row)


def add_run(connection: Connection, run: Run) -> None:
    connection.execute(runs.insert().values(run.model_dump(mode="json")))


def run_of(connection: Connection, run_id: str) -> Run | None:
    row = _row(connection, sa.select(runs).where(runs.c.id == run_id))
    return None if row is None else Run.model_validate(row)


def newest_runs(connection: Connection, limit: int) -> list[Run]:
    rows = connection.execute(sa.select(runs).order_by(runs.c.created.desc(), runs.c.id).limit(limit)).mappings()
    return [Run.model_validate(dict(row)) for row in rows]


def change_run(connection: Connection, run_id: str, **changes: Any) -> None:
    connection.execute(runs.update().where(runs.c.id == run_id).values(**changes))


def add_attempt(connection: Connection, **values: Any) -> Attempt:
    blank: dict[str, Any] = {
        "submissions": [],
        "submission": [],
        "told": False,
        "started": time.time(),
        "parent": None,
    }
    inserted = connection.execute(attempts.insert().values(blank | values)).inserted_primary_key
    return attempt_of(connection, inserted[0] if inserted else -1)


def attempt_of(connection: Connection, attempt_id: int) -> Attempt:
    row = _row(connection, sa.select(attempts).where(attempts.c.id == attempt_id))
    if row is None:
        raise StateUnavailable(f"attempt {attempt_id} is gone from the state")
    return Attempt.model_validate(row)


def change_attempt(connection: Connection, attempt_id: int, **changes: Any) -> None:
    connection.execute(attempts.update().where(attempts.c.id == attempt_id).values(**changes))


def mark_told(connection: Connection, run_id: str) -> None:
    """The failures of a run up to now are known to a caller."""
    failed = sa.and_(attempts.c.run_id == run_id, attempts.c.status == Status.FAILED)
    connection.execute(attempts.update().where(failed).values(told=True))


def attempts_of(connection: Connection, run_id: str) -> list[Attempt]:
    """All attempts of a run, oldest first."""
    rows = connection.execute(sa.select(attempts).where(attempts.c.run_id == run_id).order_by(attempts.c.id))
    return [Attempt.model_validate(dict(row)) for row in rows.mappings()]


def active_calls(connection: Connection, call: str) -> list[Attempt]:
    """Attempts in progress that were started, without a run, by a call with this digest."""
    wanted = sa.and_(attempts.c.call == call, attempts.c.status.in_([Status.QUEUED, Status.IN_PROGRESS]))
    rows = connection.execute(sa.select(attempts).where(wanted).order_by(attempts.c.id)).mappings()
    return [Attempt.model_validate(dict(row)) for row in rows]


def set_approval(connection: Connection, run_id: str, digest: str, *, granted: bool, by: str) -> None:
    """Record the operator's answer to what has this digest; a later answer replaces an earlier one."""
    connection.execute(approvals.delete().where(approvals.c.run_id == run_id, approvals.c.digest == digest))
    values = {"run_id": run_id, "digest": digest, "granted": granted, "by": by, "at": time.time()}
    connection.execute(approvals.insert().values(values))


def approval_of(connection: Connection, run_id: str, digest: str) -> bool | None:
    """True or False as the operator answered, None when there is no answer."""
    found = sa.and_(approvals.c.run_id == run_id, approvals.c.digest == digest)
    return connection.scalar(sa.select(approvals.c.granted).where(found))


def withdraw_approval(connection: Connection, run_id: str, digest: str) -> None:
    connection.execute(approvals.delete().where(approvals.c.run_id == run_id, approvals.c.digest == digest))


def approvals_of(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    rows = connection.execute(sa.select(approvals).where(approvals.c.run_id == run_id).order_by(approvals.c.at))
    return [dict(row) for row in rows.mappings()]


def add_events(connection: Connection, rows: list[dict[str, Any]]) -> None:
    connection.execute(events.insert(), rows)


def events_of(connection: Connection, run_id: str, after: int = 0) -> list[dict[str, Any]]:
    wanted = sa.and_(events.c.run_id == run_id, events.c.id > after)
    return [dict(row) for row in connection.execute(sa.select(events).where(wanted).order_by(events.c.id)).mappings()]
