"""Waiting: how long, how often, and when not at all."""

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from repowright_tools.errors import ModelOverloaded, RateLimited
from repowright_tools.llm.policy import ModelPolicy
from repowright_tools.llm.retry import Transient, requested_wait, retrying

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
def test_every_form_of_retry_after_is_read_and_nonsense_is_not(headers: dict[str, str], seconds: float | None) -> None:
    """L01."""
    assert requested_wait(headers, NOW) == seconds


def test_a_wait_of_centuries_still_is_a_date() -> None:
    wait = requested_wait({"retry-after": "1e300"}, NOW)

    assert wait is not None
    assert NOW + timedelta(seconds=wait) > NOW


@pytest.mark.anyio
async def test_the_last_failure_is_raised_when_the_retries_are_used_up() -> None:
    attempts: list[int] = []

    async def attempt() -> None:
        attempts.append(1)
        raise Transient(ModelOverloaded(f"failure {len(attempts)}"))

    with pytest.raises(ModelOverloaded, match="failure 3"):
        await retrying(QUICK, attempt)

    assert len(attempts) == 3


@pytest.mark.anyio
async def test_a_wait_above_the_limit_is_not_slept_but_raised_with_the_time_to_come_back() -> None:
    attempts: list[int] = []

    async def attempt() -> None:
        attempts.append(1)
        raise Transient(RateLimited("limit"), wait_s=86_400)

    with anyio.fail_after(5), pytest.raises(RateLimited) as raised:
        await retrying(QUICK, attempt)

    assert len(attempts) == 1
    assert raised.value.retry_at is not None
    assert raised.value.retry_at - datetime.now(UTC) == pytest.approx(timedelta(days=1), abs=timedelta(minutes=1))


@pytest.mark.anyio
async def test_a_failure_that_cannot_pass_is_raised_at_once() -> None:
    attempts: list[int] = []

    async def attempt() -> None:
        attempts.append(1)
        raise RateLimited("for good")

    with pytest.raises(RateLimited):
        await retrying(QUICK, attempt)

    assert len(attempts) == 1
