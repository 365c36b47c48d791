"""Rate limits of a fake model API: continuously refilled token buckets, one set for each organisation and model."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fakes.messages_script import Refuse


@dataclass
class Bucket:
    """Holds at most `capacity`, refilled with `per_minute`; below 0 when more was used than could be foreseen."""

    per_minute: float
    capacity: float
    level: float
    at: float
    """When `level` was right, seconds on the clock."""

    def refill(self, now: float) -> None:
        self.level = min(self.capacity, self.level + (now - self.at) * self.per_minute / 60)
        self.at = now

    def wait_for(self, amount: float) -> float:
        """Seconds until it holds `amount`, or is full; 0 when it holds that much now."""
        missing = min(amount, self.capacity) - self.level
        return max(0.0, missing * 60 / self.per_minute)

    def lacks(self, amount: float) -> bool:
        """Whether it is short of `amount`, which one larger than the bucket always is."""
        return self.level < amount - 1e-6


@dataclass(frozen=True)
class _Figure:
    per_minute: float
    capacity: float


class Limits:
    """The buckets of all organisations. Not synchronised: callers hold the API's lock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._figures: dict[tuple[str, str | None], dict[str, _Figure]] = {}
        self._buckets: dict[tuple[str, str], dict[str, Bucket]] = {}

    def set(
        self, organisation: str, model: str | None, per_minute: Mapping[str, float | None], burst: Mapping[str, float]
    ) -> None:
        """Limit a model, or each model that has no limits of its own (None). Buckets are full afterwards.

        Raises:
            ValueError: `burst` names something that is not limited.
        """
        limited = {kind: rate for kind, rate in per_minute.items() if rate is not None}
        if unknown := set(burst) - set(limited):
            raise ValueError(f"no limit for {sorted(unknown)}")
        self._figures[organisation, model] = {
            kind: _Figure(rate, burst.get(kind, rate)) for kind, rate in limited.items()
        }
        self._buckets = {key: buckets for key, buckets in self._buckets.items() if key[0] != organisation}

    def admit(self, organisation: str, model: str, input_tokens: int) -> Refuse | None:
        """Take a request and its input from the buckets; when one is short, take nothing and say when to come back."""
        buckets = dict(self._of(organisation, model))
        need = {"requests": 1, "input_tokens": input_tokens, "output_tokens": 1}
        short = [kind for kind, bucket in buckets.items() if bucket.lacks(need[kind])]
        if not short:
            self.take(organisation, model, "requests", 1)
            self.take(organisation, model, "input_tokens", input_tokens)
            return None
        wait_s = max(buckets[kind].wait_for(need[kind]) for kind in short)
        named = ", ".join(f"{buckets[kind].per_minute:g} {kind.replace('_', ' ')} per minute" for kind in short)
        return Refuse(
            429,
            "rate_limit_error",
            f"This request would exceed the rate limit of your organization ({organisation}): {named}",
            headers={"retry-after": str(max(1, math.ceil(wait_s)))},
        )

    def take(self, organisation: str, model: str, kind: str, amount: float) -> None:
        """Use `amount`, whether it is there or not; give it back when it is negative."""
        bucket = dict(self._of(organisation, model)).get(kind)
        if bucket is not None:
            bucket.level = min(bucket.capacity, bucket.level - amount)

    def headers(self, organisation: str, model: str) -> dict[str, str]:
        """Limit, remaining and reset (RFC 3339, whole seconds, never early) of each bucket, as in the Messages API.

        The tokens that remain are exact here; the real API rounds them to thousands.
        Source: https://platform.claude.com/docs/en/api/rate-limits#response-headers
        """
        found: dict[str, str] = {}
        for kind, bucket in self._of(organisation, model):
            name = f"anthropic-ratelimit-{kind.replace('_', '-')}"
            full = datetime.now(UTC) + timedelta(seconds=bucket.wait_for(bucket.capacity))
            reset = full.replace(microsecond=0) + timedelta(seconds=bool(full.microsecond))
            found[f"{name}-limit"] = f"{bucket.per_minute:.0f}"
            found[f"{name}-remaining"] = str(max(0, math.floor(bucket.level + 1e-6)))
            found[f"{name}-reset"] = reset.strftime("%Y-%m-%dT%H:%M:%SZ")
        return found

    def _of(self, organisation: str, model: str) -> Iterator[tuple[str, Bucket]]:
        """The buckets that apply, refilled."""
        now = self._clock()
        figures = self._figures.get((organisation, model), self._figures.get((organisation, None), {}))
        buckets = self._buckets.setdefault(
            (organisation, model),
            {kind: Bucket(one.per_minute, one.capacity, one.capacity, now) for kind, one in figures.items()},
        )
        for kind, bucket in buckets.items():
            bucket.refill(now)
            yield kind, bucket
