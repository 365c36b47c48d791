"""A parser that waits for the next scan: one at most, and none is left behind."""

from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from repowright_tools.errors import InvalidArguments
from repowright_tools.index.index import Index
from repowright_tools.index.limits import Limits
from repowright_tools.index.parsing import Parser
from repowright_tools.index.standby import Standby
from support.parsers import workers
from support.repositories import make_repository

pytestmark = pytest.mark.anyio


async def test_one_parser_waits_and_is_the_one_that_is_taken(tmp_path: Path) -> None:
    standby = Standby()
    await standby.ready(tmp_path, Limits())
    await standby.ready(tmp_path, Limits())
    waiting = workers()
    taken = await standby.take(tmp_path, Limits())
    assert workers() == waiting
    assert len(waiting) == 1
    await standby.leave(taken, ["python"])
    assert workers() == waiting
    await standby.aclose()
    assert workers() == []


async def test_a_parser_that_is_taken_while_another_is_made_ready_is_no_other_callers(tmp_path: Path) -> None:
    standby = Standby()
    used = await standby.take(tmp_path, Limits())
    used.used = True
    taken: list[Parser] = []

    async def take() -> None:
        taken.append(await standby.take(tmp_path, Limits()))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(standby.leave, used, ["python"])
        for _ in range(2):
            tasks.start_soon(take)
    assert len(workers()) == 3
    await standby.aclose()
    for parser in taken:
        await parser.kill()
    assert workers() == []


async def test_a_parser_that_is_made_ready_while_all_is_closed_does_not_stay(tmp_path: Path) -> None:
    standby = Standby()
    used = await standby.take(tmp_path, Limits())
    used.used = True
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(standby.leave, used, ["python"])
        await anyio.lowlevel.checkpoint()
        tasks.start_soon(standby.aclose)
    assert workers() == []


async def test_opening_what_cannot_be_opened_leaves_no_process(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.py": "def f(): pass\n"})
    with pytest.raises(InvalidArguments):
        await Index().open(tmp_path, exclude=["\0"])
    with anyio.CancelScope() as scope:
        scope.cancel()
        await Index(folder=tmp_path / "index").open(tmp_path)
    assert scope.cancelled_caught
    assert workers() == []
