"""The journal: at most once, reconciled when in doubt, and not to be edited unseen."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from repowright_server.runs import schema, store
from repowright_server.runs.journal import RunJournal, cost_of_entries, entries_of, first_break
from repowright_server.runs.run import Run
from repowright_server.runs.schema import entries
from repowright_server.runs.store import Store
from repowright_tools.errors import BudgetExceeded, PriceUnknown, StateUnavailable
from repowright_tools.stage import Charge, Cost

pytestmark = pytest.mark.anyio
T = TypeVar("T")

RUN = "r_" + "1" * 32


class Died(BaseException):
    """The process ends here, as far as the journal can tell."""


class Effect:
    def __init__(self, result: Any = "worth") -> None:
        self.count = 0
        self.result = result

    async def __call__(self) -> Any:
        self.count += 1
        return self.result


async def journal_in(home: Path, scope: str = "scope") -> RunJournal:
    state = Store(None, home)

    def make(db: Any) -> None:
        if store.run_of(db, RUN) is None:
            store.add_run(db, Run(id=RUN, principal="local", source={}, created=0.0))

    await state.transaction(make)
    return RunJournal(state, RUN, "stage", scope)


async def read(home: Path) -> list[dict[str, Any]]:
    return await Store(None, home).transaction(lambda db: entries_of(db, RUN))


async def die() -> Any:
    raise Died


async def test_a_finished_step_is_never_done_again_even_by_another_process(tmp_path: Path) -> None:
    effect = Effect({"list": [1, 2]})
    first = await (await journal_in(tmp_path)).step("pay", {"a": 1}, effect)
    second = await (await journal_in(tmp_path)).step("pay", {"a": 1}, effect)

    assert first == second == {"list": [1, 2]}
    assert effect.count == 1


async def test_other_inputs_and_another_scope_are_other_steps(tmp_path: Path) -> None:
    effect = Effect()
    await (await journal_in(tmp_path)).step("pay", {"a": 1}, effect)
    await (await journal_in(tmp_path)).step("pay", {"a": 2}, effect)
    await (await journal_in(tmp_path, "other")).step("pay", {"a": 1}, effect)

    assert effect.count == 3


async def test_the_intent_is_on_disk_before_the_effect(tmp_path: Path) -> None:
    async def look() -> list[str]:
        return [row["kind"] for row in await read(tmp_path)]

    assert await (await journal_in(tmp_path)).step("pay", {}, look) == ["intent"]


async def test_a_step_in_doubt_is_reconciled_before_it_is_repeated(tmp_path: Path) -> None:
    effect, found = Effect(), Effect("found")
    with pytest.raises(Died):
        await (await journal_in(tmp_path)).step("push", {}, die)
    result = await (await journal_in(tmp_path)).step("push", {}, effect, reconcile=found)

    assert (result, effect.count, found.count) == ("found", 0, 1)


def charge(
    at_worst: float | None, cost: float | None = 0.25, failure: float = 0.0, limit: float | None = None
) -> Charge:
    reservation, result = Cost(usd=at_worst, calls=1, model="m"), Cost(usd=cost, calls=1, provider="p")
    return Charge(reservation, lambda _: result, lambda _: (Cost(usd=failure), {"why": "no"}), limit)


async def test_a_step_that_nobody_can_vouch_for_is_repeated_and_charged_at_its_reservation(tmp_path: Path) -> None:
    with pytest.raises(Died):
        await (await journal_in(tmp_path)).step("ask", {}, die, charge=charge(1.0))
    await (await journal_in(tmp_path)).step("ask", {}, Effect(), charge=charge(1.0))
    spent = cost_of_entries(await read(tmp_path))

    assert (spent.usd, spent.calls, spent.provider) == (1.25, 2, "p")


async def test_a_failed_effect_is_charged_and_told_as_it_says(tmp_path: Path) -> None:
    async def fail() -> Any:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await (await journal_in(tmp_path)).step("ask", {}, fail, charge=charge(1.0, failure=0.125))
    rows = await read(tmp_path)

    assert cost_of_entries(rows).usd == 0.125
    assert rows[-1]["payload"] == {"error": "ValueError", "why": "no"}


async def test_a_price_that_is_unknown_is_not_counted_as_nothing(tmp_path: Path) -> None:
    await (await journal_in(tmp_path)).step("ask", {}, Effect(), charge=charge(None, cost=None))

    assert cost_of_entries(await read(tmp_path)).usd is None


async def test_what_a_budget_cannot_hold_is_not_begun(tmp_path: Path) -> None:
    """L13. Spent 0.25, so that 0.75 are left of 1."""
    journal, effect = await journal_in(tmp_path), Effect()
    await journal.step("first", {}, Effect(), charge=charge(1.0, limit=1.0))

    with pytest.raises(BudgetExceeded, match=r"0\.2500 of 1\.0000"):
        await journal.step("second", {}, effect, charge=charge(0.76, limit=1.0))
    await journal.step("second", {}, effect, charge=charge(0.75, limit=1.0))

    assert effect.count == 1


async def test_what_is_being_done_holds_its_part_of_the_budget_for_every_process(tmp_path: Path) -> None:
    """L13. Two calls at once, each of which could take more than half of it."""
    second = Effect()

    async def first() -> Any:
        with pytest.raises(BudgetExceeded):
            await (await journal_in(tmp_path, "other")).step("second", {}, second, charge=charge(0.6, limit=1.0))
        return "worth"

    await (await journal_in(tmp_path)).step("first", {}, first, charge=charge(0.6, limit=1.0))

    assert second.count == 0


async def test_what_a_dead_process_left_open_is_held_for_good(tmp_path: Path) -> None:
    with pytest.raises(Died):
        await (await journal_in(tmp_path)).step("first", {}, die, charge=charge(0.6, limit=1.0))

    for _ in range(2):
        with pytest.raises(BudgetExceeded):
            await (await journal_in(tmp_path)).step("first", {}, Effect(), charge=charge(0.6, limit=1.0))


@pytest.mark.parametrize("unknown", ["this", "before"])
async def test_with_a_budget_nothing_is_bought_whose_price_is_unknown(tmp_path: Path, unknown: str) -> None:
    """L13."""
    journal, effect = await journal_in(tmp_path), Effect()
    if unknown == "before":
        await journal.step("first", {}, Effect(), charge=charge(None, cost=None))

    with pytest.raises(PriceUnknown):
        await journal.step("second", {}, effect, charge=charge(None if unknown == "this" else 0.1, limit=1.0))

    assert effect.count == 0


async def test_a_step_is_known_to_be_finished_without_doing_it(tmp_path: Path) -> None:
    journal = await journal_in(tmp_path)

    assert await journal.recorded("ask", {"a": 1}) is None
    await journal.step("ask", {"a": 1}, Effect("worth"))
    assert await journal.recorded("ask", {"a": 1}) == "worth"
    await journal.void("ask")
    assert await journal.recorded("ask", {"a": 1}) is None


async def test_a_failed_effect_may_be_tried_again(tmp_path: Path) -> None:
    async def fail() -> Any:
        raise ValueError("no")

    effect = Effect()
    with pytest.raises(ValueError, match="no"):
        await (await journal_in(tmp_path)).step("pay", {}, fail)
    await (await journal_in(tmp_path)).step("pay", {}, effect)

    assert effect.count == 1


async def test_void_steps_are_done_anew(tmp_path: Path) -> None:
    effect = Effect()
    journal = await journal_in(tmp_path)
    await journal.step("ask:plan:1", {}, effect)
    await journal.step("other", {}, effect)
    await journal.void("ask:plan:")
    await journal.step("ask:plan:1", {}, effect)
    await journal.step("other", {}, effect)

    assert effect.count == 3


@pytest.mark.parametrize("tamper", ["payload", "delete", "swap"])
async def test_an_edited_history_shows(tmp_path: Path, tamper: str) -> None:
    journal = await journal_in(tmp_path)
    for number in range(3):
        await journal.step("pay", {"n": number}, Effect(number))
    intact = first_break(await read(tmp_path))

    def edit(db: Any) -> None:
        second = entries.c.seq == 2
        if tamper == "payload":
            db.execute(entries.update().where(second).values(payload="other"))
        elif tamper == "delete":
            db.execute(entries.delete().where(second))
        else:
            db.execute(entries.update().where(second).values(seq=99))
            db.execute(entries.update().where(entries.c.seq == 3).values(seq=2))
            db.execute(entries.update().where(entries.c.seq == 99).values(seq=3))

    await Store(None, tmp_path).transaction(edit)

    assert intact is None
    assert first_break(await read(tmp_path)) == 2


async def test_a_secret_in_a_result_does_not_reach_the_database(tmp_path: Path) -> None:
    """K01"""
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    await (await journal_in(tmp_path)).step("pay", {"token": token}, Effect({"said": f"use {token}"}))

    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())

    assert token.encode() not in everything


async def test_the_state_is_private(tmp_path: Path) -> None:
    """K05"""
    await journal_in(tmp_path)

    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir() if path.is_file()}

    assert set(modes.values()) == {0o600}
    assert "repowright.db" in modes


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    """D02"""
    from repowright_tools.errors import StateTooNew

    await journal_in(tmp_path)
    await Store(None, tmp_path).transaction(lambda db: db.execute(schema.schema.update().values(version=99)))
    with pytest.raises(StateTooNew):
        await read(tmp_path)

    kept = sa.create_engine(f"sqlite:///{tmp_path / 'repowright.db'}")
    with kept.connect() as db:
        assert db.scalar(sa.select(schema.schema.c.version)) == 99
    kept.dispose()


async def test_a_corrupt_database_is_a_named_error_and_not_replaced(tmp_path: Path) -> None:
    """D02"""
    from repowright_tools.errors import StateUnavailable

    path = tmp_path / "repowright.db"
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StateUnavailable):
        await read(tmp_path)

    assert path.read_bytes() == b"this is no database" * 100


async def test_a_call_whose_end_nobody_knows_counts_at_its_reservation_also_before_anybody_goes_on(
    tmp_path: Path,
) -> None:
    """L13. What is called too expensive must show as spent."""
    with pytest.raises(Died):
        await (await journal_in(tmp_path)).step("ask", {}, die, charge=charge(1.0))
    with pytest.raises(BudgetExceeded, match=r"1\.0000 of 1\.5000"):
        await (await journal_in(tmp_path)).step("ask", {}, Effect(), charge=charge(1.0, limit=1.5))

    assert cost_of_entries(await read(tmp_path)) == Cost(usd=1.0, calls=1, model="m")


class Held(Store):
    """A store whose transactions wait for a sign."""

    def __init__(self, home: Path) -> None:
        super().__init__(None, home)
        self.begun, self.go = threading.Event(), threading.Event()

    def transact(self, work: Callable[[Connection], T]) -> T:
        self.begun.set()
        self.go.wait()
        return super().transact(work)


async def test_a_step_that_is_cancelled_leaves_nothing_behind_that_writes_later(tmp_path: Path) -> None:
    """L13. Its intent would take the place of one of the attempt that goes on, and change what is held."""
    await journal_in(tmp_path)
    state, effect = Held(tmp_path), Effect()
    journal = RunJournal(state, RUN, "stage", "scope")

    async with anyio.create_task_group() as group:
        group.start_soon(partial(journal.step, "ask", {}, effect, charge=charge(1.0)))
        await anyio.to_thread.run_sync(state.begun.wait)
        group.cancel_scope.cancel()
        state.go.set()
    assert [row["kind"] for row in await read(tmp_path)] == ["intent", "result"]


class Failing(Store):
    """A store that cannot be used for a moment, after so many transactions."""

    def __init__(self, home: Path, after: int) -> None:
        super().__init__(None, home)
        self.left = after

    def transact(self, work: Callable[[Connection], T]) -> T:
        self.left -= 1
        if self.left == -1:
            raise StateUnavailable("locked")
        return super().transact(work)


async def test_what_was_paid_for_is_not_lost_to_a_state_that_fails_for_a_moment(tmp_path: Path) -> None:
    await journal_in(tmp_path)
    journal = RunJournal(Failing(tmp_path, after=1), RUN, "stage", "scope")

    assert await journal.step("ask", {}, Effect(), charge=charge(1.0)) == "worth"

    assert [row["kind"] for row in await read(tmp_path)] == ["intent", "result"]
