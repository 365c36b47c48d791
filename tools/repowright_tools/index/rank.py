"""PageRank over rows of integers: which files the rest of a repository leans on most."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from operator import itemgetter, mul

_DAMPING = 0.85
_ROUNDS = 12
"""Rank beyond the twelfth round moves by less than a seventh of what the first moved: it no longer changes an order
that people would notice."""


@dataclass(frozen=True)
class Links:
    """Weighted links between nodes 0 to n-1, as rows by target.

    Attributes:
        starts: where the row of each node begins in `sources` and `weights`, and at the end where the last one ends.
        sources: who links to the node, ascending in each row.
        weights: how strongly, as integers, so that sums do not depend on their order.
        out: the sum of weights that leave each node.
    """

    starts: "array[int]"
    sources: "array[int]"
    weights: "array[int]"
    out: "array[int]"


def pagerank(links: Links, preferred: Sequence[float] | None = None) -> list[float]:
    """Rank of every node, all together 1: how likely a reader who follows links is to be there.

    PageRank (Brin and Page, 1998) with damping 0.85 and 12 rounds; a reader who stops, or comes to a node that links
    to nothing, goes on at a node drawn by `preferred` (all alike when it is None or has no weight).
    """
    count = len(links.out)
    if not count:
        return []
    total = sum(preferred or ())
    start = [weight / total for weight in preferred] if preferred and total else [1 / count] * count
    of_sources = _getter(links.sources)
    of_loose = _getter([node for node, out in enumerate(links.out) if not out])
    shares = [weight / out for weight, out in zip(links.weights, of_sources(links.out), strict=True)]
    lengths = [end - begin for begin, end in pairwise(links.starts)]
    rank = start
    for _ in range(_ROUNDS):
        flows: Iterator[float] = map(mul, shares, of_sources(rank))
        lost = 1 - _DAMPING + _DAMPING * sum(of_loose(rank))
        rank, end = list[float](), 0.0
        for length, share in zip(lengths, start, strict=True):
            begin, end = end, sum(islice(flows, length), end)
            rank.append(_DAMPING * (end - begin) + lost * share)
    return rank


def _getter(places: Sequence[int]) -> Callable[[Sequence[float]], Sequence[float]]:
    """A function that takes the values at these places out of a sequence."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: [values[place] for place in places]  # itemgetter of one place gives the value itself
