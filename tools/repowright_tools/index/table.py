"""Every listed file and what is known of it, in columns: 36,000 files are a few megabytes and load in a moment."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import get_args

from repowright_tools.index.classify import Reason

ID_BYTES = 20
STAT_FIELDS = 4
NO_SIZE = -1  # of a file that was refused by its name
UNKNOWN = bytes(ID_BYTES)

_REASONS: tuple[Reason, ...] = tuple(sorted(reason for group in get_args(Reason) for reason in get_args(group)))


def code_of(reason: Reason) -> int:
    return _REASONS.index(reason) + 1


def refusal(code: int) -> bytes:
    """What stands in the place of an id for a file that is left out."""
    return UNKNOWN[:-1] + bytes([code])


@dataclass
class FileTable:
    """Columns of the same length, sorted by name on disk.

    Attributes:
        names: as git lists them.
        stats: size, times of change (ns) and inode of each; -1 where they are not to be trusted.
        ids: of each file's bytes, or `refusal`; all zero when it is not known yet.
        lines: of text files.
    """

    names: list[bytes]
    stats: "array[int]" = field(default_factory=lambda: array("q"))
    ids: bytearray = field(default_factory=bytearray)
    lines: "array[int]" = field(default_factory=lambda: array("I"))

    @classmethod
    def unknown(cls, names: list[bytes]) -> "FileTable":
        """A table of files of which nothing is known."""
        count = len(names)
        stats, ids = array("q", [-1]) * (STAT_FIELDS * count), bytearray(ID_BYTES * count)
        return cls(names, stats, ids, array("I", [0]) * count)

    def moved_to(self, names: list[bytes]) -> "FileTable":
        """What is known of those of the names that are in this table."""
        if names == self.names:
            return self
        table = FileTable.unknown(names)
        places = {name: place for place, name in enumerate(self.names)}
        for new, name in enumerate(names):
            old = places.get(name)
            if old is not None:
                table.set_stat(new, self.stats[old * STAT_FIELDS : (old + 1) * STAT_FIELDS])
                table.set(new, self.id(old), self.lines[old])
        return table

    def id(self, place: int) -> bytes:
        return bytes(self.ids[place * ID_BYTES : (place + 1) * ID_BYTES])

    def size(self, place: int) -> int:
        return self.stats[place * STAT_FIELDS]

    @property
    def refused(self) -> int:
        """How many files are left out, when all are known."""
        return self.ids.count(UNKNOWN[:-1])

    def reason(self, place: int) -> Reason | None:
        """Why the file is left out, or None."""
        start = place * ID_BYTES
        if self.ids[start] or any(self.ids[start : start + ID_BYTES - 1]):
            return None
        code = self.ids[start + ID_BYTES - 1]
        return _REASONS[code - 1] if code else None

    def set(self, place: int, identity: bytes, lines: int = 0) -> None:
        self.ids[place * ID_BYTES : (place + 1) * ID_BYTES] = identity
        self.lines[place] = lines

    def set_stat(self, place: int, stat: Sequence[int]) -> None:
        self.stats[place * STAT_FIELDS : (place + 1) * STAT_FIELDS] = array("q", stat)

    def digest(self, *more: bytes) -> bytes:
        """What this tree is known by: its names and its contents, and whatever else the caller says matters."""
        known = self._names_hashed.copy()
        known.update(b"\0\0" + self.ids)
        for item in more:
            known.update(b"\0\0" + item)
        return known.digest()

    @cached_property
    def _names_hashed(self) -> blake2b:
        """They stay, and the ids change."""
        return blake2b(b"\0".join(self.names), digest_size=16)

    def parts(self) -> dict[str, bytes]:
        """The columns as they are kept."""
        return {
            "names": b"\0".join(self.names),
            "stats": self.stats.tobytes(),
            "ids": bytes(self.ids),
            "lines": self.lines.tobytes(),
        }

    @classmethod
    def from_parts(cls, parts: dict[str, bytes]) -> "FileTable | None":
        """The table that was kept; None when the parts do not fit together."""
        names = parts.get("names", b"").split(b"\0") if parts.get("names") else []
        table = cls(names)
        try:
            table.stats.frombytes(parts.get("stats", b""))
            table.lines.frombytes(parts.get("lines", b""))
        except ValueError:
            return None
        table.ids = bytearray(parts.get("ids", b""))
        count = len(names)
        fits = len(table.stats) == STAT_FIELDS * count and len(table.ids) == ID_BYTES * count
        return table if fits and len(table.lines) == count else None


def differing(before: "array[int]", after: "array[int]") -> list[int]:
    """The places whose stats differ."""
    if before == after:
        return []
    step = 256 * STAT_FIELDS
    return [
        place
        for start in range(0, len(after), step)
        if before[start : start + step] != after[start : start + step]
        for place in range(start // STAT_FIELDS, min(start + step, len(after)) // STAT_FIELDS)
        if before[place * STAT_FIELDS : (place + 1) * STAT_FIELDS]
        != after[place * STAT_FIELDS : (place + 1) * STAT_FIELDS]
    ]
