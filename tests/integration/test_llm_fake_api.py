"""The fake Messages API keeps its promises to the official client."""

from collections.abc import Iterator
from urllib.request import Request, urlopen

import pytest
from anthropic import APIStatusError, AsyncAnthropic

from fakes.messages_api import ORGANIZATION, MessagesApi
from fakes.messages_script import Say

pytestmark = pytest.mark.anyio


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi() as api:
        yield api


def client(api: MessagesApi) -> AsyncAnthropic:
    return AsyncAnthropic(api_key="k", base_url=api.url, max_retries=0)


async def test_an_answer_is_also_given_as_one_json_body(api: MessagesApi) -> None:
    api.reply = lambda asked: Say(text=f"heard {asked.turns[-1][1]}", output_tokens=7)

    async with client(api) as anthropic:
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
    async with client(api) as anthropic:
        count = await anthropic.messages.count_tokens(
            model="claude-haiku-5-5", messages=[{"role": "user", "content": "x" * 400}]
        )
        models = [model.id async for model in anthropic.models.list()]

    assert 90 < count.input_tokens < 110
    assert models == api.models
    assert (api.billed, api.calls, len(api.ledger)) == (0, [], 2)


async def test_a_request_that_nothing_answers_fails_at_once(api: MessagesApi) -> None:
    async with client(api) as anthropic:
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
