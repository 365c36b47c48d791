"""Runs, attempts and what a call means for them, with a real store and a real dispatcher."""

from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from repowright_server.runs import store
from repowright_server.runs.run import Status
from repowright_tools.errors import InvalidArguments, StageBusy, UnknownRun
from repowright_tools.stage import StageContext
from support.stages import Gate, Submitted, Toy, ToyResult, bench

pytestmark = pytest.mark.anyio


async def say(_ctx: StageContext) -> str:
    return "done"


class Counter:
    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, _ctx: StageContext) -> str:
        self.count += 1
        return f"{self.count}"


async def test_a_call_without_a_run_makes_one_with_an_unguessable_id(tmp_path: Path) -> None:
    async with bench(tmp_path, Toy("one", say)) as runs:
        attempt = await runs.finished("one", word="!")

        assert attempt.run_id.startswith("r_")
        assert len(attempt.run_id) == 34
        assert (attempt.status, attempt.result) == (Status.COMPLETE, {"said": "done!"})


async def test_the_same_call_on_a_run_returns_the_same_result_without_working_again(tmp_path: Path) -> None:
    work = Counter()
    async with bench(tmp_path, Toy("one", work)) as runs:
        first = await runs.finished("one", word="!")
        again = await runs.finished("one", first.run_id, word="!")

    assert again.id == first.id
    assert work.count == 1


async def test_identical_calls_in_flight_join_one_run(tmp_path: Path) -> None:
    gate = Gate()
    async with bench(tmp_path, Toy("one", gate)) as runs:
        first = await runs.dispatcher.submit(runs.call("one"))
        second = await runs.dispatcher.submit(runs.call("one"))
        gate.open.set()
        await runs.dispatcher.ended(first.attempt)

    assert second.run.id == first.run.id
    assert gate.passed == 1


async def test_a_call_with_other_arguments_while_one_is_in_progress_is_busy(tmp_path: Path) -> None:
    gate = Gate()
    async with bench(tmp_path, Toy("one", gate), Toy("two", say)) as runs:
        first = await runs.dispatcher.submit(runs.call("one"))
        with pytest.raises(StageBusy):
            await runs.dispatcher.submit(runs.call("one", first.run.id, word="other"))
        with pytest.raises(StageBusy):
            await runs.dispatcher.submit(runs.call("two", first.run.id))
        gate.open.set()
        ended = await runs.dispatcher.ended(first.attempt)

        assert ended.status is Status.COMPLETE


async def test_another_key_makes_a_new_attempt_and_drops_the_results_of_later_stages(tmp_path: Path) -> None:
    async with bench(tmp_path, Toy("one", say), Toy("two", say)) as runs:
        first = await runs.finished("one", word="a")
        await runs.finished("two", first.run_id)
        await runs.finished("one", first.run_id, word="b")
        standing = await runs.store.transaction(lambda db: store.attempts_of(db, first.run_id))

    kept = [(each.stage, each.dropped_by is None) for each in standing]
    assert kept == [("one", True), ("two", False), ("one", True)]


async def test_an_attempt_sees_the_results_that_it_replaces(tmp_path: Path) -> None:
    async def recall(ctx: StageContext) -> str:
        seen = [ctx.results.get(name, ToyResult) for name in ("one", "two")]
        return "+".join(each.said for each in seen if each is not None) + "|"

    async with bench(tmp_path, Toy("one", recall), Toy("two", say)) as runs:
        first = await runs.finished("one", word="a")
        await runs.finished("two", first.run_id)
        again = await runs.finished("one", first.run_id, word="b")

    assert again.result == {"said": "|a+done|b"}


async def test_a_result_that_a_stage_builds_on_is_part_of_its_key(tmp_path: Path) -> None:
    work = Counter()
    async with bench(tmp_path, Toy("one", say), Toy("two", work, builds_on=("one",))) as runs:
        first = await runs.finished("one", word="a")
        await runs.finished("two", first.run_id)
        await runs.finished("one", first.run_id, word="b")
        await runs.finished("two", first.run_id)

    assert work.count == 2


async def test_an_unknown_run_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    async with bench(tmp_path, Toy("one", say)) as runs:
        with pytest.raises(UnknownRun):
            await runs.dispatcher.submit(runs.call("one", "r_" + "0" * 32))

        assert await runs.store.transaction(lambda db: store.newest_runs(db, 9)) == []


async def test_a_refused_call_leaves_no_run_behind(tmp_path: Path) -> None:
    async with bench(tmp_path, Toy("one", say, needs_word=True)) as runs:
        with pytest.raises(InvalidArguments):
            await runs.dispatcher.submit(runs.call("one"))

        assert await runs.store.transaction(lambda db: store.newest_runs(db, 9)) == []


async def test_a_call_without_arguments_means_the_latest_attempt_of_a_stage_that_needs_them(tmp_path: Path) -> None:
    async with bench(tmp_path, Toy("one", say, needs_word=True)) as runs:
        first = await runs.finished("one", word="a")
        again = await runs.finished("one", first.run_id)

        assert again.id == first.id


