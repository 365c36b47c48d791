"""What the responses of a provider teach about keys, limits and services. Pure: all state is in the book."""

import random
from collections.abc import Mapping

from repowright_tools.errors import PaymentRequired
from repowright_tools.llm.book import Book, Key, Refusal, Spent, Sticky, group_name
from repowright_tools.llm.buckets import read_limits
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.lanes import Lane, Promise
from repowright_tools.llm.pool import WARM_S, Rules, Ticket, circuit_of, drop, lane_name, promise_of
from repowright_tools.llm.provider import Usage
from repowright_tools.llm.spans import Span

REFUSED_S = 3600.0
"""How long a refused key is left alone, and a group without money is put last."""
_LONGEST_NAME = 100
_MOST_DOUBLINGS = 20


def opened(book: Book, ticket: Ticket, headers: Mapping[str, str], now: float) -> None:
    """Headers are here: they prove the key's organisation, and tell its limits."""
    held = promise_of(book, ticket)
    if held is None:
        return
    where, promise = held
    key = book.keys.setdefault(promise.key, Key())
    key.used = now
    key.organisation = _organisation(headers) or key.organisation
    shared = lane_name(promise.key, key, ticket.wanted.model)
    if shared != where:
        book.lanes[where].remove(ticket.id, now)
        if not book.lanes[where].promises:
            del book.lanes[where]
        book.lanes.setdefault(shared, Lane()).add(ticket.id, promise, now)
    book.lanes[shared].learn(promise, read_limits(headers, now), book.next_tick(), now)


def used(book: Book, ticket: Ticket, usage: Usage, now: float) -> None:
    """The request was answered."""
    circuit_of(book, ticket).succeeded(ticket.id)
    held = promise_of(book, ticket)
    if held is None:
        return
    where, promise = held
    lane, key = book.lanes[where], book.keys.setdefault(promise.key, Key())
    lane.known = True
    if promise.sent > lane.refused:
        lane.refusals = 0
    key.used = now
    for model in ("*", ticket.wanted.model):
        key.refusals.pop(model, None)
    book.runs[ticket.wanted.run] = Sticky(key=promise.key, span=Span.lasting(WARM_S, now))
    lane.end(promise, _counted(usage), book.next_tick(), now)


def failed(book: Book, ticket: Ticket, failure: CallFailed, rules: Rules, now: float) -> None:
    """The request failed; who is at fault decides what follows."""
    circuit = circuit_of(book, ticket)
    if failure.blame == "service":
        circuit.failed(ticket.id, now)
    elif failure.billed is not None and failure.billed.output_tokens:
        circuit.succeeded(ticket.id)
    else:
        circuit.left(ticket.id)
    held = promise_of(book, ticket)
    if held is None:
        return
    where, promise = held
    lane, key = book.lanes[where], book.keys.setdefault(promise.key, Key())
    if isinstance(failure.failure, PaymentRequired):
        book.spent[group_name(promise.key, key)] = Spent(span=Span.lasting(REFUSED_S, now))
    elif failure.blame == "organisation":
        _park(lane, promise, failure, rules, book.next_tick(), now)
    elif failure.blame == "key":
        refusal = Refusal(status=failure.status or 401, span=Span.lasting(REFUSED_S, now))
        key.refusals["*" if refusal.status != 403 else ticket.wanted.model] = refusal
    counted = None if failure.billed is None else _counted(failure.billed)
    lane.end(promise, counted, book.next_tick(), now)


def left(book: Book, ticket: Ticket, now: float) -> None:
    """Nothing came of the request: it was not sent, or was cancelled. What was not opened is given back."""
    circuit_of(book, ticket).left(ticket.id)
    held = promise_of(book, ticket)
    if held is None or held[1].ended:
        return
    where, promise = held
    if promise.opened:
        book.lanes[where].end(promise, None, book.next_tick(), now)
    else:
        drop(book, ticket, now)


def _park(lane: Lane, promise: Promise, failure: CallFailed, rules: Rules, tick: int, now: float) -> None:
    """Nobody of the group asks this model again before the provider's time, or one that doubles with each refusal."""
    if promise.sent > lane.refused:
        lane.refusals += 1
        lane.refused = tick
    doubled = rules.initial_wait_s * 2 ** min(lane.refusals - 1, _MOST_DOUBLINGS)
    own_wait_s = min(doubled, rules.longest_wait_s) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter is no secret
    asked_s = failure.wait_s or 0.0
    parked = Span.lasting(asked_s if asked_s > 0 else own_wait_s, now)
    if parked.left_s(now) > lane.parked.left_s(now):
        lane.parked = parked
    if not lane.buckets:
        lane.known = False  # nothing else paces those who wait: one of them goes first


def _counted(usage: Usage) -> tuple[float, float]:
    """What limits count: reads of the provider's cache are free.

    Source: https://platform.claude.com/docs/en/api/rate-limits (cache-aware ITPM)
    """
    return max(0, usage.input_tokens - usage.cached_input_tokens), max(0, usage.output_tokens)


def _organisation(headers: Mapping[str, str]) -> str | None:
    name = headers.get("anthropic-organization-id", "").strip()
    return name if name and name.isprintable() and len(name) <= _LONGEST_NAME else None
