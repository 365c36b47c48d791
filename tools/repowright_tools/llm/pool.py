"""Which key a request is sent with, and when: the queue in front of a provider. Pure: all state is in the book."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from repowright_tools.errors import KeyForbidden, KeyRejected, ModelError, ModelOverloaded, RateLimited
from repowright_tools.llm.book import Book, Key, Sticky, group_name, key_name
from repowright_tools.llm.breaker import Circuit
from repowright_tools.llm.buckets import own_bucket
from repowright_tools.llm.lanes import EXPLORE_S, LEASE_S, Lane, Promise
from repowright_tools.llm.spans import Span

WARM_S = 300.0
"""How long a provider keeps a prompt cached after its last use.

Source: https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""
WORTH_S = 15.0
"""A warm cache is worth this much longer a wait."""
JUST_REFUSED_S = 10.0
"""When all keys are refused, one is tried again, but not sooner than this after the last refusal: not by one call."""
ROOMY = 0.5
"""A group this full has capacity: with less, keys that nobody has tried yet are worth a request."""
_ROUNDING_S = 0.001


@dataclass(frozen=True)
class Wanted:
    """What a request will take.

    Attributes:
        provider: whose limits and failures are meant: its name, without spaces.
        keys: to choose from.
        input_tokens: of them, what the limits count.
        run: requests of one run stay on one key while its prompt cache is warm.
    """

    provider: str
    model: str
    keys: tuple[str, ...] = field(repr=False)
    input_tokens: int
    output_tokens: int
    run: str

    @cached_property
    def named(self) -> Mapping[str, str]:
        """The keys by what the book calls them."""
        return {key_name(self.provider, key): key for key in self.keys}


@dataclass(frozen=True)
class Rules:
    """See `Limits`."""

    initial_wait_s: float
    longest_wait_s: float
    calls: int | None
    period_s: float


@dataclass(frozen=True)
class Ticket:
    """A request on its way through the pool."""

    id: str
    wanted: Wanted


@dataclass(frozen=True)
class Go:
    """The request may be sent now, with the key of this name."""

    name: str


@dataclass(frozen=True)
class Wait:
    """The request has to wait.

    Attributes:
        failure: what it is to whom it takes too long.
        early: whether it may end earlier, by what another request learns.
    """

    seconds: float
    why: str
    failure: type[ModelError]
    early: bool = False

    def beyond(self, patience_s: float) -> bool:
        return self.seconds > max(patience_s, 0.0) + _ROUNDING_S and not (self.early and patience_s > 0)


@dataclass(frozen=True)
class Never:
    """No wait helps."""

    why: str
    failure: type[ModelError]


@dataclass(frozen=True)
class _Candidate:
    """A key, and how long a request with it would have to wait."""

    name: str
    lane: str
    wait_s: float
    early: bool
    known: bool
    hanging: bool
    rank: tuple[float, float, float]


def look(book: Book, now: float, ticket: Ticket, rules: Rules, patience_s: float) -> Go | Wait | Never:
    """Find a place for the request, or see whether its turn has come. A wait beyond patience takes no place."""
    book.forget(now)
    circuit = circuit_of(book, ticket)
    if blocked_s := circuit.wait_s(ticket.id, now):
        drop(book, ticket, now)
        return Wait(blocked_s, f"{ticket.wanted.provider} fails", ModelOverloaded, early=circuit.probing)
    chosen = _choose(book, ticket, rules, now)
    if isinstance(chosen, Never):
        drop(book, ticket, now)
        return chosen
    wait = Wait(chosen.wait_s, f"the rate limit of {ticket.wanted.model} is reached", RateLimited, early=chosen.early)
    held = promise_of(book, ticket)
    if held is not None and (held[0] != chosen.lane or held[1].key != chosen.name or chosen.early):
        drop(book, ticket, now)
        held = None
    if chosen.early or wait.beyond(patience_s):
        drop(book, ticket, now)
        return wait
    promise = held[1] if held else _promise(book, ticket, chosen, rules, now)
    if chosen.wait_s:
        return wait
    return _send(book, ticket, chosen, promise, now)


def drop(book: Book, ticket: Ticket, now: float) -> None:
    """The request is not sent: everything is given back."""
    held = promise_of(book, ticket)
    if held is None:
        return
    book.lanes[held[0]].remove(ticket.id, now)
    own = book.keys[held[1].key].own if held[1].key in book.keys else None
    if own is not None and held[1].own:
        own.refill(now)
        own.level = min(own.capacity, own.level + 1)


def promise_of(book: Book, ticket: Ticket) -> tuple[str, Promise] | None:
    """The promise that a request holds, and the name of its lane; None when it holds none."""
    for name, lane in book.lanes.items():
        promise = lane.promises.get(ticket.id)
        if promise is not None:
            return name, promise
    return None


def circuit_of(book: Book, ticket: Ticket) -> Circuit:
    return book.circuits.setdefault(f"{ticket.wanted.provider} {ticket.wanted.model}", Circuit())


def lane_name(name: str, key: Key, model: str) -> str:
    return f"{group_name(name, key)} {model}"


