"""PageRank over rows of integers: which files the rest of a repository leans on most."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
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

    starts: Sequence[int]
    sources: Sequence[int]
    weights: Sequence[int]
    out: Sequence[int]


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
    of_sources, of_starts = _getter(links.sources), _getter(links.starts)
    of_loose = _getter([node for node, out in enumerate(links.out) if not out])
    shares = [weight / out for weight, out in zip(links.weights, of_sources(links.out), strict=True)]
    rank = start
    for _ in range(_ROUNDS):
        flows = [0.0, *accumulate(map(mul, shares, of_sources(rank)))]
        reached = of_starts(flows)
        lost = 1 - _DAMPING + _DAMPING * sum(of_loose(rank))
        rank = [
            _DAMPING * (end - begin) + lost * share
            for begin, end, share in zip(reached, reached[1:], start, strict=False)
        ]
    return rank


def _getter(places: Sequence[int]) -> Callable[[Sequence[float]], Sequence[float]]:
    """A function that takes the values at these places out of a sequence."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: [values[place] for place in places]  # itemgetter of one place gives the value itself
