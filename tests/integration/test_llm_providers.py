"""What every provider makes of what comes back: the conformance suite. One request each, whatever happens."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from fakes import messages_wire as wire
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
    PaymentRequired,
    RateLimited,
    RequestRefused,
)
from repowright_tools.llm.failure import Blame
from repowright_tools.llm.provider import Usage
from repowright_tools.secrets import register_secret
from support.google_account import google_account
from support.providers import (
    KEY,
    MAX_TOKENS,
    MODEL,
    PROVIDERS,
    Fakes,
    Subject,
    credentials,
    fakes,
    subject,
    subject_of,
)

__all__ = ["credentials", "fakes", "google_account", "subject"]

pytestmark = pytest.mark.anyio
WORD = {"word": "yes"}
NOTHING = Usage()


class Outcome(NamedTuple):
    """What a failure must be."""

    error: type[ModelError]
    blame: Blame
    may_pass: bool


@pytest.fixture(params=PROVIDERS)
async def impatient(request: pytest.FixtureRequest, fakes: Fakes, credentials: None) -> AsyncIterator[Subject]:
    async with subject_of(request.param, fakes, timeout_s=0.2) as subject:
        yield subject


async def fails(subject: Subject, step: Any, expected: Outcome) -> Usage | None:
    """Send one request, expect this failure, and return what is billed."""
    subject.api.then(step)

    failed = await subject.fail()

    assert Outcome(type(failed.failure), failed.blame, failed.may_pass) == expected
    assert len(subject.api.calls) == 1
    return failed.billed


def begun(subject: Subject) -> Usage | None:
    """What is known of the price of an answer that broke off: chat completions say nothing before their end."""
    if subject.name == "openai":
        return None
    return Usage(subject.api.calls[0].usage.input_tokens, MAX_TOKENS)


async def test_an_answer_comes_with_its_usage_its_model_and_its_name(subject: Subject) -> None:
    subject.api.then(
        Say(WORD, input_tokens=100, output_tokens=7, cache_read_input_tokens=800, cache_creation_input_tokens=50)
    )

    reply = await subject.send()

    written = 0 if subject.name == "openai" else 50  # the fake's chat completions do not tell
    assert (reply.answer, reply.model) == (WORD, MODEL)
    assert reply.usage == Usage(950, 7, 800, written)
    assert reply.request_id is not None
    assert reply.request_id in subject.told[0].values()
    assert len(subject.api.calls) == len(subject.told) == 1


async def test_an_answer_that_is_no_json_is_handed_on_as_text(subject: Subject) -> None:
    subject.api.then(Say(text="not json"))

    assert (await subject.send()).answer == "not json"


REFUSALS = {
    400: Outcome(RequestRefused, "request", False),
    401: Outcome(KeyRejected, "key", False),
    402: Outcome(PaymentRequired, "organisation", False),
    403: Outcome(KeyForbidden, "key", False),
    404: Outcome(ModelNotFound, "request", False),
    408: Outcome(ModelOverloaded, "service", True),
    409: Outcome(ModelOverloaded, "request", True),
    413: Outcome(ContextTooLarge, "request", False),
    422: Outcome(RequestRefused, "request", False),
    424: Outcome(ModelOverloaded, "service", True),
    429: Outcome(RateLimited, "organisation", True),
    500: Outcome(ModelOverloaded, "service", True),
    503: Outcome(ModelOverloaded, "service", True),
    504: Outcome(ModelOverloaded, "service", True),
    529: Outcome(ModelOverloaded, "service", True),
}


@pytest.mark.parametrize("status", REFUSALS)
async def test_a_refusal_costs_nothing_and_is_told_apart_by_its_status(subject: Subject, status: int) -> None:
    subject.api.then(Refuse(status, "a_type_of_tomorrow", "because"))

    failed = await subject.fail()

    assert Outcome(type(failed.failure), failed.blame, failed.may_pass) == REFUSALS[status]
    assert (failed.status, failed.billed) == (status, NOTHING)
    assert "because" in failed.failure.message
    assert failed.request_id is not None
    assert failed.request_id in subject.told[0].values()
    assert len(subject.api.calls) == len(subject.told) == 1


async def test_a_proxys_page_with_an_error_status_is_a_refusal(subject: Subject) -> None:
    step = Raw(b"<html>bad gateway</html>", status=502)

    assert await fails(subject, step, Outcome(ModelOverloaded, "service", True)) == NOTHING


@pytest.mark.parametrize(("status", "header"), [(429, "false"), (400, "true")])
async def test_what_the_provider_says_of_a_repetition_is_obeyed(subject: Subject, status: int, header: str) -> None:
    expected = REFUSALS[status]._replace(may_pass=header == "true")

    await fails(subject, Refuse(status, headers={"x-should-retry": header}), expected)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [({"retry-after": "7"}, 7.0), ({"retry-after-ms": "300"}, 0.3), ({"retry-after": "soon"}, None), ({}, None)],
    ids=str,
)
async def test_the_wait_that_the_provider_asks_for_is_passed_on(
    subject: Subject, headers: dict[str, str], wait_s: float | None
) -> None:
    subject.api.then(Refuse(429, headers=headers))

    assert (await subject.fail()).wait_s == wait_s


SPENT = {
    "anthropic": Refuse(429, error_code="enforced_spend_limit_reached", headers={"x-should-retry": "true"}),
    "vertex": None,  # Google's own refusals have no such code
    "bedrock": None,  # neither have those of AWS
    "openai": Refuse(429, "insufficient_quota", error_code="insufficient_quota"),
}


async def test_a_limit_of_spending_is_no_limit_of_rate(subject: Subject) -> None:
    step = SPENT[subject.name]
    if step is None:
        pytest.skip("this provider has no code for it")

    assert await fails(subject, step, Outcome(PaymentRequired, "organisation", False)) == NOTHING


async def test_a_prompt_that_is_too_long_by_the_errors_code_is_too_large(subject: Subject) -> None:
    if subject.name != "openai":
        pytest.skip("the Messages API has no code for it: a status 400 without one is a refused request")

    step = Refuse(400, "invalid_request_error", error_code="context_length_exceeded")
    assert await fails(subject, step, Outcome(ContextTooLarge, "request", False)) == NOTHING


async def test_a_redirect_is_not_followed(subject: Subject) -> None:
    step = Refuse(307, headers={"location": f"{subject.api.url}/v1/messages"})

    assert await fails(subject, step, Outcome(RequestRefused, "request", False)) == NOTHING
    assert len(subject.api.ledger) == 1


STREAM_ERRORS = {
    "overloaded_error": Outcome(ModelOverloaded, "service", True),
    "api_error": Outcome(ModelOverloaded, "service", True),
    "timeout_error": Outcome(ModelOverloaded, "service", True),
    "rate_limit_error": Outcome(RateLimited, "organisation", True),
    "invalid_request_error": Outcome(RequestRefused, "request", False),
    "an_error_of_tomorrow": Outcome(ModelOverloaded, "service", True),
}


@pytest.mark.parametrize("name", STREAM_ERRORS)
async def test_an_error_in_mid_stream_is_told_apart_by_its_type(subject: Subject, name: str) -> None:
    billed = await fails(subject, StreamError(name), STREAM_ERRORS[name])

    assert billed == begun(subject)


@pytest.mark.parametrize(("code", "status"), [("502", 502), ("402", 402), ('"server_error"', 500)])
async def test_a_router_says_in_the_stream_which_status_it_met(subject: Subject, code: str, status: int) -> None:
    if subject.name != "openai":
        pytest.skip("errors of the Messages API have types, not statuses")
    body = f'data: {{"error": {{"message": "upstream", "code": {code}}}}}\n\n'.encode()
    subject.api.then(Raw(body, "text/event-stream"))

    failed = await subject.fail()

    outcome = Outcome(type(failed.failure), failed.blame, failed.may_pass)
    assert (failed.status, outcome, failed.billed) == (status, REFUSALS.get(status, REFUSALS[503]), NOTHING)


async def test_an_error_of_no_known_shape_is_one_of_the_service(subject: Subject) -> None:
    if subject.name == "bedrock":
        pytest.skip("the type of an error is a header of its frame, which is text")
    body = b'event: error\ndata: {"type": "error", "error": {"type": ["x"], "message": {"a": 1}, "code": [9]}}\n\n'

    step = Raw(body, "text/event-stream")
    assert await fails(subject, step, Outcome(ModelOverloaded, "service", True)) == NOTHING


async def test_a_gateway_that_gave_up_in_mid_stream_is_known_by_its_type(subject: Subject) -> None:
    subject.api.then(StreamError("timeout_error"))

    assert (await subject.fail()).status == (408 if subject.name == "bedrock" else 504)


@pytest.mark.parametrize("how", ["reset", "eof"])
async def test_half_an_answer_is_no_answer_and_costs_at_most_all_of_it(subject: Subject, how: str) -> None:
    billed = await fails(subject, Break(how), Outcome(ModelUnreachable, "service", True))

    assert billed == begun(subject)


async def test_an_answer_without_its_last_event_is_no_answer(subject: Subject) -> None:
    if subject.name == "openai":
        pytest.skip("a chat completion is complete when its reason to finish and its usage are there")

    step = Break("eof", after='{"word": "no"}', before_stop=True)
    billed = await fails(subject, step, Outcome(ModelUnreachable, "service", True))

    usage = subject.api.calls[0].usage
    assert billed == Usage(usage.input_tokens, usage.output_tokens)  # it had stopped: the figures are final


async def test_figures_in_mid_answer_are_not_final(subject: Subject) -> None:
    if subject.name not in ("anthropic", "vertex"):
        pytest.skip("chat completions have none; Bedrock's frames carry the same events")
    usage = {"input_tokens": 5, "output_tokens": 1}
    start = wire.sse({"type": "message_start", "message": {"model": MODEL, "usage": usage}})
    delta = wire.sse({"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 3}})

    step = Raw(start + delta, "text/event-stream")
    billed = await fails(subject, step, Outcome(ModelUnreachable, "service", True))

    assert billed == Usage(5, MAX_TOKENS)


async def test_a_reset_before_the_headers_may_have_cost_anything(subject: Subject) -> None:
    assert await fails(subject, Break("reset", after=None), Outcome(ModelUnreachable, "service", True)) is None
    assert subject.told == []


async def test_silence_before_the_headers_is_given_up_and_may_have_cost_anything(impatient: Subject) -> None:
    assert await fails(impatient, Hang(), Outcome(ModelUnreachable, "service", True)) is None


async def test_silence_in_mid_answer_is_given_up(impatient: Subject) -> None:
    billed = await fails(impatient, Hang(after='{"word": '), Outcome(ModelUnreachable, "service", True))

    assert billed == begun(impatient)


@pytest.mark.parametrize(
    "step",
    [Raw(b"<html>log in to the hotel's network</html>"), Raw(b'{"type": "message"}', content_type="application/json")],
    ids=["a portal's page", "no stream"],
)
async def test_a_page_instead_of_an_answer_is_not_asked_for_again(subject: Subject, step: Raw) -> None:
    assert await fails(subject, step, Outcome(AnswerMalformed, "service", False)) is None


@pytest.mark.parametrize("data", [b'{"type": ', b'"\xff"', b"[]", b'{"type": "message_start"}'], ids=repr)
async def test_a_stream_that_makes_no_sense_is_asked_for_again(subject: Subject, data: bytes) -> None:
    subject.api.then(subject.event(data))

    failed = await subject.fail()

    assert isinstance(failed.failure, AnswerMalformed | ModelUnreachable)
    assert (failed.blame, failed.may_pass, failed.billed) == ("service", True, None)
    assert len(subject.api.calls) == 1


USELESS = {
    "refusal": Outcome(ModelRefused, "request", False),
    "max_tokens": Outcome(AnswerTruncated, "request", False),
    "model_context_window_exceeded": Outcome(ContextTooLarge, "request", False),
    "tool_use": Outcome(AnswerMalformed, "request", False),
    "pause_turn": Outcome(AnswerMalformed, "request", False),
    "stop_sequence": Outcome(AnswerMalformed, "request", False),
    "a reason of tomorrow": Outcome(AnswerMalformed, "request", False),
}
CHAT_ONLY = {
    "content_filter": Outcome(ModelRefused, "request", False),
    "model_context_window_exceeded": Outcome(AnswerMalformed, "request", False),  # not among its reasons
}


@pytest.mark.parametrize("reason", [*USELESS, "content_filter"])
async def test_an_answer_that_stopped_for_another_reason_is_none_and_costs_what_it_cost(
    subject: Subject, reason: str
) -> None:
    expected = USELESS | CHAT_ONLY if subject.name == "openai" else USELESS
    if reason not in expected:
        pytest.skip("no such reason here")

    billed = await fails(subject, Say(WORD, stop_reason=reason, output_tokens=9), expected[reason])

    assert billed == Usage(subject.api.calls[0].usage.input_tokens, 9)


async def test_what_an_endpoint_says_of_itself_is_cited_short_and_without_secrets(subject: Subject) -> None:
    register_secret(KEY)
    subject.api.then(Say(WORD, stop_reason=f"{KEY} {'x' * 10_000}"))

    message = (await subject.fail()).failure.message

    assert "stopped with" in message
    assert KEY not in message
    assert len(message) < 1_000


async def test_a_tool_call_that_was_cut_off_is_an_answer_that_was_cut_off(subject: Subject) -> None:
    if subject.name == "openai":
        pytest.skip("the fake's chat completions call no tools")
    tool = {"type": "tool_use", "id": "toolu_1", "name": "edit", "input": '{"path": "a.py", "text": "de'}

    await fails(subject, Say(content=[tool], stop_reason="max_tokens"), Outcome(AnswerTruncated, "request", False))


async def test_an_empty_answer_is_named_and_paid_for(subject: Subject) -> None:
    billed = await fails(subject, Say(text="", output_tokens=3), Outcome(AnswerMalformed, "request", False))

    assert billed == Usage(subject.api.calls[0].usage.input_tokens, 3)


async def test_an_answer_without_end_is_cut(subject: Subject) -> None:
    billed = await fails(subject, Say(text="x" * 8_000_001), Outcome(AnswerMalformed, "service", False))

    assert billed == begun(subject)


async def test_a_key_is_in_no_error_and_no_representation(subject: Subject) -> None:
    """The endpoint tells the key back, as a debugging proxy might."""
    if not subject.key:
        pytest.skip("the clouds' credentials sign a request and are not in it")
    register_secret(KEY)
    subject.api.then(Refuse(400, message=f"cannot use {KEY}"))

    failed = await subject.fail()

    assert subject.api.calls[0].key == KEY
    assert KEY not in f"{failed!r} {failed} {failed.failure!r} {failed.failure.message} {subject.provider!r}"
