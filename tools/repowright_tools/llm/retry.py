"""The one retry layer of model calls. Which failures may pass is decided where they are classified."""

import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

import anyio

from repowright_tools.errors import ModelError
from repowright_tools.llm.policy import ModelPolicy

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")


class Transient(Exception):
    """A failure that may pass by itself.

    Attributes:
        failure: what to raise when it is not tried again.
        wait_s: seconds that the provider asks to wait; None when it does not say.
    """

    def __init__(self, failure: ModelError, wait_s: float | None = None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.wait_s = wait_s


async def retrying(policy: ModelPolicy, attempt: Callable[[], Awaitable[T]]) -> T:
    """Call `attempt`, again after each `Transient`, and return its result.

    Waits grow exponentially with jitter from `retry_initial_wait_s`, and are never shorter than the provider asks. A
    wait above `retry_max_wait_s` is not slept: the failure is raised at once, with the time when to come back.

    Raises:
        ModelError: the failure of the last attempt.
    """
    from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

    backoff = wait_exponential_jitter(
        multiplier=policy.retry_initial_wait_s, max=policy.retry_max_wait_s, jitter=policy.retry_initial_wait_s
    )

    def wait(state: "RetryCallState") -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(backoff(state), (error.wait_s or 0.0) if isinstance(error, Transient) else 0.0)

    async def once() -> T:
        return await attempt()  # tenacity takes coroutine functions only

    retries = AsyncRetrying(
        sleep=anyio.sleep,
        stop=stop_after_attempt(policy.max_retries + 1),
        wait=wait,
        retry=retry_if_exception(
            lambda error: isinstance(error, Transient) and (error.wait_s or 0.0) <= policy.retry_max_wait_s
        ),
        reraise=True,
    )
    try:
        return await retries(once)
    except Transient as last:
        if last.wait_s:
            last.failure.retry_at = datetime.now(UTC) + timedelta(seconds=last.wait_s)
        raise last.failure from last.__cause__


def requested_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds a response asks to wait, or None when it does not say so in a form that makes sense.

    `retry-after-ms` goes before `retry-after`, which is a number of seconds or an HTTP date (RFC 9110, 10.2.3).
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        try:
            seconds = float(value) / unit
        except ValueError:
            continue
        return min(seconds, _LONGEST_WAIT_S) if math.isfinite(seconds) and seconds >= 0 else None
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
    except (TypeError, ValueError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return min(max((date - now).total_seconds(), 0.0), _LONGEST_WAIT_S)


_LONGEST_WAIT_S = 366 * 86_400.0
"""A longer one is nonsense, and no date could hold it."""
