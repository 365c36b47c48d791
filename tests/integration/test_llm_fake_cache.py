"""The fake Messages API counts stable prefixes as the real prompt cache does."""

from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import BadRequestError

from fakes.messages_api import MessagesApi
from fakes.messages_client import HandClock, ask, client_of, marked, user
from fakes.messages_script import Hang, Refuse, Say

pytestmark = pytest.mark.anyio
SYSTEM = "s" * 8000
MAP = "m" * 4000


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def api(clock: HandClock) -> Iterator[MessagesApi]:
    with MessagesApi(clock) as api:
        api.organisations = {"other": "org-b"}
        api.reply = lambda asked: Say(text="ok")
        yield api


async def counted(
    api: MessagesApi, *messages: dict[str, Any], system: Any, key: str = "k", **more: Any
) -> tuple[int, int, int]:
    """Tokens read from the cache, written to it, and neither."""
    async with client_of(api, key) as client:
        usage = (await ask(client, *messages, system=system, **more)).usage
    call = api.calls[-1]
    assert (call.cache_read_tokens, call.cache_write_tokens, call.input_tokens) == (
        usage.cache_read_input_tokens,
        usage.cache_creation_input_tokens,
        usage.input_tokens,
    )
    return usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0, usage.input_tokens


async def test_a_marked_prefix_is_written_once_and_then_read(api: MessagesApi) -> None:
    system = [marked(SYSTEM)]

    assert await counted(api, user("a" * 400), system=system) == (0, 2000, 101)
    assert await counted(api, user("b" * 800), system=system) == (2000, 0, 201)
    assert await counted(api, user("a"), system=[marked(SYSTEM + ".")]) == (0, 2000, 1)
    assert await counted(api, user("a"), system=SYSTEM) == (0, 0, 2001)


async def test_nobody_reads_what_another_organisation_or_model_wrote(api: MessagesApi) -> None:
    system = [marked(SYSTEM)]
    await counted(api, system=system)

    assert (await counted(api, system=system, key="other"))[:2] == (0, 2000)
    assert (await counted(api, system=system, model="claude-opus-5-5"))[:2] == (0, 2000)


async def test_an_entry_lives_for_five_minutes_after_its_last_use(api: MessagesApi, clock: HandClock) -> None:
    system = [marked(SYSTEM)]
    await counted(api, system=system)
    for _ in range(3):
        clock.now += 299
        assert (await counted(api, system=system))[:2] == (2000, 0)
    clock.now += 301

    assert (await counted(api, system=system))[:2] == (0, 2000)


async def test_the_longest_prefix_is_read_and_only_what_follows_it_is_written(api: MessagesApi) -> None:
    system = [marked(SYSTEM)]
    first = {"role": "user", "content": [marked(MAP), {"type": "text", "text": "task 1"}]}
    second = {"role": "user", "content": [marked(MAP), {"type": "text", "text": "task 2"}]}

    assert (await counted(api, system=system))[:2] == (0, 2000)
    assert (await counted(api, first, system=system))[:2] == (2000, 1000)
    assert (await counted(api, second, system=system))[:2] == (3000, 0)
    assert (await counted(api, second, system=[marked("other" + SYSTEM)]))[:2] == (0, 3001)


async def test_a_growing_conversation_reads_what_its_last_turn_wrote_though_the_mark_moved(api: MessagesApi) -> None:
    turns: list[dict[str, Any]] = [{"role": "user", "content": [marked(SYSTEM)]}]
    await counted(api, *turns, system="")
    turns = [
        user(SYSTEM),
        {"role": "assistant", "content": "a" * 400},
        {"role": "user", "content": [marked("b" * 400)]},
    ]

    assert (await counted(api, *turns, system=""))[:2] == (2000, 200)
    assert (await counted(api, *turns, user("c"), system="")) == (2200, 0, 2)


async def test_an_entry_more_than_twenty_blocks_before_the_mark_is_not_found(api: MessagesApi) -> None:
    def followed_by(count: int) -> list[Any]:
        return [{"type": "text", "text": SYSTEM}, *[{"type": "text", "text": "."}] * count, marked("end")]

    await counted(api, system=[marked(SYSTEM)])

    assert (await counted(api, system=followed_by(19)))[0] == 0
    assert (await counted(api, system=followed_by(18)))[0] == 2000


async def test_a_short_prefix_is_not_cached(api: MessagesApi) -> None:
    short = [marked("x" * (4 * 1024 - 1))]

    assert (await counted(api, system=short))[:2] == (0, 0)
    api.min_cache_tokens = 1023
    assert (await counted(api, system=short))[:2] == (0, 1023)


async def test_a_fifth_mark_is_refused(api: MessagesApi) -> None:
    await counted(api, system=[marked(SYSTEM)] * 4)

    async with client_of(api) as client:
        with pytest.raises(BadRequestError, match="maximum of 4"):
            await ask(client, system=[marked(SYSTEM)] * 5)
    assert not api.calls[-1].billed


async def test_tools_come_first_and_a_mark_on_the_request_is_one_on_its_end(api: MessagesApi) -> None:
    tools: list[dict[str, Any]] = [{"name": "look", "description": "d" * 8000, "input_schema": {"type": "object"}}]
    everything: dict[str, Any] = {"system": "", "cache_control": {"type": "ephemeral"}}

    read, written, _ = await counted(api, user("a"), tools=tools, **everything)
    assert (read, written > 2000) == (0, True)
    assert await counted(api, user("a"), tools=tools, **everything) == (written, 0, 1)
    assert (await counted(api, user("a"), tools=[{**tools[0], "name": "see"}], **everything))[0] == 0


@pytest.mark.parametrize("step", [Refuse(529), Refuse(429, "rate_limit_error"), Hang()], ids=str)
async def test_a_request_that_gets_no_answer_writes_nothing(api: MessagesApi, step: Any) -> None:
    api.then(step)
    async with client_of(api, timeout_s=0.2 if isinstance(step, Hang) else 5) as client:
        with pytest.raises(Exception, match=r"scripted|timed out"):
            await ask(client, system=[marked(SYSTEM)])

    assert (await counted(api, system=[marked(SYSTEM)]))[:2] == (0, 2000)


async def test_an_answer_that_states_its_input_is_taken_at_its_word(api: MessagesApi) -> None:
    api.reply = lambda asked: Say(text="ok", input_tokens=5, cache_read_input_tokens=7)

    for _ in range(2):
        assert await counted(api, system=[marked(SYSTEM)]) == (7, 0, 5)
