"""What counts as a word."""

import re

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def words(text: str) -> list[str]:
    """Split a text into words.

    Args:
        text: any text.

    Returns:
        The words in their order, in lower case.
    """
    return [normalise(match.group()) for match in _WORD.finditer(text)]


def normalise(word: str) -> str:
    """Make spellings of one word equal: case does not matter."""
    return word.casefold()
