"""How well the texts of files fit a request: their words, the best place in each, and the names they define."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest

from repowright_tools.index.search.bm25 import K1, norms, rarity
from repowright_tools.index.search.postings import COUNT_MASK, Postings, number_of

_CLOSER = 300  # documents whose places are looked at: the best program texts by their words alone
_CLOSER_OTHERS = 50  # and the best of the others


@dataclass
class TextHits:
    """By document number.

    Attributes:
        worth: how telling each term is, weighted as it was asked.
        words: BM25 of the whole text.
        names: BM25 of the names it defines.
        place: the most that one window of it has, in the worth of different terms.
        window: which window that is.
    """

    worth: dict[str, float] = field(default_factory=dict[str, float])
    words: dict[int, float] = field(default_factory=dict[int, float])
    names: dict[int, float] = field(default_factory=dict[int, float])
    place: dict[int, float] = field(default_factory=dict[int, float])
    window: dict[int, int] = field(default_factory=dict[int, int])
    _heads: dict[str, Sequence[int]] = field(default_factory=dict[str, "Sequence[int]"])

    def having(self, documents: Collection[int]) -> dict[int, list[str]]:
        """The terms that each of these documents has in its text."""
        found: dict[int, list[str]] = {number: [] for number in documents}
        for term, heads in self._heads.items():
            for number in found.keys() & {number_of(head) for head in heads}:
                found[number].append(term)
        return found

    def keep(self, term: str, worth: float, heads: Sequence[int]) -> None:
        """Note what a term is worth, and where it is."""
        self.worth[term] = worth
        self._heads[term] = heads


class Texts:
    """The stored documents of one tree.

    Args:
        postings: where they are.
        lengths: which they are, with the number of terms in each.
        usual: those among which it is counted how rare a word is and how long a text.
    """

    def __init__(self, postings: Postings, lengths: Mapping[int, int], usual: frozenset[int]) -> None:
        self._postings = postings
        self._usual = usual
        self._norm = norms(lengths, {number: int(number in usual) for number in lengths})

    def find(self, terms: Mapping[str, float]) -> TextHits:
        """What every text has of the terms, each of the given weight."""
        hits = TextHits()
        lists = {term: self._postings.lists("text", term) for term in terms}
        for term, weight in terms.items():
            heads = self._live(lists[term][0])
            hits.keep(term, weight * self._rarity(heads), heads)
            self._add(hits.words, heads, hits.worth[term])
            if names := self._live(self._postings.lists("names", term)[0]):
                self._add(hits.names, names, weight * self._rarity(names), by_length=False)
        self._look_closer(hits, lists)
        return hits

    def words(self, terms: Mapping[str, float]) -> dict[int, float]:
        """BM25 of the whole text alone."""
        found: dict[int, float] = {}
        for term, weight in terms.items():
            heads = self._live(self._postings.lists("text", term)[0])
            self._add(found, heads, weight * self._rarity(heads))
        return found

    def naming(self, term: str) -> set[int]:
        """Documents that define a name with the term."""
        return {number_of(head) for head in self._live(self._postings.lists("names", term)[0])}

    def _live(self, heads: array[int]) -> list[int]:
        norm = self._norm
        return [head for head in heads if head >> 16 in norm]

    def _rarity(self, heads: Sequence[int]) -> float:
        return rarity(len(self._usual), len(self._usual.intersection([head >> 16 for head in heads])))

    def _add(self, into: dict[int, float], heads: Sequence[int], worth: float, *, by_length: bool = True) -> None:
        # The innermost loop of a search: the shift and the mask are those of `number_of` and `count_of`.
        norm, get, worth = self._norm, into.get, worth * (K1 + 1)
        for head in heads:
            number, count = head >> 16, head & COUNT_MASK
            into[number] = get(number, 0.0) + worth * count / (count + (norm[number] if by_length else K1))

    def _look_closer(self, hits: TextHits, lists: Mapping[str, tuple[array[int], array[int]]]) -> None:
        chosen: dict[int, list[tuple[float, int]]] = {}
        programs = hits.words.keys() & self._usual
        for some, most in ((programs, _CLOSER), (hits.words.keys() - programs, _CLOSER_OTHERS)):
            least = nlargest(most, (hits.words[number] for number in some))
            chosen |= {number: [] for number in some if hits.words[number] >= least[-1]}
        for term, (heads, places) in lists.items():
            worth = hits.worth[term]
            for head, place in zip(heads, places, strict=True):
                if head >> 16 in chosen:
                    chosen[head >> 16].append((worth, place))
        for number, found in chosen.items():
            hits.place[number], hits.window[number] = _best_window(found)


def _best_window(found: Sequence[tuple[float, int]]) -> tuple[float, int]:
    """The most that one bit of the places has in worth, and which; the first of equals."""
    sums: dict[int, float] = {}
    for worth, place in found:
        while place:
            low = place & -place
            sums[low] = sums.get(low, 0.0) + worth
            place ^= low
    best = max(sums, key=lambda bit: (sums[bit], -bit))
    return sums[best], best.bit_length() - 1
