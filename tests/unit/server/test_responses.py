"""The response cache: bounded in time and size, private, and never in the way of a call."""

import json
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
import sqlalchemy as sa

from repowright_server.runs.responses import StoredResponses
from repowright_server.runs.schema import responses
from repowright_server.runs.store import Store

pytestmark = pytest.mark.anyio

KEY = "a" * 64
RECORD = {"answer": {"summary": "Größe 🎉", "tasks": [1, 2.5, None, True]}, "usage": {"input_tokens": 7}}


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def state(tmp_path: Path) -> AsyncGenerator[Store]:
    opened = Store(None, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def cache(state: Store, clock: Clock, *, ttl_s: float = 100.0, most_bytes: int = 1 << 20) -> StoredResponses:
    return StoredResponses(state, ttl_s, most_bytes, clock=clock)


async def rows(state: Store) -> list[dict[str, Any]]:
    return await state.transaction(lambda db: [dict(row) for row in db.execute(sa.select(responses)).mappings()])


def name(number: int) -> str:
    return f"{number:064x}"


PROCESS = """
import json, sys
from pathlib import Path

import anyio

from repowright_server.runs.responses import StoredResponses
from repowright_server.runs.store import Store

state = Store(None, Path(sys.argv[1]))
kept = StoredResponses(state, 1e9, 10_000)

async def use():
    for number in range(20):
        await kept.put(sys.argv[2] + str(number), {"text": "x" * 1000})
    return await kept.get(sys.argv[3])

print(json.dumps(anyio.run(use)))
state.close()
"""


async def process(home: Path, prefix: str, asked: str) -> Any:
    """What another process, which puts 20 records of a little more than 1,000 bytes, gets for `asked`."""
    done = await anyio.run_process([sys.executable, "-I", "-c", PROCESS, str(home), prefix, asked])
    assert done.stderr == b""
    return json.loads(done.stdout)


async def test_processes_share_what_is_kept_and_its_bound(state: Store, tmp_path: Path) -> None:
    await StoredResponses(state, 1e9, 1 << 20).put(KEY, RECORD)
    got: dict[str, Any] = {}

    async def run(prefix: str) -> None:
        got[prefix] = await process(tmp_path, prefix, f"{prefix}19")

    async with anyio.create_task_group() as tasks:
        for prefix in ("one", "two"):
            tasks.start_soon(run, prefix)
    left = await rows(state)

    assert got["one"] == got["two"] == {"text": "x" * 1000}
    assert 8 <= len(left) <= 9
    assert sum(row["bytes"] for row in left) <= 10_000


async def test_a_record_comes_back_as_it_was_put(state: Store, clock: Clock) -> None:
    kept = cache(state, clock)
    await kept.put(KEY, RECORD)

    assert await kept.get(KEY) == RECORD


async def test_a_state_from_before_there_was_a_cache_gets_one(tmp_path: Path, clock: Clock) -> None:
    old = Store(None, tmp_path)
    await old.transaction(responses.drop)
    old.close()
    state = Store(None, tmp_path)
    kept = cache(state, clock)
    await kept.put(KEY, RECORD)

    assert await kept.get(KEY) == RECORD
    state.close()


async def test_what_was_not_put_is_a_miss(state: Store, clock: Clock) -> None:
    assert await cache(state, clock).get(KEY) is None


async def test_the_later_record_of_a_key_stands(state: Store, clock: Clock) -> None:
    kept = cache(state, clock)
    await kept.put(KEY, {"n": 1})
    await kept.put(KEY, {"n": 2})

    assert await kept.get(KEY) == {"n": 2}
    assert len(await rows(state)) == 1


async def test_a_record_is_good_until_its_time_is_over_however_often_it_is_used(state: Store, clock: Clock) -> None:
    kept = cache(state, clock, ttl_s=100)
    await kept.put(KEY, RECORD)
    clock.now += 99
    before = await kept.get(KEY)
    clock.now += 1
    after = await kept.get(KEY)

    assert (before, after) == (RECORD, None)


async def test_what_is_too_old_makes_room_when_something_is_put(state: Store, clock: Clock) -> None:
    kept = cache(state, clock, ttl_s=100)
    await kept.put(name(1), RECORD)
    clock.now += 100
    await kept.put(name(2), RECORD)

    assert [row["key"] for row in await rows(state)] == [name(2)]


async def test_a_record_from_the_future_is_a_miss_and_not_good_for_ever(state: Store, clock: Clock) -> None:
    kept = cache(state, clock)
    await kept.put(KEY, RECORD)
    clock.now -= 10_000

    assert await kept.get(KEY) is None


async def test_the_least_recently_used_make_room(state: Store, clock: Clock) -> None:
    each = len(KEY) + len('{"text":""}') + 1000
    kept = cache(state, clock, ttl_s=1000, most_bytes=3 * each)
    for number in range(3):
        clock.now += 1
        await kept.put(name(number), {"text": "x" * 1000})
    clock.now += 1
    await kept.get(name(0))
    clock.now += 1
    await kept.put(name(3), {"text": "x" * 1000})

    assert {row["key"] for row in await rows(state)} == {name(0), name(2), name(3)}


async def test_one_large_record_puts_out_as_many_small_ones_as_it_needs_and_no_more(state: Store, clock: Clock) -> None:
    kept = cache(state, clock, most_bytes=10_000)
    for number in range(9):
        clock.now += 1
        await kept.put(name(number), {"text": "x" * 1000})
    clock.now += 1
    await kept.put(KEY, {"text": "x" * 4000})
    left = await rows(state)

    assert {row["key"] for row in left} == {KEY, *(name(number) for number in range(4, 9))}
    assert sum(row["bytes"] for row in left) <= 10_000


async def test_a_record_that_is_larger_than_everything_may_be_is_not_kept_and_puts_nothing_out(
    state: Store, clock: Clock
) -> None:
    kept = cache(state, clock, most_bytes=2_000)
    await kept.put(name(1), RECORD)
    clock.now += 1
    await kept.put(name(2), {"text": "x" * 2_000})

    assert [row["key"] for row in await rows(state)] == [name(1)]


async def test_bytes_are_those_that_are_stored(state: Store, clock: Clock) -> None:
    await cache(state, clock).put(KEY, {"text": "🎉" * 100})
    (row,) = await rows(state)

    assert row["bytes"] == len(row["key"].encode()) + len(row["record"].encode())


async def test_hits_are_counted(state: Store, clock: Clock) -> None:
    kept = cache(state, clock)
    await kept.put(KEY, RECORD)
    for _ in range(3):
        await kept.get(KEY)

    assert [row["hits"] for row in await rows(state)] == [3]


async def test_parallel_use_keeps_the_bound_and_the_count(state: Store, clock: Clock) -> None:
    kept = cache(state, clock, most_bytes=5_000)
    await kept.put(KEY, RECORD)
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(kept.put, name(number % 7), {"text": "x" * 500})
            tasks.start_soon(kept.get, KEY)

    left = await rows(state)
    assert sum(row["bytes"] for row in left) <= 5_000
    assert len({row["key"] for row in left}) == len(left)


@pytest.mark.parametrize(
    "damage",
    [
        "record = ''",
        "record = '{'",
        "record = 'null'",
        "record = '[1]'",
        "record = '\"text\"'",
        "record = replace(hex(zeroblob(50000)), '0', '[')",
        "record = x'80027d71002e'",
        "record = cast(x'ff80' as text)",
        "created = 'yesterday'",
    ],
)
async def test_a_damaged_row_is_a_miss_until_the_next_put_replaces_it(state: Store, clock: Clock, damage: str) -> None:
    kept = cache(state, clock)
    await kept.put(KEY, RECORD)
    await state.transaction(lambda db: db.exec_driver_sql(f"update responses set {damage}"))
    damaged = await kept.get(KEY)
    await kept.put(KEY, RECORD)

    assert damaged is None
    assert await kept.get(KEY) == RECORD


async def test_a_state_that_cannot_be_used_is_a_miss(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "repowright.db").write_bytes(b"this is no database" * 100)
    state = Store(None, tmp_path)
    kept = cache(state, clock)
    await kept.put(KEY, RECORD)

    assert await kept.get(KEY) is None
    state.close()


async def test_a_disk_that_is_full_keeps_nothing_and_fails_nothing(state: Store, clock: Clock) -> None:
    kept = cache(state, clock)
    await kept.put(name(1), RECORD)

    def fill(db: sa.Connection) -> None:
        pages = db.exec_driver_sql("pragma page_count").scalar()
        db.exec_driver_sql(f"pragma max_page_count = {pages}")

    await state.relaxed().transaction(fill)  # what SQLite says then is what it says of a full disk
    await kept.put(name(2), {"text": "x" * 200_000})

    assert await kept.get(name(2)) is None
    assert await kept.get(name(1)) == RECORD


async def test_a_record_with_a_secret_is_not_kept(state: Store, clock: Clock, tmp_path: Path) -> None:
    """K01"""
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    kept = cache(state, clock)
    await kept.put(KEY, {"answer": {"edits": [f"use {token}"]}})
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert await kept.get(KEY) is None
    assert token.encode() not in everything


async def test_what_is_kept_is_private(state: Store, clock: Clock, tmp_path: Path) -> None:
    """K05"""
    await cache(state, clock).put(KEY, RECORD)

    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


async def test_keeping_an_answer_does_not_wait_for_the_disk_and_the_journal_does(state: Store, clock: Clock) -> None:
    def synchronous(db: sa.Connection) -> Any:
        return db.exec_driver_sql("pragma synchronous").scalar()

    await cache(state, clock).put(KEY, RECORD)

    assert await state.relaxed().transaction(synchronous) == 1
    assert await state.transaction(synchronous) == 2
