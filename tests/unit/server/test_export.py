"""A run as a document that can be checked, and its answers in the order in which a new run asks for them."""

import json
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from repowright_server.runs import store
from repowright_server.runs.export import document_of, recording_of
from repowright_server.runs.journal import RunJournal, first_break
from repowright_server.runs.run import Run, Status
from repowright_server.runs.schema import entries
from repowright_server.runs.state import RunState, read_state
from repowright_server.runs.store import Store
from repowright_tools.llm.scripted import Recording
from repowright_tools.secrets import register_secret

pytestmark = pytest.mark.anyio

RUN = "r_" + "2" * 32
USAGE = {"input_tokens": 11, "output_tokens": 5, "cached_input_tokens": 3, "cache_write_tokens": 2}


class Story:
    """A run whose attempts and answers a test tells one after the other."""

    def __init__(self, state: Store) -> None:
        self._store = state

    async def begin(self) -> None:
        await self._store.transaction(
            lambda db: store.add_run(db, Run(id=RUN, principal="local", source={"source": "."}, created=1.5))
        )

    async def attempt(self, stage: str, scope: str, status: Status = Status.COMPLETE, **more: Any) -> int:
        values = {"call": "", "arguments": {}, "status": status, "status_message": "", "result": {"of": scope}}
        made = await self._store.transaction(
            lambda db: store.add_attempt(db, run_id=RUN, stage=stage, key=scope, scope=scope, **(values | more))
        )
        return made.id

    async def dropped(self, attempt: int, by: str) -> None:
        await self._store.transaction(lambda db: store.change_attempt(db, attempt, dropped_by=by))

    def journal(self, scope: str) -> RunJournal:
        return RunJournal(self._store, RUN, "stage", scope)

    async def answers(self, scope: str, ask: str, number: int, answer: Any, *, inputs: str = "", **more: Any) -> None:
        record = {"answer": answer, "secret": False, "provider": "anthropic", "usage": USAGE} | more

        async def effect() -> Any:
            return record

        await self.journal(scope).step(f"ask:{ask}:{number}", {"request": inputs or str(answer)}, effect)

    async def told(self) -> RunState:
        return await self._store.transaction(lambda db: read_state(db, RUN, "local"))

    async def recorded(self) -> list[tuple[str, Any]]:
        return [(each["ask"], each["answer"]) for each in recording_of(await self.told())]

    async def change(self, work: Callable[[Connection], object]) -> None:
        await self._store.transaction(work)


@pytest.fixture
async def story(tmp_path: Path) -> AsyncGenerator[Story]:
    state = Store(None, tmp_path)
    told = Story(state)
    await told.begin()
    yield told
    state.close()


async def test_the_document_has_everything_and_its_journal_can_be_checked_by_its_reader(story: Story) -> None:
    await story.attempt("plan_feature", "s1")
    await story.answers("s1", "plan", 1, {"summary": "Größe", "weight": 0.1})
    await story.change(
        lambda db: store.add_events(db, [{"run_id": RUN, "at": 2.0, "kind": "Stage", "body": {"text": "x"}}])
    )
    document = json.loads(json.dumps(document_of(await story.told())))

    assert document["run"]["id"] == RUN
    assert [each["stage"] for each in document["attempts"]] == ["plan_feature"]
    assert document["results"] == {"plan_feature": {"of": "s1"}}
    assert [each["kind"] for each in document["journal"]] == ["intent", "result"]
    assert [each["body"]["text"] for each in document["events"]] == ["x"]
    assert document["journal_broken_at"] is None
    assert first_break(document["journal"]) is None
    document["journal"][1]["payload"]["answer"]["weight"] = 0.2
    assert first_break(document["journal"]) == 2


async def test_an_edited_history_shows_in_the_document(story: Story) -> None:
    await story.answers("s1", "plan", 1, "a")
    await story.change(lambda db: db.execute(entries.update().where(entries.c.seq == 2).values(payload="other")))

    assert document_of(await story.told())["journal_broken_at"] == 2


