"""What fails below or inside a run ends that run at most: never the server, and never an answer that was given."""

from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from repowright_server.runs.run import Status
from repowright_server.runs.store import Store
from repowright_tools.errors import StateUnavailable
from repowright_tools.stage import StageContext
from support.stages import Bench, Gate, Submitted, Toy, ToyResult, bench

pytestmark = pytest.mark.anyio


async def say(_ctx: StageContext) -> str:
    return "done"


class FullDisk(Store):
    """A store that refuses while `full` is set."""

    full = False

    def transact(self, work: Any) -> Any:
        if self.full:
            raise StateUnavailable("disk full")
        return super().transact(work)


def on_full_disk(runs: Bench) -> FullDisk:
    runs.store.__class__ = FullDisk
    return cast(FullDisk, runs.store)


async def test_a_state_that_is_out_of_reach_for_a_moment_does_not_end_the_work(tmp_path: Path) -> None:
    """D02"""
    gate = Gate()
    async with bench(tmp_path, Toy("one", gate)) as runs:
        state = on_full_disk(runs)
        claim = await runs.dispatcher.submit(runs.call("one"))
        await gate.entered.wait()
        state.full = True
        await anyio.sleep(0.6)
        state.full = False
        gate.open.set()
        with anyio.fail_after(5):
            ended = await runs.dispatcher.ended(claim.attempt)

    assert ended.status is Status.COMPLETE


async def test_an_outcome_that_cannot_be_written_fails_the_attempt_as_soon_as_it_can(tmp_path: Path) -> None:
    """D02"""
    gate = Gate()
    async with bench(tmp_path, Toy("one", gate)) as runs:
        state = on_full_disk(runs)
        claim = await runs.dispatcher.submit(runs.call("one"))
        await gate.entered.wait()
        state.full = True
        gate.open.set()
        await anyio.sleep(0.3)
        state.full = False
        with anyio.fail_after(5):
            ended = await runs.dispatcher.ended(claim.attempt)
        await runs.dispatcher.tell(ended)
        again = await runs.finished("one", claim.run.id)

    assert (ended.status, (ended.error or {})["code"]) == (Status.FAILED, "state_unavailable")
    assert again.status is Status.COMPLETE


@pytest.mark.parametrize("said", ["", "\n", "x\ud800"])
async def test_a_summary_that_no_line_can_be_made_of_ends_nothing(tmp_path: Path, said: str) -> None:
    class Odd(Toy):
        def summarise(self, result: ToyResult) -> str:
            del result
            return said

    async with bench(tmp_path, Odd("one", say)) as runs:
        ended = await runs.finished("one")

    assert ended.status is Status.COMPLETE


async def test_a_summary_that_raises_is_a_failure_of_its_attempt_alone(tmp_path: Path) -> None:
    class Broken(Toy):
        def summarise(self, result: ToyResult) -> str:
            raise ZeroDivisionError

    async with bench(tmp_path, Broken("one", say), Toy("two", say)) as runs:
        ended = await runs.finished("one")
        other = await runs.finished("two", ended.run_id)

    assert ((ended.error or {})["code"], other.status) == ("internal_error", Status.COMPLETE)


async def test_a_paid_result_is_journalled_though_a_cancellation_comes_with_it(tmp_path: Path) -> None:
    paid: list[str] = []
    scopes: list[anyio.CancelScope] = []

    async def act(ctx: StageContext) -> str:
        async def pay() -> str:
            paid.append("paid")
            scopes[0].cancel()
            return "worth"

        with anyio.CancelScope() as scope:
            scopes[:] = [scope]
            await ctx.journal.step("pay", {}, pay)
        scopes[:] = [anyio.CancelScope()]
        return str(await ctx.journal.step("pay", {}, pay))

    async with bench(tmp_path, Toy("one", act)) as runs:
        ended = await runs.finished("one")

    assert (ended.result, paid) == ({"said": "worth"}, ["paid"])


async def test_an_answer_outlives_a_server_that_ends_before_it_is_journalled(tmp_path: Path) -> None:
    """D01"""
    taken = anyio.Event()

    async def act(ctx: StageContext) -> str:
        if not taken.is_set():
            model = cast(Submitted, cast(Any, ctx.model))
            if await model.submission.take() is not None:
                taken.set()
                await anyio.sleep_forever()
        return await cast(Submitted, cast(Any, ctx.model)).word(ctx.journal, "greeting")

    async with bench(tmp_path, Toy("one", act)) as runs:
        waiting = await runs.finished("one")
        await runs.dispatcher.submit(runs.call("one", waiting.run_id, {"word": "hello"}))
        await taken.wait()
    async with bench(tmp_path, Toy("one", act)) as runs:
        done = await runs.finished("one", waiting.run_id, {"word": "hello"})

    assert (done.status, done.result) == (Status.COMPLETE, {"said": "hello"})


async def test_a_call_cut_off_elsewhere_is_forgotten_when_it_was_not_the_last(tmp_path: Path) -> None:
    """Else the work would end when the last call's time is up, which only makes it go on unattended."""
    gate = Gate()
    async with bench(tmp_path, Toy("one", gate)) as here, bench(tmp_path, Toy("one", gate)) as there:
        claim = await here.dispatcher.submit(here.call("one"))
        await gate.entered.wait()
        here.dispatcher.attach(claim.attempt.id)
        other = await there.dispatcher.submit(there.call("one", claim.run.id))
        there.dispatcher.attach(other.attempt.id)
        there.dispatcher.detach(other.attempt, abandoned=True)
        await anyio.sleep(0.6)
        here.dispatcher.detach(claim.attempt, abandoned=False)
        await anyio.sleep(0.6)
        now = await here.dispatcher.attempt(claim.attempt.id)
        gate.open.set()
        await here.dispatcher.ended(claim.attempt)

    assert now.status is Status.IN_PROGRESS


async def test_a_call_cut_off_leaves_another_stage_that_waits_for_an_answer_alone(tmp_path: Path) -> None:
    async def act(ctx: StageContext) -> str:
        return await cast(Submitted, cast(Any, ctx.model)).word(ctx.journal, "greeting")

    gate = Gate()
    async with bench(tmp_path, Toy("one", gate), Toy("two", act)) as runs:
        waiting = await runs.finished("two")
        claim = await runs.dispatcher.submit(runs.call("one", waiting.run_id))
        await gate.entered.wait()
        runs.dispatcher.attach(claim.attempt.id)
        runs.dispatcher.detach(claim.attempt, abandoned=True)
        await runs.dispatcher.ended(claim.attempt)
        now = await runs.dispatcher.attempt(waiting.id)

    assert now.status is Status.INPUT_REQUIRED
