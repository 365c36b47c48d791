"""The Messages API as a client sees it: what is sent, what is repeated, and what each failure becomes."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from fakes.messages_api import MessagesApi
from fakes.messages_asks import SUBMIT, Handed, Thinker, Word, quick_policy, word_ask
from fakes.messages_script import Break, Hang, Raw, Refuse, Say, StreamError
from repowright_tools.errors import (
    AnswerMalformed,
    AnswerTruncated,
    ContextTooLarge,
    KeyForbidden,
    KeyRejected,
    ModelError,
    ModelNotFound,
    ModelOverloaded,
    ModelRefused,
    ModelUnreachable,
    NoApiKey,
    PaymentRequired,
    RateLimited,
    RequestRefused,
)
from repowright_tools.events import ModelCallEvent, ModelWaitEvent
from repowright_tools.llm.factory import Models
from repowright_tools.stage import InputRequired, Section
from support.ports import MemoryJournal

pytestmark = pytest.mark.anyio
WORD = {"word": "yes"}


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi() as api:
        yield api


async def think(api: MessagesApi, **changes: Any) -> str:
    answer = await Thinker(quick_policy(api.url, **changes)).think(word_ask())
    return answer.value.word


async def test_a_request_carries_the_schema_the_instructions_and_nothing_the_api_no_longer_takes(
    api: MessagesApi,
) -> None:
    api.answers["Word"] = [WORD]

    thinker = Thinker(quick_policy(api.url))
    answer = await thinker.think(word_ask(Section("Question", "Which word?", untrusted=False)))

    assert (answer.value, answer.provider) == (Word(word="yes"), "anthropic")
    call = api.calls[0]
    assert set(call.body) == {"model", "max_tokens", "system", "messages", "output_config", "stream"}
    assert call.body["model"] == "claude-sonnet-5-5"
    assert call.body["output_config"]["format"]["schema"]["properties"]["word"]["type"] == "string"
    assert call.body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert call.system.endswith("Say a word.")
    assert call.turns == [("user", "## Question\nWhich word?")]
    assert call.key == "key-one-on-loopback"
    event = thinker.events.events[-1]
    assert isinstance(event, ModelCallEvent)
    assert (event.status, event.output_tokens > 0, event.usd is not None and event.usd > 0) == ("COMPLETE", True, True)


async def test_a_plan_is_asked_of_the_stronger_model_unless_one_is_set(api: MessagesApi) -> None:
    api.reply = lambda asked: WORD
    ask = word_ask()
    plan = type(ask)("plan", ask.instructions, ask.context, ask.schema, ask.check)

    await Thinker(quick_policy(api.url)).think(plan)
    await Thinker(quick_policy(api.url, model="claude-haiku-5-5")).think(plan)

    assert [call.body["model"] for call in api.calls] == ["claude-opus-5-5", "claude-haiku-5-5"]


@pytest.mark.parametrize(
    "failure",
    [
        Refuse(429, "rate_limit_error"),
        Refuse(429, "rate_limit_error", headers={"retry-after": "garbage"}),
        Refuse(408, "timeout_error"),
        Refuse(409, "conflict_error"),
        Refuse(500, "api_error"),
        Raw(b"<html>bad gateway</html>", status=502),
        Refuse(503, "api_error"),
        Refuse(504, "timeout_error"),
        Refuse(529, "overloaded_error"),
        Refuse(400, "invalid_request_error", headers={"x-should-retry": "true"}),
        StreamError("overloaded_error"),
        StreamError("overloaded_error", after='{"word": "n'),
        StreamError("api_error"),
        StreamError("rate_limit_error"),
        StreamError("an_error_of_tomorrow"),
        Break("reset"),
        Break("eof"),
        Break("eof", after=json.dumps({"word": "no"}), before_stop=True),
        Raw(b'event: message_start\ndata: {"type": \n\n', content_type="text/event-stream"),
        Raw(b'event: message_start\ndata: "\xff"\n\n', content_type="text/event-stream"),
        Raw(b'event: content_block_stop\ndata: {"type": "content_block_stop", "index": 7}\n\n', "text/event-stream"),
    ],
    ids=str,
)
async def test_a_failure_that_may_pass_is_asked_again_and_a_half_answer_is_thrown_away(
    api: MessagesApi, failure: Any
) -> None:
    """L04, L06, L10."""
    api.answers["Word"] = [failure, failure, WORD]

    assert await think(api) == "yes"
    assert len(api.calls) == 3


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (Refuse(400, "invalid_request_error"), RequestRefused),
        (Refuse(401, "authentication_error"), KeyRejected),
        (Refuse(402, "billing_error"), PaymentRequired),
        (Refuse(403, "permission_error"), KeyForbidden),
        (Refuse(404, "not_found_error"), ModelNotFound),
        (Refuse(413, "request_too_large"), ContextTooLarge),
        (Refuse(422, "invalid_request_error"), RequestRefused),
        (Refuse(429, "rate_limit_error", error_code="enforced_spend_limit_reached"), PaymentRequired),
        (Refuse(429, "rate_limit_error", headers={"x-should-retry": "false"}), RateLimited),
        (Refuse(307, headers={"location": "/elsewhere"}), RequestRefused),
        (StreamError("authentication_error"), KeyRejected),
        (StreamError("invalid_request_error"), RequestRefused),
        (Raw(b"<html>log in to the hotel's network</html>"), AnswerMalformed),
        (Raw(b'{"type": "message"}', content_type="application/json"), AnswerMalformed),
        (Say(text="I will not.", stop_reason="refusal"), ModelRefused),
        (Say(text='{"word": "ye', stop_reason="max_tokens"), AnswerTruncated),
        (Say(WORD, stop_reason="max_tokens"), AnswerTruncated),
        (Say(WORD, stop_reason="model_context_window_exceeded"), ContextTooLarge),
        (Say(WORD, stop_reason="pause_turn"), AnswerMalformed),
        (Say(WORD, stop_reason="tool_use"), AnswerMalformed),
        (Say(WORD, stop_reason="a reason of tomorrow"), AnswerMalformed),
        (Say(WORD, stop_reason=None), AnswerMalformed),
        (Say(text=""), AnswerMalformed),
    ],
    ids=str,
)
async def test_a_failure_that_stays_is_one_request_and_has_its_own_error(
    api: MessagesApi, failure: Any, error: type[ModelError]
) -> None:
    """L05, L09, L10."""
    api.answers["Word"] = [failure, WORD]

    with pytest.raises(error) as raised:
        await think(api)

    assert type(raised.value) is error
    assert len(api.calls) == 1


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (Refuse(429, "rate_limit_error"), RateLimited),
        (Refuse(529, "overloaded_error"), ModelOverloaded),
        (Refuse(500, "api_error"), ModelOverloaded),
        (Break("reset"), ModelUnreachable),
        (Break("eof"), ModelUnreachable),
        (Raw(b"event: ping\ndata: {\n\nevent: x\ndata: {\n\n", content_type="text/event-stream"), AnswerMalformed),
    ],
    ids=str,
)
async def test_the_number_of_requests_is_one_and_the_retries_and_no_more(
    api: MessagesApi, failure: Any, error: type[ModelError]
) -> None:
    """L04. There is one retry layer: the SDK's own is off."""
    api.reply = lambda asked: failure

    with pytest.raises(error) as raised:
        await think(api, max_retries=2)

    assert raised.value.retryable
    assert len(api.calls) == 3


