"""The response cache over the store: bounded in time and size, and shared by all processes on the state.

Values are JSON, never pickle: whoever can write the file must not get to run code.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from repowright_server.json_types import is_object
from repowright_server.observability.logging import logger
from repowright_server.observability.redaction import redact_values
from repowright_server.runs.schema import responses
from repowright_server.runs.store import Store
from repowright_tools.errors import RepowrightError


class StoredResponses:
    """The ResponseCache port. What ails the state makes a miss, with a line in the log, and fails no call.

    Args:
        state: the store; a lost entry costs a call and no more, so its relaxed side is used.
        ttl_s: seconds for which an entry is good.
        most_bytes: size of all entries together; the least recently used ones make room. A larger one is not kept.
        clock: seconds since the epoch.
    """

    def __init__(self, state: Store, ttl_s: float, most_bytes: int, *, clock: Callable[[], float] = time.time) -> None:
        self._store = state.relaxed()
        self._ttl_s = ttl_s
        self._most_bytes = most_bytes
        self._clock = clock

    async def get(self, key: str) -> dict[str, Any] | None:
        """See the port. A hit is counted and makes the entry the most recently used one."""
        try:
            return await self._store.transaction(lambda db: self._take(db, key))
        except RepowrightError as error:
            logger(__name__).warning("the response cache cannot be read", reason=error.message)
            return None

    async def put(self, key: str, record: dict[str, Any]) -> None:
        """See the port. A record that holds a secret is not kept: without it, it would be another answer."""
        text = json.dumps(record, separators=(",", ":"))
        size = len(key) + len(text)  # both are ASCII
        if size > self._most_bytes or redact_values(record) != record:
            return
        try:
            await self._store.transaction(lambda db: self._keep(db, key, text, size))
        except RepowrightError as error:
            logger(__name__).warning("the response cache cannot be written", reason=error.message)

    def _take(self, db: Connection, key: str) -> dict[str, Any] | None:
        this, now = responses.c.key == key, self._clock()
        # One that was written in the future has no known age: the clock was set back.
        good = sa.and_(this, responses.c.created > now - self._ttl_s, responses.c.created <= now)
        record = _parse(db.scalar(sa.select(responses.c.record).where(good)))
        if record is not None:
            db.execute(responses.update().where(this).values(used=now, hits=responses.c.hits + 1))
        return record

    def _keep(self, db: Connection, key: str, text: str, size: int) -> None:
        now = self._clock()
        db.execute(responses.delete().where(sa.or_(responses.c.key == key, responses.c.created <= now - self._ttl_s)))
        row = {"key": key, "created": now, "used": now, "hits": 0, "bytes": size, "record": text}
        db.execute(responses.insert().values(row))
        total = db.scalar(sa.select(sa.func.sum(responses.c.bytes)))
        if total is not None and total > self._most_bytes:
            self._make_room(db)

    def _make_room(self, db: Connection) -> None:
        newest_first = (responses.c.used.desc(), responses.c.created.desc(), responses.c.key)
        up_to_here = sa.func.sum(responses.c.bytes).over(order_by=newest_first, rows=(None, 0)).label("up_to_here")
        sizes = sa.select(responses.c.key, up_to_here).subquery()
        too_much = sa.select(sizes.c.key).where(sizes.c.up_to_here > self._most_bytes)
        db.execute(responses.delete().where(responses.c.key.in_(too_much)))


def _parse(text: object) -> dict[str, Any] | None:
    """The record of a row; None without one, or with one that somebody or something has damaged."""
    try:
        record: object = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
    return record if is_object(record) else None
