"""What every provider sends, and how: one request on a connection that is kept, and given up when nobody waits."""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from fakes.bedrock_events import BedrockDialect
from fakes.messages_api import MessagesApi
from fakes.messages_script import Hang, Raw, Say
from fakes.openai_api import OpenAiApi
from repowright_tools.errors import ModelUnreachable, StateUnavailable
from repowright_tools.llm.anthropic import AnthropicProvider
from repowright_tools.llm.openai import OpenAIProvider
from repowright_tools.llm.provider import Exchange, Usage
from support.google_account import TOKEN, google_account
from support.providers import (
    KEY,
    MAX_TOKENS,
    MODEL,
    PROVIDERS,
    Fakes,
    Subject,
    base_url,
    credentials,
    fakes,
    policy_of,
    subject,
    subject_of,
    word_request,
)

__all__ = ["credentials", "fakes", "google_account", "subject"]

pytestmark = pytest.mark.anyio
WORD = {"word": "yes"}
FIRST, SECOND = Exchange('{"word": "no"}', ["'no' is not the word"]), Exchange(" ", ["not JSON", "empty"])


async def test_a_request_has_the_instructions_the_context_the_schema_and_the_limit(subject: Subject) -> None:
    subject.api.then(WORD)

    await subject.send()

    call = subject.api.calls[0]
    assert (call.model, call.stream, call.schema) == (MODEL, True, "Word")
    assert call.system == "Say a word."
    assert "".join(call.turns[0][1].split()) == "Amap.Whichword?"
    assert call.body["max_tokens"] == MAX_TOKENS
    assert call.key == {"bedrock": "AKID", "vertex": TOKEN}.get(subject.name, KEY)


async def test_earlier_answers_and_what_was_wrong_with_them_are_turns_of_one_conversation(subject: Subject) -> None:
    subject.api.then(WORD)

    await subject.send(word_request(FIRST, SECOND))

    turns = subject.api.calls[0].turns
    assert [role for role, _ in turns] == ["user", "assistant", "user", "assistant", "user"]
    assert [turns[1][1], turns[3][1]] == ['{"word": "no"}', "(no answer)"]
    assert "'no' is not the word" in turns[2][1]
    assert turns[4][1].endswith("- not JSON\n- empty")


def breakpoints(body: Any) -> int:
    return json.dumps(body).count('"cache_control"')


@pytest.mark.parametrize(
    ("context", "exchanges", "expected"),
    [(("a",), (), 2), (("a", "b"), (), 3), (("a", "b", "c", "d"), (FIRST, SECOND), 4), (("", "b"), (FIRST,), 3)],
    ids=str,
)
async def test_what_repeats_is_marked_for_the_cache_in_at_most_four_places(
    subject: Subject, context: tuple[str, ...], exchanges: tuple[Exchange, ...], expected: int
) -> None:
    if subject.name == "openai":
        expected = 0  # its caches need no marks
    subject.api.then(WORD)

    await subject.send(word_request(*exchanges, context=context))

    call = subject.api.calls[0]
    assert breakpoints(call.body) == expected
    assert all(text for _, text in call.turns)


@pytest.mark.parametrize("name", ["anthropic", "bedrock", "vertex"])
async def test_a_second_round_and_another_ask_read_what_they_share_from_the_cache(
    name: str, fakes: Fakes, credentials: None
) -> None:
    with MessagesApi() as api:
        api.min_cache_tokens = 1
        api.reply = lambda asked: WORD
        provider = PROVIDERS[name](policy_of(name, base_url(name, api.url)))
        subject = Subject(name, api, provider)
        shared = "the map of the repository " * 40

        first = await subject.send(word_request(context=(shared, "one question")))
        again = await subject.send(word_request(FIRST, context=(shared, "one question")))
        other = await subject.send(word_request(context=(shared, "another question")))
        await provider.aclose()

    assert first.usage.cached_input_tokens == 0
    assert again.usage.cached_input_tokens >= 0.9 * first.usage.input_tokens
    assert other.usage.cached_input_tokens >= len(shared) // 4