async def test_a_failed_attempt_is_tried_again_and_resumes_from_the_journal(tmp_path: Path) -> None:
    paid: list[str] = []

    async def act(ctx: StageContext) -> str:
        async def pay() -> str:
            paid.append("paid")
            return "worth"

        worth = await ctx.journal.step("pay", {"for": "it"}, pay)
        if len(paid) == 1 and not done:
            done.append(True)
            raise InvalidArguments("not yet")
        return str(worth)

    done: list[bool] = []
    async with bench(tmp_path, Toy("one", act)) as runs:
        first = await runs.finished("one")
        second = await runs.finished("one", first.run_id)

    assert (first.status, (first.error or {})["code"]) == (Status.FAILED, "invalid_arguments")
    assert (second.status, second.result) == (Status.COMPLETE, {"said": "worth"})
    assert paid == ["paid"]


async def test_a_failure_that_no_caller_has_heard_of_is_told_before_anything_is_tried_again(tmp_path: Path) -> None:
    work = Counter()

    async def act(ctx: StageContext) -> str:
        await work(ctx)
        raise InvalidArguments("no")

    async with bench(tmp_path, Toy("one", act)) as runs:
        claim = await runs.dispatcher.submit(runs.call("one"))
        await runs.dispatcher.ended(claim.attempt)  # in the background, as after a call that could not wait
        told = await runs.finished("one", claim.run.id)
        tried_again = await runs.finished("one", claim.run.id)

    assert (told.id, told.status) == (claim.attempt.id, Status.FAILED)
    assert tried_again.id != told.id
    assert work.count == 2


async def test_a_failure_within_another_stage_is_told_with_it(tmp_path: Path) -> None:
    work = Counter()

    async def fail_once(ctx: StageContext) -> str:
        await work(ctx)
        if work.count == 1:
            raise InvalidArguments("inner")
        return "mended"

    async def outer(ctx: StageContext) -> str:
        return str((await ctx.stages.run("inner", inner.arguments()))["said"])

    inner = Toy("inner", fail_once)
    async with bench(tmp_path, inner, Toy("outer", outer)) as runs:
        failed = await runs.finished("outer")
        mended = await runs.finished("inner", failed.run_id)

    assert (failed.status, mended.result) == (Status.FAILED, {"said": "mended"})


async def test_an_attempt_waits_for_a_submission_and_goes_on_with_it(tmp_path: Path) -> None:
    async def act(ctx: StageContext) -> str:
        return await cast(Submitted, cast(Any, ctx.model)).word(ctx.journal, "greeting")

    async with bench(tmp_path, Toy("one", act, needs_word=True)) as runs:
        waiting = await runs.finished("one", word="!")
        still = await runs.finished("one", waiting.run_id)
        done = await runs.finished("one", waiting.run_id, {"word": "hello"})
        again = await runs.finished("one", waiting.run_id, {"word": "hello"})

    assert (waiting.status, still.status) == (Status.INPUT_REQUIRED, Status.INPUT_REQUIRED)
    assert (done.id, done.result) == (waiting.id, {"said": "hello!"})
    assert again.id == done.id


async def test_another_submission_after_completion_is_other_work(tmp_path: Path) -> None:
    async def act(ctx: StageContext) -> str:
        return await cast(Submitted, cast(Any, ctx.model)).word(ctx.journal, "greeting")

    async with bench(tmp_path, Toy("one", act)) as runs:
        first = await runs.finished("one", None, {"word": "hello"})
        second = await runs.finished("one", first.run_id, {"word": "goodbye"})

    assert (first.result, second.result) == ({"said": "hello"}, {"said": "goodbye"})


async def test_a_yes_in_the_store_lets_a_waiting_attempt_go_on(tmp_path: Path) -> None:
    async def act(ctx: StageContext) -> str:
        await ctx.approval.require(what="push it", shown="everything")
        return "pushed"

    async with bench(tmp_path, Toy("one", act)) as runs:
        waiting = await runs.finished("one")
        digest = (waiting.pending or {})["digest"]
        await runs.store.transaction(lambda db: store.set_approval(db, waiting.run_id, digest, granted=True, by="test"))
        done = await runs.finished("one", waiting.run_id)

    assert (waiting.status, done.status) == (Status.INPUT_REQUIRED, Status.COMPLETE)


async def test_a_yes_to_something_else_is_no_yes(tmp_path: Path) -> None:
    async def act(ctx: StageContext) -> str:
        await ctx.approval.require(what="push it", shown="everything")
        return "pushed"

    async with bench(tmp_path, Toy("one", act)) as runs:
        waiting = await runs.finished("one")
        await runs.store.transaction(
            lambda db: store.set_approval(db, waiting.run_id, "0" * 64, granted=True, by="test")
        )
        still = await runs.finished("one", waiting.run_id)

        assert still.status is Status.INPUT_REQUIRED


