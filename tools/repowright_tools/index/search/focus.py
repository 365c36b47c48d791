"""What a request asks for: its words with their weights, and the files and definitions that it names."""

import re
from dataclasses import dataclass

from repowright_tools.index.search.words import PARTS, WORD, terms_of_word, words

MAX_TERMS = 64
"""Different terms that are looked for; the request's first ones are taken."""

MAX_CHARACTERS = 20_000
"""Of a request; the rest is not read."""

STOP_WORDS = frozenset({
    "a", "about", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "because", "been", "before",
    "being", "but", "by", "can", "could", "did", "do", "does", "doing", "don", "each", "either", "else", "even",
    "for", "from", "had", "has", "have", "how", "however", "i", "if", "in", "instead", "into", "is", "it", "its",
    "just", "let", "longer", "make", "may", "me", "more", "most", "my", "new", "no", "not", "now", "of", "on", "only",
    "or", "other", "our", "out", "over", "please", "should", "since", "so", "some", "still", "such", "than", "that",
    "the", "their", "them", "then", "there", "these", "they", "this", "those", "through", "to", "too", "up", "us",
    "use", "used", "using", "very", "via", "was", "we", "were", "what", "when", "where", "whether", "which", "while",
    "who", "why", "will", "with", "without", "would", "you", "your",
})  # fmt: skip

_QUOTED = re.compile(r"`([^`\n]{1,200})`|\"([^\"\n]{1,200})\"")


BODY, QUOTED, COMPOUND = 0.5, 1.5, 0.5
"""What words weigh below the first line; in quotes or backticks, compared with the same words without; and two words
that follow each other as if they were one (`user bar` for `userbar`)."""


@dataclass(frozen=True, slots=True)
class Focus:
    """What is looked for.

    Attributes:
        text: the request, bounded.
        terms: weights by term, in the order of the request.
        words: what the request calls each term that it has as such.
    """

    text: str
    terms: dict[str, float]
    words: dict[str, str]


def focus_of(text: str) -> Focus:
    """Read a request. Its first line says most; what stands in quotes or backticks is meant to the letter."""
    focus = Focus(text[:MAX_CHARACTERS].strip(), {}, {})
    title, _, body = focus.text.partition("\n")
    for part, weight in ((title, 1.0), (body, BODY)):
        quoted = {word for match in _QUOTED.finditer(part) for word in WORD.findall(match[1] or match[2])}
        before = ""
        for word in WORD.findall(part):
            if len(focus.terms) >= MAX_TERMS:
                break
            lower = word.lower()
            if lower in STOP_WORDS:
                before = ""
                continue
            _ask(focus, word, weight * (QUOTED if word in quoted else 1.0))
            whole = len(PARTS.findall(word)) == 1
            if before and whole:
                focus.terms.setdefault(before + lower, weight * COMPOUND)
            before = lower if whole else ""
    if not focus.terms:
        for word in WORD.findall(focus.text)[:MAX_TERMS]:
            _ask(focus, word, 1.0)
    return focus


def _ask(focus: Focus, word: str, weight: float) -> None:
    for term in terms_of_word(word):
        if term not in STOP_WORDS or word.lower() in STOP_WORDS:
            focus.terms[term] = max(focus.terms.get(term, 0.0), weight)
            focus.words.setdefault(term, word.lower())


def query_words(text: str) -> list[str]:
    """The words that are looked for, each once, in order; those that every text has are left out unless all are."""
    asked = list(dict.fromkeys(words(text[:MAX_CHARACTERS])))
    return [word for word in asked if word not in STOP_WORDS] or asked
