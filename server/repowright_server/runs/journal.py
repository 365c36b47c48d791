"""The journal of a run: what was paid for or left the machine, written down before and after it happened.

Each entry carries a hash over itself and the entry before it, so that an edited history shows.
"""

import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Literal, NamedTuple, TypeVar

import anyio
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from repowright_server.observability.redaction import redact_values
from repowright_server.runs.run import digest
from repowright_server.runs.schema import entries
from repowright_server.runs.store import Store
from repowright_tools.errors import BudgetExceeded, PriceUnknown, RepowrightError, StateUnavailable
from repowright_tools.stage import Charge, Cost, Json

T = TypeVar("T")
Kind = Literal["intent", "result", "lost", "failed", "void", "approval"]
"""`lost`: the process died between intent and result, and nobody can say whether the effect happened."""

_PATIENCE_S = (0.0, 1.0, 4.0)
"""Waits between attempts to write a result down; a database that is locked takes its own time beside."""
_ENDS = {"failed", "void", "lost"}
# Built once: putting a statement together takes as long as running it.
_OF_RUN = entries.c.run_id == sa.bindparam("run")
_LAST_OF_STEP = (
    sa.select(entries)
    .where(
        _OF_RUN,
        entries.c.scope == sa.bindparam("scope"),
        entries.c.name == sa.bindparam("name"),
        entries.c.inputs == sa.bindparam("inputs"),
    )
    .order_by(entries.c.seq.desc())
    .limit(1)
)
_NEWEST = sa.select(entries.c.seq, entries.c.hash).where(_OF_RUN).order_by(entries.c.seq.desc()).limit(1)
_COSTS = (
    sa.select(
        entries.c.seq,
        entries.c.scope,
        entries.c.name,
        entries.c.inputs,
        entries.c.kind,
        entries.c.cost,
        entries.c.hash,
    )
    .where(_OF_RUN)
    .order_by(entries.c.seq)
)
_INSERT = entries.insert()


class RunJournal:
    """The Journal port of one attempt. Steps are kept under the attempt's scope, which its successors share."""

    def __init__(self, store: Store, run_id: str, stage: str, scope: str) -> None:
        self._store = store
        self._run_id = run_id
        self._stage = stage
        self._scope = scope
        self._also: list[Callable[[Connection], None]] = []
        self._finished: set[tuple[str, str]] = set()
        self._knows_finished = False

    async def recorded(self, name: str, inputs: Json) -> Json | None:
        key = digest(inputs)
        if not self._knows_finished:  # nobody else writes under this scope while this attempt has it
            self._finished |= await self._store.transaction(self._finished_before)
            self._knows_finished = True
        if (name, key) not in self._finished:
            return None
        last = await self._store.transaction(lambda db: self._last(db, name, key))
        return last["payload"] if last is not None and last["kind"] == "result" else None

    async def step(
        self,
        name: str,
        inputs: Json,
        effect: Callable[[], Awaitable[Json]],
        *,
        reconcile: Callable[[], Awaitable[Json | None]] | None = None,
        charge: Charge | None = None,
    ) -> Json:
        key = digest(inputs)
        stands = await self._write(lambda db: self._begin(db, name, key, charge, reconcile is not None))
        if stands is not None and stands["kind"] == "result":
            return stands["payload"]
        if stands is not None and reconcile is not None:
            found = await reconcile()
            if found is not None:
                return await self._finish(name, key, found, charge)
            await self._write(lambda db: self._begin(db, name, key, charge, reconciles=False))
        try:
            result = await effect()
        except Exception as error:
            # Also the attempt that suspends here: no effect has happened, and the step is free to be tried again.
            self._also.clear()
            code = error.code if isinstance(error, RepowrightError) else type(error).__name__
            note: dict[str, Json] = {}
            cost: Cost | None = None
            if charge is not None:
                cost, note = charge.failure(error)
            await self._append("failed", name, key, {"error": code} | note, None if cost is None else asdict(cost))
            raise
        return await self._finish(name, key, result, charge)

    def _begin(
        self, db: Connection, name: str, key: str, charge: Charge | None, reconciles: bool
    ) -> dict[str, Any] | None:
        """Write the intent and return None; or return the entry that stands against it, a result or an open intent."""
        rows = db.execute(_COSTS, {"run": self._run_id}).mappings().all()
        this = self._scope, name, key
        last = next((row for row in reversed(rows) if (row["scope"], row["name"], row["inputs"]) == this), None)
        end = _End(rows[-1]["seq"], rows[-1]["hash"]) if rows else _End(0, "")
        if last is not None and last["kind"] not in _ENDS:
            if last["kind"] == "result" or reconciles:
                return self._last(db, name, key)
            end = self._insert(db, "lost", name, key, None, last["cost"], after=end)
        if charge is not None:
            _afford(charge, _usd_of(rows))
        self._insert(db, "intent", name, key, None, None if charge is None else asdict(charge.reservation), after=end)
        return None

    async def void(self, prefix: str) -> None:
        def forget(db: Connection) -> None:
            for row in self._current(db):
                if row["name"].startswith(prefix) and row["kind"] == "result":
                    self._insert(db, "void", row["name"], row["inputs"], None, None)

        await self._write(forget)

    async def note_approval(self, payload: dict[str, Any]) -> None:
        """Write down that the operator's answer was acted on."""
        await self._append("approval", "approval", digest(payload), payload, None)

    def with_next_result(self, also: Callable[[Connection], None]) -> None:
        """Do this too in the transaction that writes the next result down: both are kept, or neither."""
        self._also.append(also)

    async def _finish(self, name: str, key: str, result: Json, charge: Charge | None) -> Json:
        cost = None if charge is None else asdict(charge.cost_of(result))
        also, self._also = self._also, []

        def keep(db: Connection) -> None:
            self._insert(db, "result", name, key, result, cost)
            for each in also:
                each(db)

        await self._keep(keep)
        self._finished.add((name, key))
        return json.loads(json.dumps(result))  # the same shapes now as after a resume

    async def _append(self, kind: Kind, name: str, key: str, payload: Json, cost: dict[str, Any] | None) -> None:
        await self._write(lambda db: self._insert(db, kind, name, key, payload, cost))

    async def _keep(self, work: Callable[[Connection], None]) -> None:
        """Write down what has happened. It was paid for, or has left the machine: a state that fails is asked again."""
        for wait_s in _PATIENCE_S:
            with suppress(StateUnavailable):
                return await self._write(work)
            await anyio.sleep(wait_s)
        return await self._write(work)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        """A transaction that a cancellation waits for.

        What has happened must be on record, and an intent that a thread wrote after its attempt was given up would
        stand in the place of the one of the attempt that goes on, with another reservation.
        """
        results: list[T] = []
        with anyio.CancelScope(shield=True):
            results.append(await self._store.transaction(work))
        return results[0]

    def _finished_before(self, db: Connection) -> set[tuple[str, str]]:
        """Name and inputs of each step that has a result."""
        return {(row["name"], row["inputs"]) for row in self._current(db) if row["kind"] == "result"}

    def _current(self, db: Connection) -> list[dict[str, Any]]:
        """The last entry of each step of this scope."""
        wanted = sa.and_(entries.c.run_id == self._run_id, entries.c.scope == self._scope)
        last: dict[tuple[str, str], dict[str, Any]] = {}
        of_scope = sa.select(entries.c.name, entries.c.inputs, entries.c.kind).where(wanted).order_by(entries.c.seq)
        for row in db.execute(of_scope).mappings():
            last[row["name"], row["inputs"]] = dict(row)
        return list(last.values())

    def _last(self, db: Connection, name: str, key: str) -> dict[str, Any] | None:
        """The entry that says how the step stands; None when it is free to be done."""
        this = {"run": self._run_id, "scope": self._scope, "name": name, "inputs": key}
        row = db.execute(_LAST_OF_STEP, this).mappings().first()
        return None if row is None or row["kind"] in _ENDS else dict(row)

    def _insert(
        self,
        db: Connection,
        kind: Kind,
        name: str,
        key: str,
        payload: Json,
        cost: dict[str, Any] | None,
        *,
        after: "_End | None" = None,
    ) -> "_End":
        """Append an entry behind the newest one, which the caller may know (`after`), and return the new end."""
        end = after or _end_of(db, self._run_id)
        row: dict[str, Any] = {
            "run_id": self._run_id,
            "seq": end.seq + 1,
            "at": time.time(),
            "stage": self._stage,
            "scope": self._scope,
            "name": name,
            "inputs": key,
            "kind": kind,
            "payload": redact_values(payload),
            "cost": cost,
        }
        new = _End(row["seq"], chained(end.hash, row))
        db.execute(_INSERT, row | {"hash": new.hash})
        return new


