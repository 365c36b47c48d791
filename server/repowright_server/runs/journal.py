"""The journal of a run: what was paid for or left the machine, written down before and after it happened.

Each entry carries a hash over itself and the entry before it, so that an edited history shows.
"""

import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any, Literal

import anyio
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from repowright_server.observability.redaction import redact_values
from repowright_server.runs.run import digest
from repowright_server.runs.schema import entries
from repowright_server.runs.store import Store
from repowright_tools.errors import RepowrightError
from repowright_tools.stage import Cost, Json

Kind = Literal["intent", "result", "lost", "failed", "void", "approval"]
"""`lost`: the process died between intent and result, and nobody can say whether the effect happened."""

_ENDS = {"failed", "void", "lost"}


class RunJournal:
    """The Journal port of one attempt. Steps are kept under the attempt's scope, which its successors share."""

    def __init__(self, store: Store, run_id: str, stage: str, scope: str) -> None:
        self._store = store
        self._run_id = run_id
        self._stage = stage
        self._scope = scope
        self._also: list[Callable[[Connection], None]] = []

    async def step(
        self,
        name: str,
        inputs: Json,
        effect: Callable[[], Awaitable[Json]],
        *,
        reconcile: Callable[[], Awaitable[Json | None]] | None = None,
        cost_of: Callable[[Json], Cost] | None = None,
        reservation: Cost | None = None,
    ) -> Json:
        key = digest(inputs)
        last = await self._store.transaction(lambda db: self._last(db, name, key))
        if last is not None and last["kind"] == "result":
            return last["payload"]
        if last is not None and last["kind"] == "intent":
            found = await reconcile() if reconcile is not None else None
            if found is not None:
                return await self._finish(name, key, found, cost_of)
            await self._append("lost", name, key, None, last["cost"])
        await self._append("intent", name, key, None, None if reservation is None else asdict(reservation))
        try:
            result = await effect()
        except Exception as error:
            # Also the attempt that suspends here: no effect has happened, and the step is free to be tried again.
            self._also.clear()
            code = error.code if isinstance(error, RepowrightError) else type(error).__name__
            with anyio.CancelScope(shield=True):
                await self._append("failed", name, key, {"error": code}, None)
            raise
        return await self._finish(name, key, result, cost_of)

    async def void(self, prefix: str) -> None:
        def forget(db: Connection) -> None:
            for row in self._current(db):
                if row["name"].startswith(prefix) and row["kind"] == "result":
                    self._insert(db, "void", row["name"], row["inputs"], None, None)

        await self._store.transaction(forget)

    async def note_approval(self, payload: dict[str, Any]) -> None:
        """Write down that the operator's answer was acted on."""
        await self._append("approval", "approval", digest(payload), payload, None)

    def with_next_result(self, also: Callable[[Connection], None]) -> None:
        """Do this too in the transaction that writes the next result down: both are kept, or neither."""
        self._also.append(also)

    async def _finish(self, name: str, key: str, result: Json, cost_of: Callable[[Json], Cost] | None) -> Json:
        cost = None if cost_of is None else asdict(cost_of(result))
        also, self._also = self._also, []

        def keep(db: Connection) -> None:
            self._insert(db, "result", name, key, result, cost)
            for each in also:
                each(db)

        with anyio.CancelScope(shield=True):  # the effect has happened: a late cancellation must not have it repeated
            await self._store.transaction(keep)
        return json.loads(json.dumps(result))  # the same shapes now as after a resume

    async def _append(self, kind: Kind, name: str, key: str, payload: Json, cost: dict[str, Any] | None) -> None:
        await self._store.transaction(lambda db: self._insert(db, kind, name, key, payload, cost))

    def _current(self, db: Connection) -> list[dict[str, Any]]:
        """The last entry of each step of this scope."""
        wanted = sa.and_(entries.c.run_id == self._run_id, entries.c.scope == self._scope)
        last: dict[tuple[str, str], dict[str, Any]] = {}
        for row in db.execute(sa.select(entries).where(wanted).order_by(entries.c.seq)).mappings():
            last[row["name"], row["inputs"]] = dict(row)
        return list(last.values())

    def _last(self, db: Connection, name: str, key: str) -> dict[str, Any] | None:
        for row in self._current(db):
            if (row["name"], row["inputs"]) == (name, key):
                return None if row["kind"] in _ENDS else row
        return None

    def _insert(
        self, db: Connection, kind: Kind, name: str, key: str, payload: Json, cost: dict[str, Any] | None
    ) -> None:
        newest = (
            sa.select(entries.c.seq, entries.c.hash)
            .where(entries.c.run_id == self._run_id)
            .order_by(entries.c.seq.desc())
            .limit(1)
        )
        before = db.execute(newest).first()
        row: dict[str, Any] = {
            "run_id": self._run_id,
            "seq": 1 if before is None else before.seq + 1,
            "at": time.time(),
            "stage": self._stage,
            "scope": self._scope,
            "name": name,
            "inputs": key,
            "kind": kind,
            "payload": redact_values(payload),
            "cost": cost,
        }
        db.execute(entries.insert().values(row | {"hash": chained("" if before is None else before.hash, row)}))


def chained(previous: str, row: dict[str, Any]) -> str:
    """The hash of an entry (without its own `hash`) that follows the entry with the hash `previous`."""
    return digest([previous, {name: value for name, value in row.items() if name != "hash"}])


def entries_of(db: Connection, run_id: str) -> list[dict[str, Any]]:
    """All entries of a run, oldest first."""
    query = sa.select(entries).where(entries.c.run_id == run_id).order_by(entries.c.seq)
    return [dict(row) for row in db.execute(query).mappings()]


def first_break(rows: Sequence[dict[str, Any]]) -> int | None:
    """The `seq` of the first entry that does not follow from the one before it; None for an intact journal."""
    previous = ""
    for expected, row in enumerate(rows, start=1):
        if row["seq"] != expected or row["hash"] != chained(previous, row):
            return expected
        previous = row["hash"]
    return None


def cost_of_entries(rows: Sequence[dict[str, Any]]) -> Cost:
    """What the entries cost together; calls that were lost count at their reservation."""
    costs = [Cost(**row["cost"]) for row in rows if row["cost"] is not None and row["kind"] in ("result", "lost")]
    if not costs:
        return Cost()
    prices = [cost.usd for cost in costs]
    return Cost(
        usd=None if None in prices else round(sum(price for price in prices if price is not None), 6),
        input_tokens=sum(cost.input_tokens for cost in costs),
        output_tokens=sum(cost.output_tokens for cost in costs),
        cached_input_tokens=sum(cost.cached_input_tokens for cost in costs),
        calls=sum(cost.calls for cost in costs),
        provider=costs[-1].provider,
        model=costs[-1].model,
    )
