"""BM25, the measure of how well a document fits words (Robertson and Zaragoza, 2009), and what is made of figures."""

from collections.abc import Mapping, Sequence, Set
from math import log

K1, B = 1.2, 0.75
"""How soon more of the same word says nothing more, and how much length matters."""

MOST = 2000
"""Files that are kept of one kind of evidence: the best."""


def rarity(documents: int, having: int) -> float:
    """How much a term says that `having` of all `documents` have: never negative."""
    return log(1 + (documents - having + 0.5) / (having + 0.5)) if having <= documents else 0.0


def norms(lengths: Mapping[int, int], weights: Sequence[int] | Mapping[int, int] | None = None) -> dict[int, float]:
    """By document, what a count is set against: K1 for one of mean length, more for longer ones.

    Args:
        lengths: of all documents.
        weights: how much each counts for the mean; all the same by default.
    """
    if weights is None:
        total, count = sum(lengths.values()), len(lengths)
    else:
        total = sum(length * weights[number] for number, length in lengths.items())
        count = sum(weights[number] for number in lengths)
    mean = total / count if count else 0.0
    return {number: K1 * (1 - B + B * length / mean) if mean else K1 for number, length in lengths.items()}


def best_of(found: dict[int, float]) -> dict[int, float]:
    """The MOST best, and those that are as good as the last of them."""
    if len(found) <= MOST:
        return found
    least = sorted(found.values(), reverse=True)[MOST - 1]
    return {key: value for key, value in found.items() if value >= least}


def at_most_one(found: Mapping[int, float], usual: Set[int]) -> dict[int, float]:
    """The same with the best of `usual` at 1 and none above; of all when none of those is there."""
    best = max((value for key, value in found.items() if key in usual), default=0.0) or max(found.values(), default=0.0)
    return {key: min(1.0, value / best) for key, value in found.items()} if best > 0 else {}
