"""Words of code and prose: what two texts have in common is counted in these."""

import re
from collections import Counter
from collections.abc import Iterable

MAX_WORD = 64
"""Characters of the longest word that is kept: what is longer is data."""

_CACHE_WORDS = 200_000
WORD = re.compile(r"\w+")
PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")
_VOWEL = re.compile(r"[aeiouy]")
_ENDINGS = (  # ending, what stands in its place, letters that must be left; the longest first
    *(("ings", "", 3), ("ing", "", 3), ("ied", "y", 2), ("ies", "y", 2)),
    *(("ed", "", 3), ("es", "", 3), ("s", "", 3)),
)

_cache: dict[str, tuple[str, ...]] = {}


def words(text: str) -> list[str]:
    """Lower-case words of a text, an identifier giving its parts and itself: `parseURL` is parse, url and parseurl."""
    found: list[str] = []
    for word in WORD.findall(text):
        parts = PARTS.findall(word)
        found += [part.lower() for part in parts]
        if len(parts) > 1:
            found.append("".join(parts).lower())
    return found


def terms(text: str) -> Counter[str]:
    """What a text is found by, and how often: the stems of its words, and identifiers as a whole."""
    found: Counter[str] = Counter()
    for word, count in Counter(WORD.findall(text)).items():
        for term in terms_of_word(word):
            found[term] += count
    return found


def terms_of_word(word: str) -> tuple[str, ...]:
    """The terms of one identifier or word, each once."""
    known = _cache.get(word)
    if known is None:
        if len(_cache) >= _CACHE_WORDS:  # hostile text has new words without end
            _cache.clear()
        known = _cache[word] = tuple(dict.fromkeys(_split(word)))
    return known


def _split(word: str) -> Iterable[str]:
    parts = [part.lower() for part in PARTS.findall(word[: 4 * MAX_WORD])]
    for part in parts:
        if (1 < len(part) <= MAX_WORD and not (part.isdigit() and len(part) > 4)) or not part.isascii():
            yield stem(part)
    if len(parts) > 1 and len(whole := "".join(parts)) <= MAX_WORD:
        yield whole


def stem(word: str) -> str:
    """The word without an ending of grammar: handle, handles, handled and handling are one; a handler is another thing.

    Lighter than Porter (1980): on the tuning projects of `ranking.py`, taking off -er, -ation, -ment and the like as
    well found less.
    """
    if len(word) < 4 or not word.isascii() or word.endswith(("ss", "us", "is")):
        return word
    for ending, instead, shortest in _ENDINGS:
        if word.endswith(ending):
            base = word[: -len(ending)]
            if len(base) < shortest or not _VOWEL.search(base):
                continue
            word = base + instead
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiouls":
                word = word[:-1]
            break
    return word[:-1] if len(word) > 4 and word[-1] == "e" else word
