"""The loop behind every provider: rounds, the journal, the caller's answers, and what the budget stops."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from fakes.messages_asks import SUBMIT, Thinker, Word, quick_policy, word_ask
from repowright_tools.errors import (
    AnswerRejected,
    ContextTooLarge,
    InvalidArguments,
    ScriptExhausted,
)
from repowright_tools.events import ContextShortenedEvent, ModelCallEvent
from repowright_tools.llm.factory import PROVIDERS
from repowright_tools.llm.policy import ModelPolicy
from repowright_tools.llm.thinking import MAX_REFUSALS
from repowright_tools.stage import Ask, Brief, InputRequired, Section
from support.ports import MemoryJournal

pytestmark = pytest.mark.anyio
HOST = ModelPolicy("host")
GOOD, BAD = {"word": "yes"}, {"word": "no"}


def recording(folder: Path, *answers: Any, ask: str = "word") -> ModelPolicy:
    path = folder / "recording.json"
    path.write_text(json.dumps([{"ask": ask, "answer": answer} for answer in answers]))
    return ModelPolicy("scripted", model=str(path))


async def brief_of(thinker: Thinker, ask: Ask[Word]) -> Brief:
    with pytest.raises(InputRequired) as raised:
        await thinker.think(ask)
    assert raised.value.pending.kind == "brief"
    brief = raised.value.pending.brief
    assert brief is not None
    return brief


# --- the host thinks ----------------------------------------------------------------------------------------------


async def test_without_an_answer_the_host_gets_a_brief_that_says_what_to_call() -> None:
    brief = await brief_of(Thinker(HOST), word_ask(Section("Question", "Which word?", untrusted=False)))

    assert brief.instructions.endswith("Say a word.")
    assert brief.context == "## Question\nWhich word?"
    assert brief.response_schema["required"] == ["word"]
    assert brief.feedback == []
    assert brief.submit == SUBMIT


async def test_an_unanswered_brief_is_no_finished_step_and_costs_nothing() -> None:
    thinker = Thinker(HOST)
    await brief_of(thinker, word_ask())

    answer = await Thinker(HOST, GOOD, journal=thinker.journal).think(word_ask())

    assert (answer.value, answer.provider) == (Word(word="yes"), "host")
    assert [event for event in thinker.events.events if isinstance(event, ModelCallEvent)] == []


async def test_a_refused_submission_comes_back_five_times_with_feedback_and_then_fails() -> None:
    """The sixth refusal is an error, after which a later attempt starts anew."""
    journal = MemoryJournal()
    ask = word_ask(expected="yes")
    await brief_of(Thinker(HOST, journal=journal), ask)

    for _ in range(MAX_REFUSALS):
        brief = await brief_of(Thinker(HOST, BAD, journal=journal), ask)
        assert brief.feedback == ["'no' is not the word"]
    with pytest.raises(AnswerRejected, match="'no' is not the word"):
        await Thinker(HOST, BAD, journal=journal).think(ask)

    assert journal.finished == {}
    assert (await brief_of(Thinker(HOST, journal=journal), ask)).feedback == []
    assert MAX_REFUSALS == 5


async def test_each_call_uses_one_submission_only() -> None:
    thinker = Thinker(HOST, BAD)

    await brief_of(thinker, word_ask(expected="yes"))

    assert thinker.handed.waiting == []
    assert len(thinker.journal.finished) == 1


@pytest.mark.parametrize(
    ("submission", "feedback"),
    [
        ({}, "word: Field required"),
        ({"word": 5}, "word: Input should be a valid string"),
        ({"word": "yes", "more": 1}, "more: Extra inputs are not permitted"),
        ([], "the answer: Input should be an object"),
        ("yes", "The answer is not valid JSON."),
        ({"word": "\ud800"}, "the answer: Invalid JSON"),
    ],
    ids=str,
)
async def test_an_answer_that_does_not_fit_the_schema_is_told_where(submission: Any, feedback: str) -> None:
    brief = await brief_of(Thinker(HOST, submission), word_ask())

    assert brief.feedback[0].startswith(feedback)


async def test_a_brief_fits_a_result_however_much_there_is_to_know() -> None:
    """A brief is always inline, also where only the text of an answer is shown: 32,000 characters."""
    sections = [Section("Question", "Which word?", untrusted=False)]
    sections += [Section(f"File {n}", 'some "quoted" line of é code\n' * 2_000) for n in range(4)]
    thinker = Thinker(HOST)

    brief = await brief_of(thinker, word_ask(*sections))

    assert 24_000 < len(json.dumps(brief.model_dump(), ensure_ascii=False).encode()) < 28_000
    assert "more lines left out]" in brief.context
    shortened = [event for event in thinker.events.events if isinstance(event, ContextShortenedEvent)]
    assert [event.dropped for event in shortened] == ["File 0, File 1, File 2, File 3"]


async def test_a_question_that_does_not_fit_is_not_cut() -> None:
    with pytest.raises(ContextTooLarge):
        await Thinker(HOST).think(word_ask(Section("Question", "why?\n" * 20_000, untrusted=False)))


# --- a recording thinks -------------------------------------------------------------------------------------------


async def test_a_recording_answers_round_by_round_and_says_who_it_is(tmp_path: Path) -> None:
    thinker = Thinker(recording(tmp_path, BAD, {"wrong": 1}, GOOD))

    answer = await thinker.think(word_ask(expected="yes"))

    assert (answer.value.word, answer.provider) == ("yes", "scripted")
    assert [len(rejected.findings) for rejected in answer.rejected] == [1, 2]
    assert answer.rejected[0].findings == ["'no' is not the word"]
    assert thinker.journal.effects == ["ask:word:1", "ask:word:2", "ask:word:3"]


async def test_a_resumed_attempt_replays_what_it_heard_and_calls_nobody(tmp_path: Path) -> None:
    """D01."""
    policy = recording(tmp_path, BAD, GOOD)
    first = Thinker(policy)
    await first.think(word_ask(expected="yes"))
    Path(str(policy.model)).unlink()

    answer = await Thinker(policy, journal=first.journal).think(word_ask(expected="yes"))

    assert answer.value.word == "yes"
    assert first.journal.effects == ["ask:word:1", "ask:word:2"]


async def test_an_answer_is_asked_for_anew_when_the_question_changed(tmp_path: Path) -> None:
    first = Thinker(recording(tmp_path, GOOD))
    await first.think(word_ask())

    again = Thinker(recording(tmp_path, {"word": "other"}), journal=first.journal)
    answer = await again.think(word_ask(instructions="Say another word."))

    assert answer.value.word == "other"


async def test_a_recording_that_ends_too_early_names_the_ask(tmp_path: Path) -> None:
    with pytest.raises(ScriptExhausted, match="'word'"):
        await Thinker(recording(tmp_path, GOOD, ask="another")).think(word_ask())


@pytest.mark.parametrize("content", ["", "{}", '[{"ask": "word"}]', '[{"ask": "word", "answer": 1, "extra": 2}]'])
async def test_what_is_no_recording_is_a_named_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "recording.json"
    path.write_text(content)

    with pytest.raises(ScriptExhausted):
        await Thinker(ModelPolicy("scripted", model=str(path))).think(word_ask())


@pytest.mark.parametrize("model", [None, "/nowhere/recording.json"])
async def test_a_missing_recording_is_a_named_error(model: str | None) -> None:
    with pytest.raises(ScriptExhausted):
        await Thinker(ModelPolicy("scripted", model=model)).think(word_ask())


# --- whoever thinks -----------------------------------------------------------------------------------------------


def test_an_unknown_provider_is_refused_with_the_names_of_those_there_are() -> None:
    with pytest.raises(InvalidArguments, match=", ".join(PROVIDERS)):
        Thinker(ModelPolicy("parrot"))


async def test_long_and_many_findings_are_cut_before_they_go_back(tmp_path: Path) -> None:
    async def check(word: Word) -> list[str]:
        del word
        return ["x" * 10_000] * 100

    ask = Ask("word", "Say a word.", [Section("Question", "?", untrusted=False)], Word, check)

    brief = await brief_of(Thinker(HOST, GOOD), ask)

    assert len(brief.feedback) == 21
    assert brief.feedback[-1] == "... and 80 more findings"
    assert max(map(len, brief.feedback)) == 600


class Deep(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    lines: list[dict[str, str]]


async def test_an_answer_with_a_secret_is_refused_and_the_journal_has_none(tmp_path: Path) -> None:
    """K01: what a model or a host answers is kept, so it must not hold a secret either."""
    token = "ghp_" + "a1B2c3D4e5" * 4

    async def check(deep: Deep) -> list[str]:
        del deep
        return []

    ask = Ask("deep", "Answer.", [Section("Question", "?", untrusted=False)], Deep, check)
    thinker = Thinker(HOST, {"lines": [{"token": f"x = '{token}'"}]})

    with pytest.raises(InputRequired) as raised:
        await thinker.think(ask)

    assert raised.value.pending.brief is not None
    assert "secret" in raised.value.pending.brief.feedback[0]
    assert token not in json.dumps(thinker.journal.finished)


async def test_a_budget_does_not_stand_in_the_way_of_a_caller_who_thinks() -> None:
    thinker = Thinker(quick_policy(None, max_run_cost_usd=0.000001), GOOD)

    assert (await thinker.think(word_ask())).provider == "host"
