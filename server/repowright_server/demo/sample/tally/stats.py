"""The figures of a text."""

from collections import Counter
from dataclasses import dataclass

from tally.words import words


@dataclass(frozen=True)
class Summary:
    """What `summarise` finds out about a text.

    Attributes:
        lines: how many lines the text has.
        words: how many words, repeated ones included.
        distinct_words: how many different words.
        longest_word: the longest word, the first of several; empty in a text without words.
    """

    lines: int
    words: int
    distinct_words: int
    longest_word: str


def summarise(text: str) -> Summary:
    """Work out the figures of a text.

    Args:
        text: any text.

    Returns:
        Its figures.
    """
    counts = frequencies(text)
    return Summary(
        lines=len(text.splitlines()),
        words=sum(counts.values()),
        distinct_words=len(counts),
        longest_word=max(counts, key=len, default=""),
    )


def frequencies(text: str) -> Counter[str]:
    """Count how often each word occurs.

    Args:
        text: any text.

    Returns:
        Occurrences by word, in the order of first occurrence.
    """
    return Counter(words(text))