async def test_headers_are_told_while_the_answer_is_still_on_its_way(subject: Subject) -> None:
    subject.api.then(Hang(after='{"word": '))
    heard = anyio.Event()

    async def opened(headers: Any) -> None:
        assert headers["content-type"]
        heard.set()

    async def send() -> None:
        await subject.provider.send(word_request(), MODEL, subject.key, opened)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(send)
            await heard.wait()
            group.cancel_scope.cancel()


async def test_a_failure_of_whoever_is_told_the_headers_is_not_taken_for_one_of_the_service(subject: Subject) -> None:
    subject.api.then(WORD)

    async def opened(headers: Any) -> None:
        raise StateUnavailable("the disk is full")

    with pytest.raises(StateUnavailable):
        await subject.provider.send(word_request(), MODEL, subject.key, opened)


async def test_two_requests_at_once_each_tell_their_own_headers(subject: Subject) -> None:
    numbers = count(1)
    subject.api.reply = lambda asked: Say({"word": str(next(numbers))})
    pairs: list[tuple[str | None, list[str]]] = []

    async def send() -> None:
        one = Subject(subject.name, subject.api, subject.provider)
        reply = await one.send()
        pairs.append((reply.request_id, list(one.told[0].values())))

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(send)
    subject.api.reply = None

    assert len({name for name, _ in pairs}) == 5
    assert all(name in values for name, values in pairs)


class Line:
    """A server that says what it is told to on every connection, and knows when the other side has hung up."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = answers
        self.connections = 0
        self.asked = anyio.Event()
        self.hung_up = anyio.Event()

    async def serve(self, stream: SocketStream) -> None:
        self.connections += 1
        async with stream:
            try:
                for answer in self.answers:
                    await _request(stream)
                    await stream.send(answer)
                    self.asked.set()
                await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                self.hung_up.set()


async def _request(stream: SocketStream) -> None:
    """Read a request with a body whose length is told."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive()
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.splitlines()[1:])
    while len(body) < int(fields[b"content-length"]):
        body += await stream.receive()