async def test_waits_between_requests_grow(api: MessagesApi) -> None:
    """L04."""
    api.answers["Word"] = [Refuse(529), Refuse(529), Refuse(529), WORD]

    await think(api, retry_initial_wait_s=0.05)

    at = [call.at for call in api.calls]
    first, second, third = (later - earlier for earlier, later in pairwise(at))
    assert first >= 0.05
    assert second >= 0.1
    assert third >= 0.2


def _in_two_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize(
    ("header", "value", "at_least"),
    [("retry-after", "1", 1.0), ("retry-after-ms", "300", 0.3), ("retry-after", None, 0.9)],
    ids=["seconds", "milliseconds", "date"],
)
async def test_the_wait_the_provider_asks_for_is_obeyed(
    api: MessagesApi, header: str, value: str | None, at_least: float
) -> None:
    """L01."""
    api.answers["Word"] = [Refuse(429, "rate_limit_error", headers={header: value or _in_two_seconds()}), WORD]

    assert await think(api, retry_max_wait_s=3.0) == "yes"

    assert len(api.calls) == 2
    assert api.calls[1].at - api.calls[0].at >= at_least


async def test_a_wait_of_a_day_is_not_slept(api: MessagesApi) -> None:
    """L01."""
    api.answers["Word"] = [Refuse(429, "rate_limit_error", headers={"retry-after": "86400"}), WORD]

    with anyio.fail_after(5), pytest.raises(RateLimited) as raised:
        await think(api)

    assert raised.value.retry_at is not None
    assert raised.value.retry_at > datetime.now(UTC) + timedelta(hours=23)
    assert len(api.calls) == 1


