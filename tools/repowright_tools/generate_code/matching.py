"""Finding the one place that an edit means, whatever the line ends, or the nearest text when there is none."""

from bisect import bisect_left
from dataclasses import dataclass
from difflib import SequenceMatcher

_MAX_LINES_SEARCHED = 20_000
_MAX_NEAREST_LINES = 12
_MAX_NEAREST_CHARACTERS = 1_500


@dataclass(frozen=True)
class Place:
    """A stretch of the text, and what goes there instead."""

    start: int
    end: int
    new: str


@dataclass(frozen=True)
class Mismatch:
    """Why an edit has no place. `nearest` is the text that comes closest, with the line it starts on."""

    reason: str
    nearest: str | None


def locate(text: str, old: str, new: str) -> Place | Mismatch:
    """The one place where `old` occurs: as it is, or, when that is nowhere, with other line ends.

    `new` takes the line ends that most lines of the text have. A last line without a newline is found by an `old` that
    ends with one, and stays without.

    Args:
        text: the file, without byte order mark.
        old: what to find; not empty.
        new: what to put there.
    """
    starts = _occurrences(text, old)
    if len(starts) == 1:
        return Place(starts[0], starts[0] + len(old), _with_line_ends(new, text))
    if not starts:
        found = _with_other_line_ends(text, old, new)
        if isinstance(found, Place):
            return found
        starts = found
    if starts:
        lines = ", ".join(str(text.count("\n", 0, start) + 1) for start in starts[:5])
        reason = f"`old` occurs {len(starts)} times, on lines {lines}; it must occur exactly once: add lines around it"
        return Mismatch(reason, None)
    return Mismatch("`old` does not occur in the file; copy it exactly, with its indentation", _nearest(text, old))


def _occurrences(text: str, old: str) -> list[int]:
    """All starts, overlapping ones too: where they overlap the place is just as uncertain."""
    starts: list[int] = []
    at = text.find(old)
    while at >= 0:
        starts.append(at)
        at = text.find(old, at + 1)
    return starts


def _with_other_line_ends(text: str, old: str, new: str) -> Place | list[int]:
    """Like `locate`, blind to the difference of CRLF and LF; else all the starts in `text`."""
    plain = text.replace("\r\n", "\n")
    wanted = old.replace("\r\n", "\n")
    # Where the k-th CRLF went: a position in the plain text has moved by the number of them before it.
    moved: list[int] = []
    at = text.find("\r\n")
    while at >= 0:
        moved.append(at - len(moved))
        at = text.find("\r\n", at + 2)
    starts = _occurrences(plain, wanted)
    length = len(wanted)
    if not starts and wanted.endswith("\n") and len(wanted) > 1 and plain.endswith(wanted[:-1]):
        length -= 1
        starts = [len(plain) - length]
        at_line_start = starts[0] == 0 or plain[starts[0] - 1] == "\n"
        if not at_line_start or len(_occurrences(plain, wanted[:-1])) != 1:
            return []
        new = new.removesuffix("\n").removesuffix("\r")
    originals = [start + bisect_left(moved, start) for start in starts]
    if len(starts) != 1:
        return originals
    end = starts[0] + length
    return Place(originals[0], end + bisect_left(moved, end), _with_line_ends(new, text))


def _with_line_ends(new: str, text: str) -> str:
    crlf = text.count("\r\n")
    if crlf == 0:
        return new
    new = new.replace("\r\n", "\n")
    return new.replace("\n", "\r\n") if crlf * 2 > text.count("\n") else new


def _nearest(text: str, old: str) -> str | None:
    """The lines that resemble `old` most, found by its longest line; None when nothing does."""
    lines = text.splitlines()[:_MAX_LINES_SEARCHED]
    wanted = old.strip("\r\n").splitlines() or [old]
    anchor = max(range(len(wanted)), key=lambda number: len(wanted[number].strip()))
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted[anchor].strip()[:300])
    best, best_line = 0.6, -1
    for number, line in enumerate(lines):
        matcher.set_seq1(line.strip()[:300])
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best and (ratio := matcher.ratio()) > best:
            best, best_line = ratio, number
    if best_line < 0:
        return None
    first = max(0, best_line - anchor)
    shown = "\n".join(lines[first : first + min(len(wanted), _MAX_NEAREST_LINES)])[:_MAX_NEAREST_CHARACTERS]
    return f"line {first + 1}:\n{shown}"