async def on_line(name: str, line: Line, act: Callable[[Subject], Any]) -> None:
    """Run `act` with a provider that calls this line."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, line.serve)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        provider = PROVIDERS[name](policy_of(name, base_url(name, f"http://127.0.0.1:{port}")))
        with MessagesApi() as unused:
            await act(Subject(name, unused, provider))
        await provider.aclose()
        group.cancel_scope.cancel()


STREAMING = "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n\r\n"
KINDS = {"bedrock": "application/vnd.amazon.eventstream"}


@pytest.mark.parametrize("when", ["before the headers", "in mid-answer"])
@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_cancelled_request_hangs_up_at_once(name: str, when: str, credentials: None) -> None:
    head = STREAMING.format(kind=KINDS.get(name, "text/event-stream")).encode()
    line = Line(b"" if when == "before the headers" else head)

    async def cancel(subject: Subject) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(subject.send)
            await line.asked.wait()
            group.cancel_scope.cancel()
        with anyio.fail_after(1):
            await line.hung_up.wait()

    with anyio.fail_after(10):
        await on_line(name, line, cancel)


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_connection_is_kept_for_the_next_request_and_closed_with_the_provider(
    name: str, credentials: None
) -> None:
    refusal = b"HTTP/1.1 503 No\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    line = Line(refusal, refusal)

    async def twice(subject: Subject) -> None:
        await subject.fail()
        await subject.fail()
        assert not line.hung_up.is_set()
        await subject.provider.aclose()
        await line.hung_up.wait()

    with anyio.fail_after(10):
        await on_line(name, line, twice)

    assert line.connections == 1


@pytest.mark.parametrize("name", PROVIDERS)
async def test_a_refusal_whose_reason_never_arrives_is_a_refusal(name: str, credentials: None) -> None:
    head = b"HTTP/1.1 429 No\r\ncontent-type: application/json\r\nretry-after: 7\r\ncontent-length: 99\r\n\r\n{"

    class Cut(Line):
        async def serve(self, stream: SocketStream) -> None:
            async with stream:
                await _request(stream)
                await stream.send(head)

    async def once(subject: Subject) -> None:
        failed = await subject.fail()
        assert (failed.status, failed.wait_s, failed.billed) == (429, 7.0, Usage())

    with anyio.fail_after(10):
        await on_line(name, Cut(), once)


@pytest.mark.parametrize("name", PROVIDERS)
async def test_nobody_listening_is_a_failure_that_costs_nothing(name: str, credentials: None) -> None:
    with MessagesApi() as gone:
        provider = PROVIDERS[name](policy_of(name, base_url(name, gone.url)))
    subject = Subject(name, gone, provider)

    failed = await subject.fail()
    counted = await provider.count(word_request(), MODEL, subject.key)
    await provider.aclose()

    assert isinstance(failed.failure, ModelUnreachable)
    assert (failed.blame, failed.may_pass, failed.billed, failed.status) == ("service", True, Usage(), None)
    assert counted is None


async def test_input_is_counted_where_the_provider_can(subject: Subject) -> None:
    subject.api.then(WORD)
    await subject.send()

    counted = await subject.provider.count(word_request(FIRST), MODEL, subject.key)

    assert (counted is not None and counted > 10) == (subject.name in ("anthropic", "vertex"))
    assert len(subject.api.calls) == len(subject.told) == 1


async def test_bedrocks_answers_are_by_the_model_that_was_asked_for(fakes: Fakes, credentials: None) -> None:
    """They name the bare model, which has another price than a global or regional id of it."""
    frame, asked = BedrockDialect().frame, "global.anthropic.claude-sonnet-5-5"
    usage = {"input_tokens": 5, "output_tokens": 1}
    message: dict[str, Any] = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [],
        "usage": usage,
    }
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '{"word": "yes"}'}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ]
    async with subject_of("bedrock", fakes) as subject:
        subject.api.then(Raw(b"".join(frame(event) for event in events), "application/vnd.amazon.eventstream"))

        reply = await subject.provider.send(word_request(), asked, "", subject.opened)

    assert (reply.answer, reply.model, subject.api.calls[0].model) == (WORD, asked, asked)


async def test_several_keys_are_sent_as_they_are_chosen() -> None:
    with MessagesApi() as api:
        api.reply = lambda asked: WORD
        provider = AnthropicProvider(policy_of("anthropic", api.url, keys=("one", "two")))
        told = Subject("anthropic", api, provider)
        for key in provider.keys:
            await provider.send(word_request(), MODEL, key, told.opened)
        await provider.aclose()

    assert [call.key for call in api.calls] == ["one", "two"]


async def test_a_chat_completion_asks_for_every_field_of_the_schema_and_for_no_other() -> None:
    with OpenAiApi() as api:
        api.then(WORD)
        provider = OpenAIProvider(policy_of("openai", api.base_url))
        await Subject("openai", api, provider).send()
        await provider.aclose()

    answer_format = api.calls[0].body["response_format"]["json_schema"]
    assert answer_format["strict"] is True
    assert answer_format["schema"]["required"] == ["word"]
    assert answer_format["schema"]["additionalProperties"] is False
    assert "default" not in answer_format["schema"]["properties"]["word"]


async def test_an_endpoint_of_ones_own_needs_no_key_and_is_sent_none() -> None:
    with OpenAiApi() as api:
        api.then(WORD)
        provider = OpenAIProvider(policy_of("openai", api.base_url, keys=()))
        await Subject("openai", api, provider).send()
        await provider.aclose()

    assert provider.keys == ("",)
    assert "authorization" not in api.calls[0].headers
