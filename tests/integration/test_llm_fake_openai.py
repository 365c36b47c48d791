"""The fake endpoint for chat completions keeps its promises to the official client."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError, AsyncOpenAI, RateLimitError

from fakes.messages_client import loopback
from fakes.messages_script import Break, Hang, Raw, Refuse, Say, StreamError
from fakes.openai_api import OpenAiApi

pytestmark = pytest.mark.anyio
MODEL = "a-local-code-model"
FORMAT = {"type": "json_schema", "json_schema": {"name": "word", "schema": {"title": "Word"}, "strict": True}}


@pytest.fixture
def api() -> Iterator[OpenAiApi]:
    with OpenAiApi() as api:
        yield api


def client_of(api: OpenAiApi, timeout_s: float = 5.0) -> AsyncOpenAI:
    return AsyncOpenAI(api_key="k", base_url=api.base_url, max_retries=0, http_client=loopback(timeout_s))


async def chunks(api: OpenAiApi, *, usage: bool = True, timeout_s: float = 5.0) -> list[Any]:
    """What one streamed answer consists of."""
    request: dict[str, Any] = {
        "model": MODEL,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "?"}],
        "response_format": FORMAT,
        "stream": True,
    }
    if usage:
        request["stream_options"] = {"include_usage": True}
    async with client_of(api, timeout_s) as client:
        create: Any = client.chat.completions.create
        async with await create(**request) as stream:
            return [chunk async for chunk in stream]


def text(received: list[Any]) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in received if chunk.choices)


async def test_an_answer_is_found_by_the_title_of_its_schema_and_streamed(api: OpenAiApi) -> None:
    api.answers["Word"] = [Say({"word": "yes"}, input_tokens=20, output_tokens=7, cache_read_input_tokens=30)]

    received = await chunks(api)

    assert text(received) == '{"word": "yes"}'
    assert [chunk.choices[0].finish_reason for chunk in received if chunk.choices][-1] == "stop"
    usage = received[-1].usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.prompt_tokens_details.cached_tokens) == (50, 7, 30)
    assert not any(chunk.usage for chunk in received[:-1])
    call = api.calls[0]
    assert (call.key, call.model, call.system, call.turns) == ("k", MODEL, "Be brief.", [("user", "?")])
    assert (call.billed, call.status, call.input_tokens, call.output_tokens) == (True, 200, 20, 7)


async def test_usage_is_told_only_where_it_is_asked_for(api: OpenAiApi) -> None:
    api.reply = lambda asked: {"word": "yes"}

    assert not any(chunk.usage for chunk in await chunks(api, usage=False))


async def test_an_answer_is_also_given_as_one_body(api: OpenAiApi) -> None:
    api.reply = lambda asked: Say(text="hello", output_tokens=3)

    async with client_of(api) as client:
        answer = await client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "?"}])

    assert answer.choices[0].message.content == "hello"
    assert answer.usage is not None
    assert (answer.usage.completion_tokens, api.billed) == (3, 1)


@pytest.mark.parametrize(
    ("stop_reason", "finish"),
    [("max_tokens", "length"), ("content_filter", "content_filter"), ("tool_use", "tool_calls"), (None, None)],
)
async def test_every_way_to_stop_has_its_name_in_this_protocol(
    api: OpenAiApi, stop_reason: str | None, finish: str | None
) -> None:
    api.then(Say(text="half", stop_reason=stop_reason))

    assert [chunk.choices[0].finish_reason for chunk in await chunks(api) if chunk.choices][-1] == finish


async def test_a_refusal_by_the_model_comes_in_a_field_of_its_own(api: OpenAiApi) -> None:
    api.then(Say(text="I will not.", stop_reason="refusal"))

    received = await chunks(api)

    assert text(received) == ""
    assert "".join(chunk.choices[0].delta.refusal or "" for chunk in received if chunk.choices) == "I will not."


async def test_errors_have_their_form_and_are_not_billed(api: OpenAiApi) -> None:
    api.then(Refuse(429, "insufficient_quota", "pay first", "insufficient_quota", {"retry-after": "7"}))

    with pytest.raises(RateLimitError, match="pay first") as raised:
        await chunks(api)
    with pytest.raises(APIStatusError, match="nothing answers a request for Word"):
        await chunks(api)

    assert (raised.value.code, raised.value.type) == ("insufficient_quota", "insufficient_quota")
    assert raised.value.response.headers["retry-after"] == "7"
    assert (api.billed, api.refused_429) == (0, 1)


async def test_a_bucket_that_is_empty_refuses(api: OpenAiApi) -> None:
    api.organisations = {"k": "org-a"}
    api.limit("org-a", requests_per_minute=1)
    api.reply = lambda asked: {"word": "yes"}
    await chunks(api)

    with pytest.raises(RateLimitError) as raised:
        await chunks(api)

    assert raised.value.code == "rate_limit_exceeded"
    assert 58 <= int(raised.value.response.headers["retry-after"]) <= 60


async def test_a_stream_breaks_and_stalls_as_told(api: OpenAiApi) -> None:
    api.then(StreamError("server_error", after="ha"), Break("reset"), Hang(after="ha"), Hang())

    with pytest.raises(APIError, match="scripted"):
        await chunks(api)
    with pytest.raises(APIConnectionError):
        await chunks(api)
    for _ in range(2):
        with pytest.raises(APITimeoutError):
            await chunks(api, timeout_s=0.2)

    assert [(call.billed, call.output_tokens) for call in api.calls] == [(True, 1), (True, 3), (True, 1), (False, 0)]


async def test_a_clean_end_too_early_shows_only_by_what_is_missing(api: OpenAiApi) -> None:
    api.then(Break("eof", after="half"))

    received = await chunks(api)

    assert text(received) == "half"
    assert not any(chunk.choices[0].finish_reason for chunk in received)


async def test_a_page_in_place_of_an_answer_is_passed_on(api: OpenAiApi) -> None:
    api.then(Raw(b"<html>log in</html>"))

    assert await chunks(api) == []
    assert api.billed == 0


async def test_models_are_listed_and_not_billed(api: OpenAiApi) -> None:
    async with client_of(api) as client:
        names = [model.id async for model in client.models.list()]

    assert names == api.models
    assert (api.calls, len(api.ledger)) == ([], 1)
