"""The one retry layer of model calls. Which failures may pass is decided where they are classified."""

import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

import anyio

from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.policy import ModelPolicy

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")


async def retrying(
    policy: ModelPolicy, attempt: Callable[[], Awaitable[T]], *, keys: int, waiting: Callable[[float, str], None]
) -> T:
    """Call `attempt`, again after each failure that may pass, and return its result.

    A service that fails is left alone for a time that grows exponentially with jitter from `retry_initial_wait_s`, and
    is never shorter than it asks for. A wait above `retry_max_wait_s`, or beyond the deadline of the enclosing scope,
    is not slept: the failure is raised at once, with the time when to come back. Limits and keys are the pool's affair:
    after a failure that blames them the next attempt asks it at once.

    Args:
        policy: how often, and how long at most.
        attempt: raises CallFailed.
        keys: how many there are; each may be refused once.
        waiting: told of every wait before it: seconds, and why.

    Raises:
        ModelError: the failure of the last attempt.
    """
    from tenacity import (
        AsyncRetrying,
        retry_if_exception,
        stop_after_attempt,
        stop_before_delay,
        wait_exponential_jitter,
    )

    backoff = wait_exponential_jitter(
        multiplier=policy.retry_initial_wait_s, max=policy.retry_max_wait_s, jitter=policy.retry_initial_wait_s
    )
    refused = 0

    def again(error: BaseException) -> bool:
        nonlocal refused
        if not isinstance(error, CallFailed):
            return False
        if error.blame == "key":
            refused += 1
            return refused < keys
        return error.may_pass and (error.blame == "organisation" or (error.wait_s or 0.0) <= policy.retry_max_wait_s)

    def wait(state: "RetryCallState") -> float:
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, CallFailed) or error.blame in ("organisation", "key"):
            return 0.0
        return max(backoff(state), error.wait_s or 0.0)

    def tell(state: "RetryCallState") -> None:
        error = state.outcome.exception() if state.outcome else None
        if state.upcoming_sleep and isinstance(error, CallFailed):
            waiting(state.upcoming_sleep, error.failure.message)

    async def once() -> T:
        return await attempt()  # tenacity takes coroutine functions only

    left_s = anyio.current_effective_deadline() - anyio.current_time()
    retries = AsyncRetrying(
        sleep=anyio.sleep,
        stop=stop_after_attempt(policy.max_retries + 1) | stop_before_delay(left_s),
        wait=wait,
        retry=retry_if_exception(again),
        before_sleep=tell,
        reraise=True,
    )
    try:
        return await retries(once)
    except CallFailed as last:
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
