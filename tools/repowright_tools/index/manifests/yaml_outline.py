"""The outline of a YAML file: which value stands under which keys, and on which line.

Not a YAML parser: no document is built, no alias is followed and nothing is expanded, so that a hostile file costs its
own length and no more. It knows what CI and compose files are written in: mappings, lists, quoted and block scalars.
Flow collections are left as text (`flow_items` splits a plain list).
"""

from collections.abc import Iterator
from dataclasses import dataclass

MOST_LINES = 20_000
"""Of a file; what stands below is not read."""

_MOST_DEPTH = 40
_BLOCKS = ("|", ">")


@dataclass(frozen=True, slots=True)
class Entry:
    """A value, or a key without one.

    Attributes:
        keys: what it stands under, the outermost first; an item of a list is its number, as in `steps`, `0`, `run`.
        value: without quotes, anchors and comments; empty for a key that only has something below it.
        line: from 1.
    """

    keys: tuple[str, ...]
    value: str
    line: int


class _Outline:
    """Where we are: the open keys and items, each with its column."""

    def __init__(self) -> None:
        self.open: list[tuple[int, bool, str]] = []  # column, whether it is an item, name

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(name for _, _, name in self.open)

    def enter_item(self, column: int) -> None:
        number = 0
        while self.open and (self.open[-1][0] > column or (self.open[-1][0] == column and self.open[-1][1])):
            at, is_item, name = self.open.pop()
            if is_item and at == column:
                number = int(name) + 1
        self.open.append((column, True, str(number)))

    def enter_key(self, column: int, name: str) -> None:
        while self.open and self.open[-1][0] >= column:
            self.open.pop()
        self.open.append((column, False, name))


def outline(text: str) -> Iterator[Entry]:
    """Every key and value, in the order of the file; each line of a `|` block is a value of its own."""
    place = _Outline()
    block: tuple[int, bool] | None = None  # column of what the block belongs to, and whether its lines are folded
    folded: list[tuple[int, str]] = []
    for number, raw in enumerate(text.split("\n", MOST_LINES)[:MOST_LINES], 1):
        line = raw.rstrip()
        content = line.lstrip(" ")
        column = len(line) - len(content)
        if block is not None:
            if not content or column > block[0]:
                if content and block[1]:
                    folded.append((number, content))
                elif content:
                    yield Entry(place.keys, content, number)
                continue
            yield from _unfolded(place, folded)
            block = None
        if not content or content[0] == "#" or content in {"---", "..."}:
            continue
        for entry in _entries(place, content, column, number):
            if entry.value[:1] in _BLOCKS and entry.value.rstrip("+-0123456789") in _BLOCKS:
                block = place.open[-1][0] if place.open else -1, entry.value[0] == ">"
                yield Entry(entry.keys, "", number)
            else:
                yield entry
    yield from _unfolded(place, folded)


def flow_items(value: str) -> list[str]:
    """The items of a list on one line, `[a, "b"]`; none when it is no such list."""
    if not (value.startswith("[") and value.endswith("]")):
        return []
    items = (_plain(item.strip()) for item in value[1:-1].split(","))
    return [item for item in items if item]


def _unfolded(place: _Outline, folded: list[tuple[int, str]]) -> Iterator[Entry]:
    if folded:
        yield Entry(place.keys, " ".join(content for _, content in folded), folded[0][0])
        folded.clear()


def _entries(place: _Outline, content: str, column: int, number: int) -> Iterator[Entry]:
    while content == "-" or content.startswith("- "):
        if len(place.open) >= _MOST_DEPTH:
            return
        place.enter_item(column)
        rest = content[1:].lstrip(" ")
        column += len(content) - len(rest)
        content = rest
    if not content or content[0] == "#":
        return
    key = _key(content)
    if key is None:  # an item, or a value that goes on below its key
        yield Entry(place.keys, _plain(content), number)
    elif len(place.open) < _MOST_DEPTH:
        name, value = key
        place.enter_key(column, name)
        yield Entry(place.keys, _plain(value), number)


def _key(content: str) -> tuple[str, str] | None:
    """Key and value, or None when this is a value alone."""
    if content[0] in "\"'":
        end = content.find(content[0], 1)
        if end < 0 or content[end + 1 : end + 2] != ":":
            return None
        return content[1:end], content[end + 2 :].strip()
    if content[0] in "[{|>":
        return None
    at = content.find(": ")
    if at < 0:
        return (content[:-1].strip(), "") if content.endswith(":") else None
    return content[:at].strip(), content[at + 2 :].strip()


def _plain(value: str) -> str:
    """The value without its anchor, tag, quotes and comment; an alias is nothing."""
    while value[:1] in {"&", "!"}:
        value = value.partition(" ")[2].lstrip()
    if value[:1] == "*" or value[:1] == "#":
        return ""
    if value[:1] in {'"', "'"}:
        end = value.rfind(value[0])
        return value[1:end] if end > 0 else value[1:]
    return value.partition(" #")[0].rstrip()
