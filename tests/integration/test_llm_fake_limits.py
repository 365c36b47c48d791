"""The fake Messages API limits organisations and keeps a ledger as the real one does."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime

import pytest
from anthropic import APIError, APIStatusError, RateLimitError
from httpx2 import HTTPError

from fakes.messages_api import ORGANIZATION, MessagesApi
from fakes.messages_client import MODEL, HandClock, ask, client_of, marked, streamed, user
from fakes.messages_script import Break, Hang, Refuse, Say, StreamError

pytestmark = pytest.mark.anyio
ANSWER = Say(text="ok", input_tokens=100, output_tokens=10)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def api(clock: HandClock) -> Iterator[MessagesApi]:
    with MessagesApi(clock) as api:
        api.organisations = {"a1": "org-a", "a2": "org-a", "b": "org-b"}
        api.reply = lambda asked: ANSWER
        yield api


async def refused(api: MessagesApi, key: str, model: str = MODEL) -> RateLimitError:
    async with client_of(api, key) as client:
        with pytest.raises(RateLimitError) as raised:
            await ask(client, model=model)
    return raised.value


async def served(api: MessagesApi, key: str, model: str = MODEL) -> dict[str, str]:
    """The headers of an answer."""
    async with client_of(api, key) as client:
        raw = await client.messages.with_raw_response.create(
            model=model, max_tokens=9, messages=[{"role": "user", "content": "?"}]
        )
    return dict(raw.headers)


async def test_keys_of_one_organisation_share_a_bucket_and_others_do_not(api: MessagesApi) -> None:
    api.limit("org-a", requests_per_minute=2)

    for key in ("a1", "a2", "b", "b", "b", "unnamed"):
        await served(api, key)
    await refused(api, "a1")
    await refused(api, "a2")

    assert [call.organisation for call in api.calls[:4]] == ["org-a", "org-a", "org-b", "org-b"]
    assert api.calls[5].organisation == ORGANIZATION
    assert (api.refused_429, [call.status for call in api.calls[-2:]]) == (2, [429, 429])


async def test_each_model_has_its_own_bucket(api: MessagesApi) -> None:
    api.limit("org-a", requests_per_minute=1)
    api.limit("org-a", model="claude-haiku-5-5", requests_per_minute=2)

    await served(api, "a1")
    await refused(api, "a1")
    for _ in range(2):
        await served(api, "a1", "claude-haiku-5-5")
    await refused(api, "a1", "claude-haiku-5-5")


async def test_a_bucket_is_refilled_all_the_time_and_the_wait_it_names_is_enough(
    api: MessagesApi, clock: HandClock
) -> None:
    api.limit("org-a", requests_per_minute=20, burst={"requests": 2})
    await served(api, "a1")
    await served(api, "a1")

    assert (await refused(api, "a1")).response.headers["retry-after"] == "3"
    clock.now += 1.5
    assert (await refused(api, "a1")).response.headers["retry-after"] == "2"
    clock.now += 1.5
    await served(api, "a1")
    await refused(api, "a1")
    clock.now += 3600
    for _ in range(2):
        await served(api, "a1")
    await refused(api, "a1")


async def test_a_refusal_takes_no_step_and_nothing_from_a_bucket(api: MessagesApi, clock: HandClock) -> None:
    api.limit("org-a", requests_per_minute=60, burst={"requests": 1})
    api.then(Say(text="first"), Say(text="second"))
    await served(api, "a1")
    for _ in range(3):
        await refused(api, "a1")
    clock.now += 1

    async with client_of(api, "a1") as client:
        message = await ask(client)

    assert message.content[0].model_dump()["text"] == "second"


async def test_every_response_tells_limit_rest_and_reset_of_each_bucket(api: MessagesApi) -> None:
    api.limit("org-a", requests_per_minute=60, input_tokens_per_minute=1000, output_tokens_per_minute=600)
    before = datetime.now(UTC)

    headers = await served(api, "a1")

    names = ("requests", "input-tokens", "output-tokens")
    told = {name: [headers[f"anthropic-ratelimit-{name}-{what}"] for what in ("limit", "remaining")] for name in names}
    assert told == {"requests": ["60", "59"], "input-tokens": ["1000", "900"], "output-tokens": ["600", "590"]}
    reset = datetime.fromisoformat(headers["anthropic-ratelimit-input-tokens-reset"])
    assert 6 <= (reset - before).total_seconds() < 8
    assert headers["anthropic-ratelimit-input-tokens-reset"].endswith("Z")
    assert not any("ratelimit" in name for name in await served(api, "b"))
    api.then(Refuse(529, "overloaded_error"))
    async with client_of(api, "a1") as client:
        with pytest.raises(APIStatusError) as overloaded:
            await ask(client)
    assert overloaded.value.response.headers["anthropic-ratelimit-requests-remaining"] == "58"
    assert overloaded.value.response.headers["anthropic-ratelimit-input-tokens-remaining"] == "900"


async def test_input_and_output_have_buckets_of_their_own(api: MessagesApi, clock: HandClock) -> None:
    api.limit("org-a", output_tokens_per_minute=60, burst={"output_tokens": 20})
    api.limit("org-b", input_tokens_per_minute=150)

    await served(api, "a1")
    await served(api, "a1")
    assert "60 output tokens per minute" in str(await refused(api, "a1"))
    clock.now += 1
    await served(api, "a1")
    await served(api, "b")
    async with client_of(api, "b") as client:
        with pytest.raises(RateLimitError, match="150 input tokens per minute") as raised:
            await ask(client, user("x" * 400))
    assert raised.value.response.headers["retry-after"] == "21"


async def test_input_read_from_the_prompt_cache_is_not_limited(api: MessagesApi) -> None:
    api.limit("org-a", input_tokens_per_minute=2000)
    api.reply = lambda asked: Say(text="ok")

    async with client_of(api, "a1") as client:
        for _ in range(20):
            await ask(client, system=[marked("x" * 6000)])
        with pytest.raises(RateLimitError):
            await ask(client, system=[marked("y" * 6000)])


async def test_nobody_without_a_valid_key_is_told_an_organisation(api: MessagesApi) -> None:
    api.then(Refuse(401, "authentication_error"))

    async with client_of(api, "a1") as client:
        with pytest.raises(APIStatusError) as raised:
            await ask(client)

    assert "anthropic-organization-id" not in raised.value.response.headers


@pytest.mark.parametrize(
    ("step", "tokens"),
    [
        (ANSWER, (100, 10)),
        (StreamError("overloaded_error", after="x" * 40), (1, 11)),
        (Break("eof", after="x" * 40), (1, 11)),
        (Break("reset", after="x" * 40), (1, 11)),
        (Break("eof", after="x" * 40, before_stop=True), (1, 11)),
        (Hang(after="x" * 40), (1, 11)),
        (Break("reset", after=None), None),
        (Refuse(500), None),
    ],
    ids=str,
)
async def test_a_broken_answer_bills_its_input_and_what_was_sent_and_a_refusal_nothing(
    api: MessagesApi, step: Say | StreamError | Break | Hang | Refuse, tokens: tuple[int, int] | None
) -> None:
    api.then(step)

    async with client_of(api, timeout_s=0.2 if isinstance(step, Hang) else 5) as client:
        with (
            nullcontext()
            if isinstance(step, Say) or getattr(step, "how", None) == "eof"
            else pytest.raises((APIError, HTTPError))
        ):
            await streamed(client)

    call = api.wait_for(1)
    assert ((call.input_tokens, call.output_tokens) if call.billed else None) == tokens
    assert api.billed_usd(lambda model, usage: usage["input_tokens"] + 5.0 * usage["output_tokens"]) == (
        tokens[0] + 5 * tokens[1] if tokens else 0
    )
