"""A file as the search sees it: which terms it has, how often and where. A pure function of its text and symbols."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from repowright_tools.index.parse import Symbol
from repowright_tools.index.search.chunks import spans
from repowright_tools.index.search.words import WORD, terms_of_word
from repowright_tools.secrets import redact

WINDOWS = 64
"""Places of a file that are told apart: a bit each of one 64-bit integer."""

MAX_TERMS = 20_000
"""Different terms that are kept of one file: what has more is data."""

_MAX_COUNT = 0xFFFF


@dataclass(frozen=True, slots=True)
class Document:
    """What is kept of a text.

    Attributes:
        terms: the terms of the text.
        counts: how often each is there.
        places: for each, the windows it is in, as bits.
        length: terms in all.
        windows: the first line of every window, counted from 1.
        names: the terms of the names it defines; `name_counts` are how many names have them.
    """

    terms: list[str]
    counts: list[int]
    places: list[int]
    length: int
    windows: list[int]
    names: list[str]
    name_counts: list[int]


def document(text: str, symbols: Sequence[Symbol] = ()) -> Document:
    """Take in a file. Secrets are hidden first, since what comes back is stored."""
    lines = redact(text).split("\n")
    pieces = spans(lines, symbols)
    step = max(1, -(-len(pieces) // WINDOWS))
    counts: dict[str, int] = {}
    places: dict[str, int] = {}
    windows: list[int] = []
    for window, first in enumerate(range(0, len(pieces), step)):
        start, end = pieces[first][0], pieces[min(first + step, len(pieces)) - 1][1]
        windows.append(start)
        bit = 1 << window
        for word, count in Counter(WORD.findall("\n".join(lines[start - 1 : end]))).items():
            for term in terms_of_word(word):
                if term in counts:
                    counts[term] += count
                    places[term] |= bit
                elif len(counts) < MAX_TERMS:
                    counts[term] = count
                    places[term] = bit
    names: Counter[str] = Counter()
    for name in dict.fromkeys(symbol.name for symbol in symbols):
        names.update(terms_of_word(name))
    return Document(
        list(counts),
        [min(count, _MAX_COUNT) for count in counts.values()],
        list(places.values()),
        sum(counts.values()),
        windows,
        list(names),
        [min(count, _MAX_COUNT) for count in names.values()],
    )
