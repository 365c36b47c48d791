"""Answers that were accepted before: they are neither asked for nor paid again."""

from typing import Any

import pytest

from fakes.messages_api import MessagesApi
from fakes.messages_asks import Thinker, quick_policy, word_ask
from fakes.messages_script import Say
from repowright_tools.events import ModelCallEvent
from repowright_tools.llm.factory import Models

pytestmark = pytest.mark.anyio


class KeptForTheTest:
    """A response cache in memory."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}

    async def get(self, key: str) -> dict[str, Any] | None:
        return self.records.get(key)

    async def put(self, key: str, record: dict[str, Any]) -> None:
        self.records[key] = record


async def test_an_accepted_answer_is_remembered_and_costs_nothing_the_second_time() -> None:
    cache = KeptForTheTest()
    with MessagesApi() as api:
        api.answers["Word"] = [{"word": "yes"}]
        policy = quick_policy(api.url)
        first = Thinker(policy, models=Models(policy, cache=cache))
        second = Thinker(policy, models=Models(policy, cache=cache))

        answers = [await each.think(word_ask(expected="yes")) for each in (first, second)]

    assert [answer.value.word for answer in answers] == ["yes", "yes"]
    assert len(api.calls) == 1
    assert [(cost.usd, cost.calls, cost.input_tokens) for cost in second.journal.charged] == [(0.0, 0, 0)]
    event = second.events.events[-1]
    assert isinstance(event, ModelCallEvent)
    assert (event.status, event.usd, event.output_tokens) == ("COMPLETE", 0.0, 0)


async def test_an_answer_that_its_check_refused_is_not_remembered() -> None:
    cache = KeptForTheTest()
    with MessagesApi() as api:
        api.answers["Word"] = [{"word": "no"}, Say({"word": "yes"})]
        policy = quick_policy(api.url)
        await Thinker(policy, models=Models(policy, cache=cache)).think(word_ask(expected="yes"))

    assert [record["answer"] for record in cache.records.values()] == [{"word": "yes"}]