async def test_cancelling_during_a_wait_returns_at_once(api: MessagesApi) -> None:
    """L16."""
    api.reply = lambda asked: Refuse(529, headers={"retry-after": "30"})
    thinker = Thinker(quick_policy(api.url, retry_max_wait_s=60.0))
    began = 0.0

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(thinker.think, word_ask())
            while not (thinker.events.events and isinstance(thinker.events.events[-1], ModelWaitEvent)):
                await anyio.lowlevel.checkpoint()
            began = anyio.current_time()
            group.cancel_scope.cancel()

    assert anyio.current_time() - began < 1
    event = thinker.events.events[-1]
    assert isinstance(event, ModelWaitEvent)
    assert event.seconds == pytest.approx(30)
    assert len(api.calls) == 1


async def test_a_call_that_is_cancelled_says_so(api: MessagesApi) -> None:
    """L16."""
    api.reply = lambda asked: Hang(after='{"word": ')
    thinker = Thinker(quick_policy(api.url))

    async with anyio.create_task_group() as group:
        group.start_soon(thinker.think, word_ask())
        await anyio.to_thread.run_sync(api.wait_for, 1)
        group.cancel_scope.cancel()

    assert [event.status for event in thinker.events.events if isinstance(event, ModelCallEvent)] == ["CANCELLED"]


@pytest.mark.parametrize("stall", [Hang(), Hang(after='{"word": ')], ids=["before headers", "mid-answer"])
async def test_a_stalled_answer_is_given_up_and_asked_again(api: MessagesApi, stall: Hang) -> None:
    api.answers["Word"] = [stall, WORD]

    assert await think(api, timeout_s=0.3) == "yes"
    assert len(api.calls) == 2


async def test_a_stall_without_end_is_a_named_error(api: MessagesApi) -> None:
    api.reply = lambda asked: Hang()

    with pytest.raises(ModelUnreachable, match="in time"):
        await think(api, timeout_s=0.2, max_retries=1)


async def test_nobody_listening_is_a_named_error() -> None:
    with MessagesApi() as gone:
        url = gone.url

    with pytest.raises(ModelUnreachable):
        await Thinker(quick_policy(url, max_retries=1)).think(word_ask())


async def test_without_a_key_nothing_is_sent(api: MessagesApi) -> None:
    with pytest.raises(NoApiKey):
        await think(api, keys=())

    assert api.ledger == []


async def test_the_key_is_in_no_error_repr_or_event(api: MessagesApi) -> None:
    """K02. The endpoint tells the key back, as a debugging proxy might."""
    key = "a-key-of-no-known-shape-4711"
    api.answers["Word"] = [Refuse(400, message=f"cannot use {key}")]
    policy = quick_policy(api.url, keys=(key,))
    thinker = Thinker(policy)

    with pytest.raises(RequestRefused) as raised:
        await thinker.think(word_ask())

    assert api.calls[0].key == key
    assert key not in f"{raised.value} {raised.value!r} {policy!r} {thinker.events.events}"


