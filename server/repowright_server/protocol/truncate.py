"""Keeping an answer under its limits: what is longest is cut, and every cut is counted."""

import json
from dataclasses import dataclass
from typing import Any

from repowright_server.json_types import is_array, is_object

MOST_STRUCTURED_BYTES = 64 * 1024
MOST_TEXT_CHARS = 32_000
NOTE_CHARS = 100
"""Characters of a text that give way to the note of what is missing."""
_SHORTEST_CUT_TEXT = 400
_SHORTEST_CUT_LIST = 3


@dataclass(frozen=True)
class _Place:
    """A value that may be cut, where it is, and what it weighs in bytes of JSON."""

    owner: Any
    key: str | int
    field: str
    weight: int


def size(value: Any) -> int:
    """Bytes of the value as the SDK writes it on the wire."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass"))


def shorten(value: dict[str, Any], most_bytes: int) -> dict[str, int]:
    """Cut the heaviest texts and lists of `value`, in place, until it fits.

    Returns:
        How many characters (of a text) or items (of a list) each field lost; a field inside a list's items counts for
        all items together.
    """
    lost: dict[str, int] = {}
    excess = size(value) - most_bytes
    while excess > 0:
        places = _places(value, "")
        if not places:
            break
        heaviest = max(places, key=lambda place: place.weight)
        field, count = _cut(heaviest, excess)
        lost[field] = lost.get(field, 0) + count
        excess = size(value) - most_bytes
    return lost


def shorten_text(text: str, most_chars: int = MOST_TEXT_CHARS) -> str:
    """The text, or its beginning with a note of how much was left out."""
    if len(text) <= most_chars:
        return text
    note = f"\n[{len(text) - most_chars + NOTE_CHARS} more characters left out; the artifacts have the whole]"
    return text[: most_chars - NOTE_CHARS] + note


def _places(value: Any, field: str) -> list[_Place]:
    found: list[_Place] = []
    for key, each in _items(value):
        name = field if isinstance(key, int) else f"{field}.{key}".removeprefix(".")
        if _is_long(each):
            found.append(_Place(value, key, name, size(each)))
        found += _places(each, name)
    return found


def _items(value: Any) -> list[tuple[str | int, Any]]:
    if is_object(value):
        return list(value.items())
    return list(enumerate(value)) if is_array(value) else []


def _is_long(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) > _SHORTEST_CUT_TEXT
    return is_array(value) and len(value) > _SHORTEST_CUT_LIST


def _cut(place: _Place, excess: int) -> tuple[str, int]:
    """Cut at most half of the value, so that no single field pays for all."""
    value: Any = place.owner[place.key]
    share = min(0.5, excess / place.weight + 0.02)
    keep = max(int(len(value) * (1 - share)), 1)
    place.owner[place.key] = value[:keep]
    return place.field, len(value) - keep
