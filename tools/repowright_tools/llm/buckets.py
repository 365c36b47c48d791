"""Token buckets, as a provider's limits are, and how response headers tell of them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pydantic import BaseModel, Field

KINDS = ("requests", "tokens", "input-tokens", "output-tokens")
"""What is limited. `tokens` are input and output together, where a provider limits their sum too."""
_PREFIX = "anthropic-ratelimit"
_PER_S = 1 / 60
"""Limits are told per minute, and refilled continuously.

Source: https://platform.claude.com/docs/en/api/rate-limits
"""
_ROUNDING_S = 2.0
"""Resets and dates have whole seconds: their difference is off by less than this."""
_LONGEST_RESET_S = 86_400.0
_MOST = 1e12
_NOTHING = 1e-6


@dataclass(frozen=True)
class Told:
    """What one response tells of one bucket.

    Attributes:
        limit: per minute, as a rule.
        remaining: what it holds, at most `limit`.
        full_in_s: seconds until it is full; None when that is not told, or makes no sense.
    """

    kind: str
    limit: float
    remaining: float
    full_in_s: float | None


class Bucket(BaseModel):
    """Holds at most `capacity`, refilled with `rate` a second.

    Attributes:
        limit: what responses call the limit.
        level: what it held at the time `at` (epoch seconds), less what is promised since: may be below 0.
    """

    limit: float = Field(gt=0, allow_inf_nan=False)
    capacity: float = Field(gt=0, allow_inf_nan=False)
    rate: float = Field(gt=0, allow_inf_nan=False)
    level: float = Field(allow_inf_nan=False)
    at: float = Field(allow_inf_nan=False)

    def refill(self, now: float) -> None:
        """Move on to `now`. A clock that was set back refills nothing."""
        self.level, self.at = self.level_at(now), now

    def level_at(self, now: float) -> float:
        return min(self.capacity, self.level + max(0.0, now - self.at) * self.rate)

    def wait_s(self, amount: float, now: float, promised: float = 0.0) -> float:
        """Seconds until `amount` may be taken, by one before whom `promised` of the level does not count.

        What is larger than the bucket is let through when that is full.
        """
        missing = min(amount, self.capacity) - self.level_at(now) - promised
        return missing / self.rate if missing > _NOTHING * self.capacity else 0.0

    def learn(self, told: Told) -> None:
        """Take over limit, capacity and rate; the level is the caller's affair.

        The rate is a sixtieth of the limit, and the reset then shows the capacity: short bursts may be held below the
        minute's limit. A reset too far off for that rate shows a slower one.
        """
        usual = told.limit * _PER_S
        if told.limit != self.limit:
            self.limit = self.capacity = told.limit
            self.rate = usual
        if told.full_in_s is None:
            return
        capacity = told.remaining + usual * told.full_in_s
        if capacity > told.limit + usual * _ROUNDING_S:
            if told.remaining < told.limit:
                self.capacity, self.rate = told.limit, (told.limit - told.remaining) / told.full_in_s
            return
        self.rate = usual
        if capacity < self.capacity or capacity > self.capacity + usual * _ROUNDING_S:
            self.capacity = capacity  # rounding makes it too large: the smallest is nearest, unless it has grown
        self.capacity = min(max(self.capacity, 1.0), told.limit)


def told_bucket(told: Told, now: float) -> Bucket:
    """The bucket of a limit that was not known before."""
    bucket = Bucket(
        limit=told.limit, capacity=told.limit, rate=told.limit * _PER_S, level=min(told.remaining, told.limit), at=now
    )
    bucket.learn(told)
    return bucket


def own_bucket(calls: int, period_s: float, now: float) -> Bucket:
    """A limit of our own: `calls` at once, and as many again in each period."""
    return Bucket(limit=calls, capacity=calls, rate=calls / period_s, level=calls, at=now)


def read_limits(headers: Mapping[str, str], now: float) -> list[Told]:
    """The limits a response tells, by lower-case header names; what makes no sense is left out. Never raises."""
    return list(_read(headers, _their_time(headers, now)))


def _read(headers: Mapping[str, str], their_now: float) -> Iterable[Told]:
    for kind in KINDS:
        limit = _number(headers.get(f"{_PREFIX}-{kind}-limit"))
        remaining = _number(headers.get(f"{_PREFIX}-{kind}-remaining"))
        if limit is None or remaining is None or not 1 <= limit <= _MOST:
            continue
        reset = _time(headers.get(f"{_PREFIX}-{kind}-reset"))
        full_in_s = None if reset is None else reset - their_now
        if full_in_s is not None and not -_ROUNDING_S <= full_in_s <= _LONGEST_RESET_S:
            full_in_s = None
        yield Told(kind, limit, min(max(remaining, 0.0), limit), None if full_in_s is None else max(full_in_s, 0.0))


def _their_time(headers: Mapping[str, str], now: float) -> float:
    """The provider's clock: ours, unless its Date differs by more than rounding explains."""
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
        theirs = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return now
    return now if abs(theirs - now) <= _ROUNDING_S else theirs


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _time(text: str | None) -> float | None:
    """Epoch seconds of an RFC 3339 time."""
    try:
        time = datetime.fromisoformat(text or "")
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
