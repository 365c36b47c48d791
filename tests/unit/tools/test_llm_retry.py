"""Waiting: how long, how often, and when not at all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anyio
import pytest

from repowright_tools.errors import KeyRejected, ModelOverloaded, RateLimited, RequestRefused
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.policy import ModelPolicy
from repowright_tools.llm.retry import requested_wait, retrying

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
QUICK = ModelPolicy("anthropic", max_retries=2, retry_initial_wait_s=0.001, retry_max_wait_s=0.01)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Sat, 21 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sat, 21 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
async def test_every_form_of_retry_after_is_read_and_nonsense_is_not(
    headers: dict[str, str], seconds: float | None
) -> None:
    """L01."""
    assert requested_wait(headers, NOW) == seconds


async def test_a_wait_of_centuries_still_is_a_date() -> None:
    wait = requested_wait({"retry-after": "1e300"}, NOW)

    assert wait is not None
    assert NOW + timedelta(seconds=wait) > NOW


class Attempts:
    """Attempts that all fail, and the waits that were told."""

    def __init__(self, *failures: CallFailed) -> None:
        self._failures = failures
        self.made = 0
        self.waits: list[tuple[float, str]] = []

    async def __call__(self) -> str:
        self.made += 1
        if self.made > len(self._failures):
            return "answer"
        raise self._failures[self.made - 1]

    async def run(self, policy: ModelPolicy = QUICK, keys: int = 1) -> str:
        return await retrying(policy, self, keys=keys, waiting=lambda seconds, why: self.waits.append((seconds, why)))


def overloaded(wait_s: float | None = None, said: str = "overloaded") -> CallFailed:
    return CallFailed(ModelOverloaded(said), blame="service", may_pass=True, wait_s=wait_s)


def key_refused() -> CallFailed:
    return CallFailed(KeyRejected("no such key"), blame="key", may_pass=False)


async def test_the_last_failure_is_raised_when_the_retries_are_used_up() -> None:
    attempts = Attempts(*(overloaded(said=f"failure {number}") for number in range(1, 9)))

    with pytest.raises(ModelOverloaded, match="failure 3"):
        await attempts.run()

    assert attempts.made == 3


async def test_a_wait_above_the_limit_is_not_slept_but_raised_with_the_time_to_come_back() -> None:
    attempts = Attempts(overloaded(wait_s=86_400))

    with anyio.fail_after(5), pytest.raises(ModelOverloaded) as raised:
        await attempts.run()

    assert attempts.made == 1
    assert raised.value.retry_at is not None
    assert raised.value.retry_at - datetime.now(UTC) == pytest.approx(timedelta(days=1), abs=timedelta(minutes=1))


async def test_a_wait_beyond_the_deadline_of_the_work_is_not_slept() -> None:
    attempts = Attempts(overloaded(wait_s=5))

    with anyio.fail_after(1), pytest.raises(ModelOverloaded) as raised:
        await attempts.run(replace(QUICK, retry_max_wait_s=60))

    assert raised.value.retry_at is not None


async def test_a_failure_that_cannot_pass_is_raised_at_once() -> None:
    attempts = Attempts(CallFailed(RequestRefused("no"), blame="request", may_pass=False))

    with pytest.raises(RequestRefused):
        await attempts.run()

    assert attempts.made == 1


async def test_each_key_may_be_refused_once() -> None:
    attempts = Attempts(key_refused(), key_refused(), key_refused())

    with pytest.raises(KeyRejected):
        await attempts.run(keys=2)

    assert attempts.made == 2
    assert await Attempts(key_refused()).run(keys=2) == "answer"


async def test_limits_are_waited_for_by_the_pool_and_not_here() -> None:
    """Another organisation's key may be free at once."""
    limited = CallFailed(RateLimited("limit"), blame="organisation", may_pass=True, wait_s=3600)
    attempts = Attempts(limited)

    assert await attempts.run() == "answer"
    assert attempts.waits == []


async def test_every_wait_is_told_with_its_reason() -> None:
    attempts = Attempts(overloaded(wait_s=0.01, said="too many users"))

    await attempts.run()

    ((seconds, why),) = attempts.waits
    assert (seconds >= 0.01, why) == (True, "too many users")
