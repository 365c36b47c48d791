"""Sorted texts of which a few are looked up: kept in blocks, and only those that matter are taken apart."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

_AFTER_TEXT, _AFTER_BLOCK = b"\xff", b"\xfe"  # neither is in any UTF-8
_BLOCK = 64  # smaller ones make more of them to load, larger ones more to take apart


@dataclass
class Keys:
    """Texts, each known by its place.

    Attributes:
        blocks: joined texts, as UTF-8, in which their order is the same.
    """

    blocks: list[bytes]
    _heads: list[bytes] = field(init=False, repr=False)
    _split: dict[int, list[bytes]] = field(default_factory=dict[int, list[bytes]], compare=False, repr=False)

    def __post_init__(self) -> None:
        self._heads = [block.partition(_AFTER_TEXT)[0] for block in self.blocks]

    @staticmethod
    def of(texts: Sequence[str]) -> "Keys":
        """`texts` are sorted, and none is empty."""
        every = list(map(_bytes, texts))
        return Keys([_AFTER_TEXT.join(every[start : start + _BLOCK]) for start in range(0, len(every), _BLOCK)])

    def place(self, text: str) -> int | None:
        """Where a text is, or None."""
        key = _bytes(text)
        number = bisect_right(self._heads, key) - 1
        if number < 0:
            return None
        block = self._split.get(number)
        if block is None:
            block = self._split[number] = self.blocks[number].split(_AFTER_TEXT)
        at = bisect_left(block, key)
        return number * _BLOCK + at if at < len(block) and block[at] == key else None

    def dumped(self) -> bytes:
        """As they are kept."""
        return _AFTER_BLOCK.join(self.blocks)

    @staticmethod
    def loaded(data: bytes) -> "Keys":
        """What was kept."""
        return Keys(data.split(_AFTER_BLOCK) if data else [])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
