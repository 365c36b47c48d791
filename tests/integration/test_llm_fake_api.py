"""The fake Messages API keeps its promises to the official client."""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from anthropic import APIStatusError
from httpx2 import ReadTimeout

from fakes.messages_api import ORGANIZATION, MessagesApi
from fakes.messages_client import ask, client_of, streamed, user
from fakes.messages_script import Drip, Raw, Say

pytestmark = pytest.mark.anyio


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi() as api:
        yield api


CALL = {"type": "tool_use", "id": "toolu_1", "name": "write", "input": {"path": "a.py", "text": "x = 1"}}


async def test_an_answer_is_also_given_as_one_json_body(api: MessagesApi) -> None:
    api.reply = lambda asked: Say(text=f"heard {asked.turns[-1][1]}", output_tokens=7)

    async with client_of(api) as anthropic:
        raw = await anthropic.messages.with_raw_response.create(
            model="claude-haiku-5-5", max_tokens=10, messages=[{"role": "user", "content": "you"}]
        )

    message = await raw.parse()
    assert [block.text for block in message.content if block.type == "text"] == ["heard you"]
    assert message.usage.output_tokens == 7
    assert raw.headers["anthropic-organization-id"] == ORGANIZATION
    assert raw.headers["request-id"]
    assert (api.billed, api.calls[0].output_tokens, api.calls[0].key) == (1, 7, "k")


async def test_counting_and_listing_are_answered_and_not_billed(api: MessagesApi) -> None:
    async with client_of(api) as anthropic:
        count = await anthropic.messages.count_tokens(
            model="claude-haiku-5-5", messages=[{"role": "user", "content": "x" * 400}]
        )
        models = [model.id async for model in anthropic.models.list()]

    assert 90 < count.input_tokens < 110
    assert models == api.models
    assert (api.billed, api.calls, len(api.ledger)) == (0, [], 2)


async def test_a_request_that_nothing_answers_fails_at_once(api: MessagesApi) -> None:
    async with client_of(api) as anthropic:
        with pytest.raises(APIStatusError, match="nothing answers"):
            await anthropic.messages.create(
                model="claude-haiku-5-5", max_tokens=10, messages=[{"role": "user", "content": "?"}]
            )


def test_a_call_can_be_waited_for_without_sleeping(api: MessagesApi) -> None:
    api.then(Say(text="a"))
    body = b'{"model": "m", "messages": []}'
    with urlopen(Request(f"{api.url}/v1/messages", body, {"x-api-key": "other"})) as response:
        response.read()

    assert api.wait_for(1).key == "other"
    with pytest.raises(AssertionError, match="1 of 2 calls"):
        api.wait_for(2, timeout_s=0.01)


@pytest.mark.parametrize("answer", [ask, streamed])
async def test_blocks_of_every_kind_arrive_in_order(api: MessagesApi, answer: Any) -> None:
    thought = {"type": "thinking", "thinking": "hm, what now", "signature": "sig"}
    hidden = {"type": "redacted_thinking", "data": "b64"}
    api.then(Say(content=[thought, hidden, {"type": "text", "text": "Writing."}, CALL], stop_reason="tool_use"))

    async with client_of(api) as client:
        message = await answer(client)

    assert [block.type for block in message.content] == ["thinking", "redacted_thinking", "text", "tool_use"]
    assert (message.content[0].thinking, message.content[0].signature) == ("hm, what now", "sig")
    assert (message.content[2].text, message.content[3].input) == ("Writing.", CALL["input"])
    assert message.stop_reason == "tool_use"
    assert api.calls[0].output_tokens == len("hm, what now" + "Writing." + json.dumps(CALL["input"])) // 4 + 1


async def test_the_input_of_a_tool_that_was_cut_loses_its_last_field_without_an_error(api: MessagesApi) -> None:
    """What the official client makes of it is why the reason to stop must be looked at first."""
    api.reply = lambda asked: Say(content=[CALL | {"input": '{"path": "a.py", "text": "x ='}], stop_reason="max_tokens")

    async with client_of(api) as client:
        cut, whole = await streamed(client), await ask(client)

    assert (cut.stop_reason, cut.content[0].model_dump()["input"]) == ("max_tokens", {"path": "a.py"})
    assert (whole.stop_reason, whole.content[0].model_dump()["input"]) == ("max_tokens", {})
    assert api.calls[0].output_tokens == 8


async def test_a_drip_takes_its_time_and_arrives_whole(api: MessagesApi) -> None:
    api.reply = lambda asked: Drip(20_000, Say(text="x" * 1000))

    async with client_of(api) as client:
        for answer in (ask, streamed):
            began = time.monotonic()
            message = await answer(client, user("?"))
            assert message.content[0].model_dump()["text"] == "x" * 1000
            assert time.monotonic() - began > 1000 / 20_000


async def test_only_what_of_a_drip_was_sent_is_billed(api: MessagesApi) -> None:
    api.then(Drip(1, Say(text="x" * 1000, output_tokens=500)))

    async with client_of(api, timeout_s=0.2) as client:
        with pytest.raises(ReadTimeout):
            await streamed(client)

    call = api.wait_for(1)
    assert (call.billed, call.output_tokens) == (True, 1)


@pytest.mark.parametrize("answer", [ask, streamed])
async def test_a_very_large_answer_arrives_whole(api: MessagesApi, answer: Any) -> None:
    api.then(Say(text="x" * 5_000_000, output_tokens=9))

    async with client_of(api) as client:
        message = await answer(client)

    assert len(message.content[0].text) == 5_000_000
    assert message.usage.output_tokens == api.calls[0].output_tokens == 9


def test_a_page_of_any_size_is_sent_as_it_is(api: MessagesApi) -> None:
    page = b"<html>" * 5_000_000
    api.then(Raw(page, status=502))

    with pytest.raises(HTTPError) as raised:
        urlopen(Request(f"{api.url}/v1/messages", b'{"model": "m", "messages": []}'))

    with raised.value as response:
        assert (response.status, response.read()) == (502, page)
    assert (api.billed, api.calls[0].status) == (0, 502)