def _choose(book: Book, ticket: Ticket, rules: Rules, now: float) -> _Candidate | Never:
    names = _usable(book, ticket.wanted, now)
    if isinstance(names, Never):
        return names
    candidates = [_candidate(book, ticket, name, rules, now) for name in names]
    some_known = any(one.known for one in candidates)
    candidates = [one for one in candidates if not (one.hanging and some_known)]
    best = min(candidates, key=lambda one: one.rank)
    sticky = book.runs.get(ticket.wanted.run)
    if sticky is not None and sticky.span.left_s(now):
        for one in candidates:
            # rank[0] is whether its money is spent
            if one.name == sticky.key and one.rank[0] == best.rank[0] and one.wait_s <= best.wait_s + WORTH_S:
                return one
    return best


def _usable(book: Book, wanted: Wanted, now: float) -> list[str] | Never:
    """The keys that are not refused. When all are: the one refused longest ago, or none, when that was just now."""
    refused: dict[str, tuple[float, int]] = {}
    for name in wanted.named:
        refusals = book.keys[name].refusals if name in book.keys else {}
        current = [one for model, one in refusals.items() if model in ("*", wanted.model) and one.span.left_s(now) > 0]
        if current:
            refused[name] = max((one.span.start, one.status) for one in current)
    usable = [name for name in wanted.named if name not in refused]
    if usable:
        return usable
    last, status = max(refused.values())
    if now - last < JUST_REFUSED_S:
        return Never(f"the provider refuses every key ({status})", KeyForbidden if status == 403 else KeyRejected)
    return [min(refused, key=lambda name: refused[name])]


def _candidate(book: Book, ticket: Ticket, name: str, rules: Rules, now: float) -> _Candidate:
    key = book.keys.get(name, Key())
    where = lane_name(name, key, ticket.wanted.model)
    lane = book.lanes.get(where, Lane())
    held = lane.promises.get(ticket.id)
    strangers = _strangers(book, ticket, now) if lane.known else ()
    wait_s = lane.wait_s(held or _blank(ticket, name, now), now, strangers)
    busy = not lane.known and lane.busy
    early = busy and lane.exploring.left_s(now) > 0
    if early:
        wait_s = max(wait_s, lane.exploring.left_s(now))
    if not lane.buckets and rules.calls is not None:
        wait_s = max(wait_s, _own_wait_s(book, name, held, rules, now))
    spent = book.spent.get(group_name(name, key))
    fill = lane.fill(now)
    preferred = 1.0 if not lane.known else 0.0 if fill >= ROOMY else 2.0
    rank = (
        1.0 if spent is not None and spent.span.left_s(now) else 0.0,
        wait_s,
        preferred - fill / 2,
    )
    return _Candidate(name, where, wait_s, early, lane.known, busy and not early, rank)


def _strangers(book: Book, ticket: Ticket, now: float) -> list[Promise]:
    """Requests just sent with keys that nobody knows the organisation of yet."""
    unknown = [name for name in ticket.wanted.named if name not in book.keys or book.keys[name].organisation is None]
    lanes = [book.lanes.get(lane_name(name, Key(), ticket.wanted.model), Lane()) for name in unknown]
    fresh = [lane for lane in lanes if lane.exploring.left_s(now) > 0]
    return [one for lane in fresh for one in lane.promises.values() if one.sent and not one.opened and not one.ended]


def _own_wait_s(book: Book, name: str, held: Promise | None, rules: Rules, now: float) -> float:
    own = book.keys[name].own if name in book.keys else None
    if own is None or not rules.calls:
        return 0.0
    queue = (one for lane in book.lanes.values() for one in lane.promises.values() if one.own and one.key == name)
    behind = sum(1.0 for one in queue if held is not None and one.waits_behind(held))
    return own.wait_s(1.0, now, behind)


def _blank(ticket: Ticket, name: str, now: float) -> Promise:
    wanted = ticket.wanted
    return Promise(
        key=name,
        input_tokens=max(0, wanted.input_tokens),
        output_tokens=max(0, wanted.output_tokens),
        lease=Span.lasting(LEASE_S, now),
    )


def _promise(book: Book, ticket: Ticket, chosen: _Candidate, rules: Rules, now: float) -> Promise:
    """Take the last place in the queue of a lane."""
    promise = _blank(ticket, chosen.name, now)
    promise.order = book.next_tick()
    lane = book.lanes.setdefault(chosen.lane, Lane())
    key = book.keys.setdefault(chosen.name, Key())
    key.used = now
    if not lane.buckets and rules.calls is not None:
        own = key.own
        if own is None or (own.limit, own.rate) != (rules.calls, rules.calls / rules.period_s):
            own = own_bucket(rules.calls, rules.period_s, now)
        own.refill(now)
        own.level -= 1
        key.own, promise.own = own, True
    lane.add(ticket.id, promise, now)
    return promise


def _send(book: Book, ticket: Ticket, chosen: _Candidate, promise: Promise, now: float) -> Go:
    promise.sent = book.next_tick()
    promise.lease = Span.lasting(LEASE_S, now)
    lane = book.lanes[chosen.lane]
    if not lane.known:
        lane.exploring = Span.lasting(EXPLORE_S, now)
    circuit_of(book, ticket).sent(ticket.id, now)
    book.runs[ticket.wanted.run] = Sticky(key=chosen.name, span=Span.lasting(WARM_S, now))
    return Go(chosen.name)
