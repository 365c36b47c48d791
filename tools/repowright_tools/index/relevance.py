"""Which files a request in words is about."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log

from repowright_tools.index.parse import Symbol

PATH_WEIGHT = 0.5
SYMBOL_WEIGHT = 0.5

_K1, _B = 1.2, 0.75
_WORD = re.compile(r"[^\W_]+")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")
_STOP_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "can", "do", "does", "each", "for", "from", "has",
    "have", "how", "i", "if", "in", "into", "is", "it", "its", "let", "make", "me", "my", "new", "no", "not",
    "of", "on", "or", "our", "out", "should", "so", "some", "such", "than", "that", "the", "their", "them",
    "then", "there", "this", "to", "up", "us", "use", "we", "what", "when", "where", "which", "who", "will",
    "with", "would", "you", "your",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Relevant:
    """A file that fits a request. Scores compare within one answer only; `why` is for people and models."""

    path: str
    score: float
    why: str


def words(text: str) -> list[str]:
    """Lower-case words of a text, an identifier giving its parts and itself: `parseURL` is parse, url and parseurl."""
    found: list[str] = []
    for word in _WORD.findall(text):
        parts = _PARTS.findall(word)
        found += [part.lower() for part in parts]
        if len(parts) > 1:
            found.append(word.lower())
    return found


def query_words(focus: str) -> list[str]:
    """What is looked for, each word once, in order; words that every text has are left out unless nothing is left."""
    asked = list(dict.fromkeys(words(focus)))
    return [word for word in asked if word not in _STOP_WORDS] or asked


class Field:
    """One kind of text of all files under BM25 (Robertson and Zaragoza, 2009; k1 = 1.2, b = 0.75)."""

    def __init__(self) -> None:
        self._postings: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self._lengths: dict[str, int] = {}

    def add(self, path: str, found: Iterable[str]) -> None:
        counts = Counter(found)
        self._lengths[path] = counts.total()
        for word, count in counts.items():
            self._postings[word][path] = count

    def scores(self, asked: Sequence[str]) -> dict[str, float]:
        """By path; files that have none of the words are not in it."""
        files = len(self._lengths)
        mean = sum(self._lengths.values()) / files if files else 0.0
        scores: defaultdict[str, float] = defaultdict(float)
        for word in asked:
            postings = self._postings.get(word, {})
            rarity = log(1 + (files - len(postings) + 0.5) / (len(postings) + 0.5))
            for path, count in postings.items():
                length = 1 - _B + _B * self._lengths[path] / mean
                scores[path] += rarity * count * (_K1 + 1) / (count + _K1 * length)
        return scores

    def matched(self, path: str, asked: Sequence[str]) -> list[str]:
        """Which of the words the file has, rarest first."""
        found = [word for word in asked if path in self._postings.get(word, {})]
        return sorted(found, key=lambda word: len(self._postings[word]))


class SearchIndex:
    """Content, paths and symbol names of a repository's files, each a field of its own."""

    def __init__(self, symbols: Mapping[str, Sequence[Symbol]]) -> None:
        self._content, self._paths, self._names = Field(), Field(), Field()
        self._symbols = symbols

    def add(self, path: str, text: str) -> None:
        """Enter a file; `text` is empty when its content is not searched."""
        self._content.add(path, words(text))
        self._paths.add(path, words(path))
        names = {symbol.name for symbol in self._symbols.get(path, ())}
        self._names.add(path, (word for name in sorted(names) for word in words(name)))

    def search(self, focus: str, limit: int) -> list[Relevant]:
        """The best files first, equal ones by path."""
        asked = query_words(focus)
        scores: defaultdict[str, float] = defaultdict(float)
        for part, weight in ((self._content, 1.0), (self._paths, PATH_WEIGHT), (self._names, SYMBOL_WEIGHT)):
            for path, score in part.scores(asked).items():
                scores[path] += weight * score
        best = sorted(scores, key=lambda path: (-round(scores[path], 4), path))[:limit]
        return [Relevant(path, round(scores[path], 4), self._why(path, asked)) for path in best]

    def _why(self, path: str, asked: Sequence[str]) -> str:
        reasons: list[str] = []
        if found := self._paths.matched(path, asked):
            reasons.append(f"its path has {_listed(found)}")
        if found := self._names.matched(path, asked):
            named = set(found)
            symbols = [symbol for symbol in self._symbols[path] if not named.isdisjoint(words(symbol.name))]
            # The one with most of the words, the first of equals.
            best = max(symbols, key=lambda symbol: len(named.intersection(words(symbol.name))))
            reasons.append(f"it defines {best.name} (line {best.line})")
        if found := self._content.matched(path, asked):
            reasons.append(f"its text has {_listed(found)}")
        return "; ".join(reasons)


def _listed(found: Sequence[str]) -> str:
    return ", ".join(f"'{word}'" for word in found[:5])
