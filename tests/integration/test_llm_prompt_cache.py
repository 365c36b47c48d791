"""How much of what a model reads again comes from the provider's cache, as the API counts a stable prefix."""

from collections.abc import Iterator, Sequence

import pytest

from fakes.messages_api import MessagesApi
from fakes.messages_asks import Thinker, Word, quick_policy, word_ask
from fakes.messages_ledger import Asked
from repowright_tools.stage import Ask, Section

pytestmark = pytest.mark.anyio
MAP = "".join(f"src/module_{number}.py\n    def function_{number}(request, *, retries: int)\n" for number in range(300))
CODE = "".join(f"def function_{number}(request):\n    return request.{number}\n" for number in range(300))


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi() as api:
        yield api


def share_from_cache(calls: Sequence[Asked]) -> float:
    """Of the input tokens of the second and later calls."""
    later = calls[1:]
    read = sum(call.cache_read_tokens for call in later)
    return read / sum(call.cache_read_tokens + call.cache_write_tokens + call.input_tokens for call in later)


async def test_rounds_of_an_ask_read_what_they_have_in_common_from_the_cache(api: MessagesApi) -> None:
    api.answers["Word"] = [{"word": "no"}, {"word": "never"}, {"word": "nowhere"}, {"word": "yes"}]
    ask = word_ask(Section("Request", "Which word?", untrusted=False), Section("Map", MAP), expected="yes")

    await Thinker(quick_policy(api.url)).think(ask)

    assert len(api.calls) == 4
    assert share_from_cache(api.calls) >= 0.95


async def test_asks_of_a_stage_share_the_map_of_the_repository(api: MessagesApi) -> None:
    """The map is the least important section, the last one to be read by people, and the first one in the prompt."""
    api.reply = lambda asked: {"word": "yes"}
    thinker = Thinker(quick_policy(api.url))

    for number in range(4):
        question = Section("Features", f"feature {number}: " + CODE[number * 100 : number * 100 + 800])
        first = word_ask(question, Section("Map", MAP, shared=True))
        await thinker.think(Ask(f"word-{number}", first.instructions, first.context, Word, first.check))

    assert len(api.calls) == 4
    assert share_from_cache(api.calls) >= 0.8


async def test_a_run_that_is_resumed_by_another_process_finds_its_prompts_in_the_cache(api: MessagesApi) -> None:
    api.answers["Word"] = [{"word": "no"}, {"word": "yes"}]
    sections = (Section("Request", "Which word?", untrusted=False), Section("Map", MAP))

    await Thinker(quick_policy(api.url)).think(word_ask(*sections))
    await Thinker(quick_policy(api.url)).think(word_ask(*sections))

    assert share_from_cache(api.calls) >= 0.95