class _End(NamedTuple):
    """The newest entry of a run; 0 and "" before the first."""

    seq: int
    hash: str


def _end_of(db: Connection, run_id: str) -> _End:
    newest = db.execute(_NEWEST, {"run": run_id}).first()
    return _End(0, "") if newest is None else _End(newest.seq, newest.hash)


def _afford(charge: Charge, spent: float | None) -> None:
    """Return if the run can afford the reservation; in one transaction with the intent that holds it."""
    if charge.limit_usd is None:
        return
    wanted = charge.reservation.usd
    if wanted is None:
        raise PriceUnknown(f"the price of {charge.reservation.model} is not known, and MAX_RUN_COST_USD is set")
    if spent is None:
        raise PriceUnknown("what the run has cost so far includes a call whose price is unknown")
    if spent + wanted > charge.limit_usd:
        raise BudgetExceeded(
            f"the next call may cost {wanted:.4f} USD; {spent:.4f} of {charge.limit_usd:.4f} USD are spent or held"
        )


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


def held_usd(db: Connection, run_id: str) -> float | None:
    """US dollars that the run has spent, with what its open calls may cost at worst; None when a price is unknown."""
    return _usd_of(db.execute(_COSTS, {"run": run_id}).mappings().all())


def _usd_of(rows: Sequence[Mapping[Any, Any]]) -> float | None:
    prices = [cost["usd"] for cost in _costs(rows)]
    return None if None in prices else sum(prices)


def cost_of_entries(rows: Sequence[dict[str, Any]]) -> Cost:
    """What the entries cost together; calls that are open or were lost count at their reservation."""
    costs = [Cost(**cost) for cost in _costs(rows)]
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


def _costs(rows: Iterable[Mapping[Any, Any]]) -> list[dict[str, Any]]:
    """First what is reserved for calls that have not ended, then what those that have cost."""
    ended: list[dict[str, Any]] = []
    held: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        step = row["scope"], row["name"], row["inputs"]
        if row["kind"] != "intent":
            held.pop(step, None)
        if row["cost"] is not None and row["kind"] == "intent":
            held[step] = row["cost"]
        elif row["cost"] is not None:
            ended.append(row["cost"])
    return [*held.values(), *ended]