async def test_a_no_fails_the_attempt_and_the_next_try_asks_anew(tmp_path: Path) -> None:
    async def act(ctx: StageContext) -> str:
        await ctx.approval.require(what="push it", shown="everything")
        return "pushed"

    async with bench(tmp_path, Toy("one", act)) as runs:
        waiting = await runs.finished("one")
        digest = (waiting.pending or {})["digest"]
        await runs.store.transaction(
            lambda db: store.set_approval(db, waiting.run_id, digest, granted=False, by="test")
        )
        declined = await runs.finished("one", waiting.run_id)
        anew = await runs.finished("one", waiting.run_id)

    assert (declined.error or {})["code"] == "approval_declined"
    assert anew.status is Status.INPUT_REQUIRED


async def test_cancelling_ends_work_in_progress_and_says_so(tmp_path: Path) -> None:
    gate = Gate()
    async with bench(tmp_path, Toy("one", gate)) as runs:
        claim = await runs.dispatcher.submit(runs.call("one"))
        await gate.entered.wait()
        with anyio.fail_after(2):
            await runs.dispatcher.cancel(claim.run.id, "local")
        ended = await runs.dispatcher.attempt(claim.attempt.id)

        assert ended.status is Status.CANCELLED
        assert gate.passed == 0


async def test_a_call_that_is_cut_off_takes_the_attempt_with_it_only_if_it_was_the_last(tmp_path: Path) -> None:
    gate = Gate()
    async with bench(tmp_path, Toy("one", gate)) as runs:
        claim = await runs.dispatcher.submit(runs.call("one"))
        await gate.entered.wait()
        runs.dispatcher.attach(claim.attempt.id)
        runs.dispatcher.attach(claim.attempt.id)
        runs.dispatcher.detach(claim.attempt, abandoned=True)
        still = await runs.dispatcher.attempt(claim.attempt.id)
        runs.dispatcher.detach(claim.attempt, abandoned=True)
        with anyio.fail_after(2):
            ended = await runs.dispatcher.ended(claim.attempt)

    assert (still.status, ended.status) == (Status.IN_PROGRESS, Status.CANCELLED)


async def test_work_of_a_closed_server_goes_on_in_the_next_one_as_the_same_attempt(tmp_path: Path) -> None:
    gate = Gate()
    async with bench(tmp_path, Toy("one", gate, needs_word=True)) as runs:
        claim = await runs.dispatcher.submit(runs.call("one", word="!"))
        await gate.entered.wait()
    gate.open.set()
    async with bench(tmp_path, Toy("one", gate, needs_word=True)) as runs:
        ended = await runs.finished("one", claim.run.id)

    assert (ended.id, ended.status) == (claim.attempt.id, Status.COMPLETE)


async def test_two_servers_share_a_run_and_either_may_cancel_it(tmp_path: Path) -> None:
    gate = Gate()
    async with bench(tmp_path, Toy("one", gate)) as here, bench(tmp_path, Toy("one", gate)) as there:
        claim = await here.dispatcher.submit(here.call("one"))
        await gate.entered.wait()
        attached = await there.dispatcher.submit(there.call("one", claim.run.id))
        with anyio.fail_after(5):
            await there.dispatcher.cancel(claim.run.id, "local")
            ended = await there.dispatcher.ended(attached.attempt)

    assert (attached.execute, attached.attempt.id) == (False, claim.attempt.id)
    assert ended.status is Status.CANCELLED


async def test_an_attempt_that_takes_too_long_fails_with_a_named_error(tmp_path: Path) -> None:
    async with bench(tmp_path, Toy("one", Gate()), timeout_s=0.05) as runs:
        ended = await runs.finished("one")

        assert (ended.error or {})["code"] == "stage_timeout"


async def test_more_attempts_than_there_is_room_for_wait_in_the_queue(tmp_path: Path) -> None:
    gate = Gate()
    async with bench(tmp_path, Toy("one", gate), most=1) as runs:
        first = await runs.dispatcher.submit(runs.call("one", word="a"))
        await gate.entered.wait()
        second = await runs.dispatcher.submit(runs.call("one", word="b"))
        queued = await runs.dispatcher.attempt(second.attempt.id)
        gate.open.set()
        ended = await runs.dispatcher.ended(second.attempt)
        await runs.dispatcher.ended(first.attempt)

    assert (queued.status, ended.status) == (Status.QUEUED, Status.COMPLETE)


async def test_an_unforeseen_failure_is_an_internal_error_without_its_text(tmp_path: Path) -> None:
    async def act(_ctx: StageContext) -> str:
        raise ZeroDivisionError("secret details")

    async with bench(tmp_path, Toy("one", act)) as runs:
        ended = await runs.finished("one")

    assert (ended.error or {})["code"] == "internal_error"
    assert "secret details" not in str(ended.error)


async def test_a_nested_stage_that_fails_names_itself_in_the_error_of_the_whole(tmp_path: Path) -> None:
    async def fail(_ctx: StageContext) -> str:
        raise InvalidArguments("inner")

    async def outer(ctx: StageContext) -> str:
        return str((await ctx.stages.run("inner", ctx_arguments))["said"])

    inner = Toy("inner", fail)
    ctx_arguments = inner.arguments()
    async with bench(tmp_path, inner, Toy("outer", outer)) as runs:
        ended = await runs.finished("outer")

    assert (ended.status, (ended.error or {})["stage"]) == (Status.FAILED, "inner")
