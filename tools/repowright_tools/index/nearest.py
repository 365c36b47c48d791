"""Names that look like another name, for "did you mean"."""

from collections.abc import Iterable
from heapq import nsmallest

from repowright_tools.index.paths import name_of

_ENOUGH = 0.25


def nearest(name: str, candidates: Iterable[str], count: int) -> list[str]:
    """The most similar candidates, best first, equal ones by name; none that has too little in common.

    Similar is what shares three-letter pieces (Dice's coefficient), of the whole and of the part after the last slash.
    """
    whole, last = _pieces(name), _pieces(name_of(name))
    scored = (
        (-(_dice(whole, _pieces(other)) + _dice(last, _pieces(name_of(other)))) / 2, other) for other in candidates
    )
    return [other for _, other in nsmallest(count, (pair for pair in scored if pair[0] <= -_ENOUGH))]


def _pieces(text: str) -> set[str]:
    padded = f" {text.lower()} "
    return {padded[start : start + 3] for start in range(len(padded) - 2)}


def _dice(one: set[str], other: set[str]) -> float:
    return 2 * len(one & other) / (len(one) + len(other) or 1)
