"""Statistics of plain text."""

from tally.stats import Summary, summarise
from tally.words import words

__all__ = ["Summary", "summarise", "words"]
