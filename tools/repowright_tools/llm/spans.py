"""A stretch of time that survives a clock which is set anew."""

import math

from pydantic import BaseModel

_SKEW_S = 5.0
"""Processes that share a state may see clocks this far apart."""
LONGEST_S = 366 * 86_400.0
"""A longer time is nonsense, and no date could hold it."""


class Span(BaseModel, frozen=True):
    """From `start` to `end`, seconds since the epoch. An empty one is over."""

    start: float = 0.0
    end: float = 0.0

    @classmethod
    def lasting(cls, seconds: float, now: float) -> "Span":
        """From now on, for so long: at most a year; nonsense is no time at all."""
        return cls(start=now, end=now + (0.0 if math.isnan(seconds) else min(max(seconds, 0.0), LONGEST_S)))

    def left_s(self, now: float) -> float:
        """Seconds until it is over; 0 also before its beginning, which is where a clock that was set back puts us."""
        return max(0.0, self.end - now) if self.start <= now + _SKEW_S else 0.0
