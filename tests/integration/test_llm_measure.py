"""How long a request is taken to be, before it is sent."""

import pytest

from fakes.messages_api import MessagesApi
from fakes.messages_asks import Thinker, quick_policy, word_ask
from repowright_tools.stage import Section

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("limit", "kinds"), [(100_000, ["ask"]), (15_000, ["count", "ask"])])
async def test_a_request_near_its_limit_is_counted_by_the_provider(limit: int, kinds: list[str]) -> None:
    with MessagesApi() as api:
        api.reply = lambda asked: {"word": "yes"}
        policy = quick_policy(api.url, max_call_input_tokens=limit)
        await Thinker(policy).think(word_ask(Section("Code", "word and word\n" * 3_000)))

        assert [entry.kind for entry in api.ledger] == kinds


async def test_a_context_that_is_cut_is_still_counted_whole() -> None:
    with MessagesApi() as api:
        api.reply = lambda asked: {"word": "yes"}
        policy = quick_policy(api.url, max_call_input_tokens=2_000)
        question = Section("Question", "Which word?", untrusted=False)
        await Thinker(policy).think(word_ask(question, Section("Code", "word and word\n" * 3_000)))

        assert [entry.kind for entry in api.ledger] == ["count", "ask"]