async def test_a_secret_that_nobody_knew_when_it_was_written_does_not_leave(story: Story) -> None:
    """K01"""
    await story.attempt("plan_feature", "s1", arguments={"request": "what-I-call-opening-words"})
    await story.answers("s1", "plan", 1, {"summary": "what-I-call-opening-words"})
    register_secret("what-I-call-opening-words")
    state = await story.told()

    assert "opening-words" not in json.dumps([document_of(state), recording_of(state)])
    assert document_of(state)["journal_broken_at"] == 2


async def test_a_recording_is_one_that_the_scripted_provider_reads(story: Story) -> None:
    await story.attempt("plan_feature", "s1")
    await story.answers("s1", "plan", 1, {"summary": "x"})
    (entry,) = Recording.model_validate(recording_of(await story.told())).root

    assert (entry.ask, entry.answer) == ("plan", {"summary": "x"})
    assert (entry.usage.input_tokens, entry.usage.output_tokens, entry.usage.cached_input_tokens) == (11, 5, 3)


async def test_rounds_and_stages_come_in_the_order_in_which_they_are_asked(story: Story) -> None:
    await story.attempt("plan_feature", "s1")
    await story.attempt("generate_code", "s2")
    for number in range(1, 4):
        await story.answers("s1", "plan", number, f"plan {number}")
    await story.answers("s2", "edits", 1, "edits 1")

    assert await story.recorded() == [("plan", "plan 1"), ("plan", "plan 2"), ("plan", "plan 3"), ("edits", "edits 1")]


async def test_answers_that_were_refused_to_the_end_give_way_to_those_of_the_next_try(story: Story) -> None:
    await story.attempt("plan_feature", "s1", Status.FAILED)
    for number in range(1, 3):
        await story.answers("s1", "plan", number, f"bad {number}", inputs=str(number))
    await story.journal("s1").void("ask:plan:")
    refused = await story.recorded()
    await story.attempt("plan_feature", "s1")
    await story.answers("s1", "plan", 1, "good", inputs="1")

    assert refused == [("plan", "bad 1"), ("plan", "bad 2")]
    assert await story.recorded() == [("plan", "good")]


async def test_rounds_of_a_question_that_has_changed_since_are_left_out(story: Story) -> None:
    await story.attempt("plan_feature", "s1")
    await story.answers("s1", "plan", 1, "old 1")
    await story.answers("s1", "plan", 2, "old 2")
    await story.answers("s1", "plan", 1, "new 1")

    assert await story.recorded() == [("plan", "new 1")]


async def test_a_stage_called_again_with_other_arguments_is_replayed_as_it_was_called_last(story: Story) -> None:
    await story.attempt("plan_feature", "s1")
    await story.answers("s1", "plan", 1, "first plan")
    code = await story.attempt("generate_code", "s2")
    await story.answers("s2", "edits", 1, "first edits")
    await story.attempt("plan_feature", "s3")
    await story.dropped(code, "s3")
    await story.answers("s3", "plan", 1, "second plan")
    without_code = await story.recorded()
    await story.attempt("generate_code", "s2")  # the same call again takes its answer from the journal

    assert without_code == [("plan", "second plan")]
    assert await story.recorded() == [("plan", "second plan"), ("edits", "first edits")]


async def test_calls_that_failed_or_were_lost_and_other_steps_are_no_answers(story: Story) -> None:
    async def fail() -> Any:
        raise ValueError("overloaded")

    async def made() -> Any:
        return {"answer": "no answer", "usage": USAGE, "secret": False}

    await story.attempt("plan_feature", "s1")
    with pytest.raises(ValueError, match="overloaded"):
        await story.journal("s1").step("ask:plan:1", {"request": "r"}, fail)
    await story.answers("s1", "plan", 1, "good", inputs="r")
    await story.journal("s1").step("commit", {}, made)

    assert await story.recorded() == [("plan", "good")]


async def test_an_answer_with_a_secret_is_refused_in_the_replay_too(story: Story) -> None:
    await story.attempt("plan_feature", "s1")
    await story.answers("s1", "plan", 1, {"summary": "[hidden]"}, secret=True)
    await story.answers("s1", "plan", 2, {"summary": "fine"})

    assert await story.recorded() == [("plan", '{"summary": "[hidden]"}'), ("plan", {"summary": "fine"})]


async def test_a_run_that_asked_nobody_has_an_empty_recording(story: Story) -> None:
    await story.attempt("analyse_repo", "s1")

    assert await story.recorded() == []
