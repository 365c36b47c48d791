"""Pieces of a file that hang together: whole definitions where there are any, else a page of lines."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

from repowright_tools.index.parse import Symbol

CHUNK_LINES = 60
"""Lines of the longest chunk: about a screen."""

_SHORTEST = 12  # lines: a smaller piece goes to the one before it
_LEAD = 30  # lines above a definition that may be its comment or decoration


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines `start` to `end` of a file, counted from 1, both included.

    Attributes:
        id: of the text alone (32 hex digits of BLAKE2b), so that the same text has one id in every file and run.
    """

    id: str
    start: int
    end: int
    text: str


def chunks(text: str, symbols: Sequence[Symbol] = ()) -> Iterator[Chunk]:
    """The pieces of a text in order, together the whole of it, cut where definitions begin."""
    lines = text.split("\n")
    for start, end in spans(lines, symbols):
        piece = "\n".join(lines[start - 1 : end])
        yield Chunk(chunk_id(piece), start, end, piece)


def chunk_id(text: str) -> str:
    """What a chunk of this text is known by."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def spans(lines: Sequence[str], symbols: Sequence[Symbol]) -> list[tuple[int, int]]:
    """First and last line of every chunk, counted from 1."""
    starts = sorted({_with_lead(lines, symbol.line) for symbol in symbols if not symbol.local})
    bounds = [1]
    for start in [*(start for start in starts if 1 < start <= len(lines)), len(lines) + 1]:
        if start - bounds[-1] < _SHORTEST and start <= len(lines):
            continue
        while start - bounds[-1] > CHUNK_LINES:
            bounds.append(bounds[-1] + CHUNK_LINES)
        if start > bounds[-1]:
            bounds.append(start)
    return [(start, after - 1) for start, after in pairwise(bounds)]


def _with_lead(lines: Sequence[str], line: int) -> int:
    """The line where the definition's comment and decoration begin: after the last blank line above it."""
    first = min(line, len(lines))
    for above in range(first - 1, max(first - 1 - _LEAD, 0), -1):
        if not lines[above - 1].strip():
            return above + 1
    return first if first - 1 > _LEAD else 1
