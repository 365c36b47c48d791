"""The fake speaks Bedrock's and Vertex's protocols to the official clients."""

from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import (
    APIStatusError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)
from anthropic.lib.bedrock import AsyncAnthropicBedrock
from anthropic.lib.vertex import AsyncAnthropicVertex

from fakes.messages_api import MessagesApi
from fakes.messages_client import loopback, marked
from fakes.messages_script import Break, Refuse, Say, StreamError

pytestmark = pytest.mark.anyio
MODEL = "us.anthropic.claude-sonnet-5-5-v1:0"
Client = AsyncAnthropicBedrock | AsyncAnthropicVertex


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi() as api:
        api.reply = lambda asked: Say({"word": "yes"}, output_tokens=7)
        yield api


def bedrock(api: MessagesApi) -> AsyncAnthropicBedrock:
    return AsyncAnthropicBedrock(
        api_key="k", aws_region="eu-west-1", base_url=api.url, max_retries=0, http_client=loopback()
    )


def vertex(api: MessagesApi) -> AsyncAnthropicVertex:
    return AsyncAnthropicVertex(
        region="global",
        project_id="p",
        access_token="k",
        base_url=f"{api.url}/v1",
        max_retries=0,
        http_client=loopback(),
    )


both = pytest.mark.parametrize("client_of", [bedrock, vertex])


async def text(client: Client, *, stream: bool = True, **more: Any) -> str:
    request: dict[str, Any] = {
        "model": MODEL,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "?"}],
        "output_config": {"format": {"type": "json_schema", "schema": {"title": "Word", "type": "object"}}},
        **more,
    }
    messages: Any = client.messages
    if not stream:
        message = await messages.create(**request)
    else:
        async with messages.stream(**request) as events:
            message = await events.get_final_message()
    assert message.usage.output_tokens == 7
    answer: str = message.content[0].text
    return answer


@both
@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_is_read_by_the_official_client_and_stands_in_the_ledger(
    api: MessagesApi, client_of: Any, stream: bool
) -> None:
    api.answers["Word"] = [Say({"word": "no"}, output_tokens=7)]

    async with client_of(api) as client:
        assert await text(client, stream=stream) == '{"word": "no"}'

    call = api.calls[0]
    assert (call.key, call.model, call.schema, call.status) == ("k", MODEL, "Word", 200)
    assert (call.billed, call.input_tokens, call.output_tokens) == (True, 1, 7)
    assert api.billed_usd(lambda model, usage: usage["output_tokens"] if model == MODEL else 0.0) == 7


@both
async def test_a_large_answer_arrives_whole(api: MessagesApi, client_of: Any) -> None:
    api.then(Say(text="ä" * 200_000, output_tokens=7))

    async with client_of(api) as client:
        assert await text(client) == "ä" * 200_000


@both
async def test_limits_and_the_prompt_cache_are_those_of_the_messages_api(api: MessagesApi, client_of: Any) -> None:
    api.organisations = {"k": "org-a"}
    api.limit("org-a", requests_per_minute=2)

    async with client_of(api) as client:
        for _ in range(2):
            await text(client, system=[marked("x" * 8000)])
        with pytest.raises(RateLimitError) as raised:
            await text(client)

    assert [call.cache_read_tokens for call in api.calls] == [0, 2000, 0]
    assert raised.value.response.headers["retry-after"] == "30"
    assert not any("anthropic" in name for name in raised.value.response.headers)


@both
@pytest.mark.parametrize(
    ("status", "kind"), [(403, PermissionDeniedError), (404, NotFoundError), (429, RateLimitError)]
)
async def test_a_refusal_has_the_platforms_own_form(
    api: MessagesApi, client_of: Any, status: int, kind: type[APIStatusError]
) -> None:
    api.then(Refuse(status, message="no such luck"))

    async with client_of(api) as client:
        with pytest.raises(kind, match="no such luck") as raised:
            await text(client)

    response = raised.value.response
    if client_of is bedrock:
        assert response.headers["x-amzn-errortype"].partition("Exception")[1]
        assert response.json() == {"message": "no such luck"}
    else:
        assert response.json()["error"]["code"] == status
    assert api.billed == 0


async def test_an_error_in_a_stream_of_bedrock_is_an_exception_frame(api: MessagesApi) -> None:
    api.then(StreamError("rate_limit_error", after="half"))

    async with bedrock(api) as client:
        with pytest.raises(APIStatusError, match="scripted") as raised:
            await text(client)

    assert "throttlingException" in str(raised.value.body)
    assert (api.calls[0].billed, api.calls[0].output_tokens) == (True, 2)


async def test_a_stream_of_bedrock_that_ends_early_has_no_stop(api: MessagesApi) -> None:
    api.then(Break("eof", before_stop=True))
    seen: list[str] = []

    async with bedrock(api) as client:
        messages: Any = client.messages
        async with messages.stream(model=MODEL, max_tokens=9, messages=[{"role": "user", "content": "?"}]) as stream:
            seen += [event.type async for event in stream]

    assert seen[0] == "message_start"
    assert seen[-1] == "message_delta"


async def test_requests_signed_for_aws_are_known_by_their_access_key(api: MessagesApi) -> None:
    client = AsyncAnthropicBedrock(
        aws_access_key="AKID",
        aws_secret_key="s",
        aws_region="eu-west-1",
        base_url=api.url,
        max_retries=0,
        http_client=loopback(),
    )

    async with client:
        await text(client)

    assert api.calls[0].key == "AKID"


async def test_tokens_are_counted_for_vertex(api: MessagesApi) -> None:
    async with vertex(api) as client:
        count = await client.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "x" * 400}])

    assert count.input_tokens == 101
    assert api.calls == []
