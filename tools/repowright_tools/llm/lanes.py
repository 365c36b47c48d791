"""What one group of keys may do with one model: its buckets, and what of them is promised."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, Field

from repowright_tools.llm.buckets import Bucket, Told, told_bucket
from repowright_tools.llm.spans import Span

LEASE_S = 900.0
"""A request that has not ended by then belonged to a process that died."""
EXPLORE_S = 2.0
"""A first request whose headers take longer holds the others back no more: one of them goes too."""
OVERTAKE_S = 1.0
"""Requests sent this close to each other may arrive in the other order, from different processes above all."""
MOST_PROMISES = 1000


class Promise(BaseModel):
    """What one request was promised of the buckets. Ticks order events; 0 means not yet.

    Attributes:
        key: name of the key.
        input_tokens, output_tokens: estimates, until it has ended.
        lease: how long its process is believed to live; from when it was sent, once it was.
        order: place in the queue; 0 outside.
        opened: tick at which its headers were there.
        own: whether it counts in its key's own bucket, where responses tell no limits.
    """

    key: str
    input_tokens: float
    output_tokens: float
    lease: Span
    order: int = 0
    sent: int = 0
    ended: int = 0
    opened: int = 0
    own: bool = False

    def of(self, kind: str, *, entry: bool = True, output: bool = True) -> float:
        """How much of a bucket: what is taken when a request enters, and what its answer takes."""
        written = self.output_tokens if output else 0.0
        match kind:
            case "requests":
                return 1.0 if entry else 0.0
            case "input-tokens":
                return self.input_tokens if entry else 0.0
            case "output-tokens":
                return written
            case _:
                return (self.input_tokens if entry else 0.0) + written

    def waits_behind(self, other: "Promise") -> bool:
        """Whether it waits still, and not before the other one; also true of the other one itself."""
        return not self.sent and self.order >= other.order

    def uncounted(self, kind: str) -> float:
        """What no headers can have counted yet: a request that waits, and an answer that is still being written."""
        return self.of(kind, entry=not self.sent, output=not self.ended)

    def perhaps_counted(self, kind: str, by: "Promise") -> float:
        """What the headers of another request may have counted or not, as it was on its way at the same time.

        They have counted whatever was opened, or had ended, before that one was sent, and what was sent long before.
        """
        before = 0 < self.opened < by.sent or by.lease.start - self.lease.start >= OVERTAKE_S
        entry = bool(self.sent) and not before and self is not by
        return self.of(kind, entry=entry, output=self.ended > by.sent)


class Lane(BaseModel):
    """Attributes:
    buckets: by kind, as responses told; empty before, and where they tell none.
    known: whether headers were seen.
    seen: tick at which the newest request whose headers taught was sent.
    parked: the provider asked to wait.
    refusals: 429s in a row; those of requests sent before the last of them (`refused`, a tick) count once.
    exploring: how long the request that learns the limits holds others back.
    promises: by ticket.
    used: epoch seconds.
    """

    buckets: dict[str, Bucket] = Field(default_factory=dict[str, Bucket])
    known: bool = False
    seen: int = 0
    parked: Span = Span()
    refusals: int = 0
    refused: int = 0
    exploring: Span = Span()
    promises: dict[str, Promise] = Field(default_factory=dict[str, Promise])
    used: float = 0.0

    def wait_s(self, wanted: Promise, now: float, strangers: Sequence[Promise] = ()) -> float:
        """Seconds until a request may be sent: behind the queue, or by its place there when it is in it.

        `strangers` are requests with keys of unknown organisations, which may turn out to be of this one.
        """
        behind = [one for one in self.promises.values() if wanted.order and one.waits_behind(wanted)]
        waits = [
            bucket.wait_s(wanted.of(kind), now, _sum(kind, behind) - _sum(kind, strangers))
            for kind, bucket in self.buckets.items()
        ]
        return max([self.parked.left_s(now), *waits])

    def fill(self, now: float) -> float:
        """How full the emptiest bucket is, at most 1."""
        return min((bucket.level_at(now) / bucket.capacity for bucket in self.buckets.values()), default=1.0)

    @property
    def busy(self) -> bool:
        """Whether headers are on their way."""
        return any(one.sent and not one.opened and not one.ended for one in self.promises.values())

    def add(self, ticket: str, promise: Promise, now: float) -> None:
        self.used = now
        self.promises[ticket] = promise
        self._take({kind: promise.of(kind) for kind in self.buckets}, now)

    def remove(self, ticket: str, now: float) -> Promise | None:
        """Forget a promise and give back what the levels still hold for it."""
        promise = self.promises.pop(ticket, None)
        if promise is not None:
            entry = self._estimated(promise)
            self._take({kind: -promise.of(kind, entry=entry) for kind in self.buckets}, now)
        return promise

    def end(self, promise: Promise, used: tuple[float, float] | None, tick: int, now: float) -> None:
        """A request has ended, and took this much input and output; None: nobody knows, so as estimated."""
        if promise.ended:
            return
        self.used, promise.ended, promise.opened = now, tick, promise.opened or tick
        if used is None:
            return
        entry = self._estimated(promise)
        before = {kind: promise.of(kind, entry=entry) for kind in self.buckets}
        promise.input_tokens, promise.output_tokens = used
        self._take({kind: promise.of(kind, entry=entry) - before[kind] for kind in self.buckets}, now)

    def learn(self, promise: Promise, told: Sequence[Told], tick: int, now: float) -> None:
        """Compare the levels with what the headers of a request tell.

        Headers of parallel requests arrive in any order, and nobody knows what they have counted: they bound a level
        from below and above, and between the bounds our own count is more exact. The headers of a request that was sent
        earlier than another whose are known do not raise a level.
        """
        self.known, promise.opened = True, tick
        for one in told:
            uncounted = sum(each.uncounted(one.kind) for each in self.promises.values())
            perhaps = sum(each.perhaps_counted(one.kind, promise) for each in self.promises.values())
            lowest = one.remaining - uncounted - perhaps
            bucket = self.buckets.get(one.kind)
            if bucket is None:
                bucket = self.buckets[one.kind] = told_bucket(one, now)
                bucket.level = lowest
            bucket.refill(now)
            bucket.learn(one)
            highest = one.remaining - uncounted + bucket.rate * max(0.0, now - promise.lease.start)
            if promise.sent >= self.seen:
                bucket.level = max(bucket.level, lowest)
            bucket.level = min(bucket.level, highest)
        if told:
            self.seen = max(self.seen, promise.sent)

    def tidy(self, now: float) -> None:
        """Drop promises of processes that died, and those that all headers on their way have counted."""
        waiting = [one.sent for one in self.promises.values() if one.sent and not one.opened and not one.ended]
        oldest = min(waiting, default=None)
        for ticket, one in list(self.promises.items()):
            counted = one.ended and (oldest is None or one.ended < oldest)
            if counted or not one.lease.left_s(now) or len(self.promises) > MOST_PROMISES:
                del self.promises[ticket]

    def _estimated(self, promise: Promise) -> bool:
        """Whether the levels hold the entry of a request as an estimate of ours, and not as the provider counted it."""
        return not promise.sent or promise.sent > self.seen

    def _take(self, amounts: Mapping[str, float], now: float) -> None:
        for kind, amount in amounts.items():
            bucket = self.buckets[kind]
            bucket.refill(now)
            bucket.level = min(bucket.capacity, bucket.level - amount)


def _sum(kind: str, promises: Sequence[Promise]) -> float:
    return sum(one.of(kind) for one in promises)