async def test_a_refused_answer_is_mended_in_the_same_conversation(api: MessagesApi) -> None:
    api.answers["Word"] = [{"word": "no"}, Say(text="not json"), {"wrong": 1}, WORD]

    answer = await Thinker(quick_policy(api.url)).think(word_ask(expected="yes"))

    assert answer.value.word == "yes"
    assert [rejected.value for rejected in answer.rejected] == [Word(word="no"), None, None]
    turns = api.calls[-1].turns
    assert [role for role, _ in turns] == ["user", "assistant", "user", "assistant", "user", "assistant", "user"]
    assert json.loads(turns[1][1]) == {"word": "no"}
    assert "'no' is not the word" in turns[2][1]
    assert turns[3][1] == "not json"
    assert "word: Field required" in turns[6][1]


async def test_an_answer_that_was_paid_for_and_is_useless_is_journalled_once_and_asked_anew_later(
    api: MessagesApi,
) -> None:
    """L09. Its cost is in the journal; the answer is not, so that a later attempt is not bound to it."""
    api.answers["Word"] = [Say(WORD, stop_reason="max_tokens", output_tokens=900), WORD]
    thinker = Thinker(quick_policy(api.url))

    with pytest.raises(AnswerTruncated):
        await thinker.think(word_ask())
    answer = await thinker.think(word_ask())

    assert answer.value.word == "yes"
    assert next(event.output_tokens for event in thinker.events.events if isinstance(event, ModelCallEvent)) == 900
    assert len(api.calls) == 2


async def test_a_caller_may_answer_even_where_a_key_is_set(api: MessagesApi) -> None:
    answer = await Thinker(quick_policy(api.url), WORD).think(word_ask())

    assert (answer.value.word, answer.provider) == ("yes", "host")
    assert api.calls == []


async def test_a_resumed_attempt_pays_for_no_answer_that_was_journalled(api: MessagesApi) -> None:
    """D01. The second answer is missing when the first attempt ends; only it is asked for afterwards."""
    api.answers["Word"] = [{"word": "no"}, Refuse(401), WORD]
    first = Thinker(quick_policy(api.url))
    with pytest.raises(KeyRejected):
        await first.think(word_ask(expected="yes"))

    second = Thinker(quick_policy(api.url), journal=first.journal)
    answer = await second.think(word_ask(expected="yes"))

    assert answer.value.word == "yes"
    assert api.billed == 2
    assert len(api.calls) == 3


@pytest.mark.parametrize("text", ["[" * 700 + "]" * 700, '{"word": 1e999}'], ids=["too deep", "too large a number"])
async def test_an_answer_that_could_not_be_written_down_is_refused_and_mended(api: MessagesApi, text: str) -> None:
    """It was paid for: nothing may trip over it, and the journal must stay JSON."""
    api.answers["Word"] = [Say(text=text), WORD]

    answer = await Thinker(quick_policy(api.url)).think(word_ask())

    assert answer.value.word == "yes"
    assert ["not valid JSON" in each.findings[0] for each in answer.rejected] == [True]


@pytest.mark.parametrize("provider", ["anthropic", "host"])
async def test_events_are_emitted_where_they_are_listened_to(api: MessagesApi, provider: str) -> None:
    """Sinks wake those who wait, which no other thread may do."""
    api.reply = lambda asked: WORD
    told: dict[str, int] = {}

    class Sink:
        def emit(self, event: object) -> None:
            told[type(event).__name__] = threading.get_ident()

    models = Models(quick_policy(api.url, provider=provider, max_call_input_tokens=3_000))
    model = models.model(
        stage="plan_feature", run="r", journal=MemoryJournal(), events=Sink(), submissions=Handed(), submit=SUBMIT
    )
    with suppress(InputRequired):
        await model.think(word_ask(Section("Question", "Which?"), Section("Much", "word of words\n" * 9_000)))
    await models.aclose()

    assert "ContextShortenedEvent" in told
    assert set(told.values()) == {threading.get_ident()}
