"""Files and definitions that a request names outright."""

import re
from collections.abc import Callable, Mapping, Sequence

from repowright_tools.index.parse import Symbol
from repowright_tools.index.paths import name_of
from repowright_tools.index.search.words import PARTS

Symbols = Callable[[str], Sequence[Symbol]]

_MAX_NAMES = 40
_MAX_PATHS = 5  # files that one name may stand for; more, and it names none of them
_TOKEN = re.compile(r"[^\s`'\"()<>\[\]{},;]+")
_EDGE = ".:!?*"


def tokens(text: str) -> list[str]:
    """What could be a path or a qualified name, each once, in order."""
    found = (token.strip(_EDGE) for token in _TOKEN.findall(text))
    return list(dict.fromkeys(token for token in found if token))[:_MAX_NAMES]


def named_paths(asked: Sequence[str], place_of: Mapping[str, int]) -> dict[int, str]:
    """Files by place, each with the token that names it: a whole path, or the end of few, from a folder on."""
    found: dict[int, str] = {}
    ends: dict[str, str] = {}
    for token in asked:
        path = token.removeprefix("./").removeprefix("/")
        if path in place_of:
            found[place_of[path]] = token
        elif "." in name_of(path) or "/" in path:
            ends[f"/{path}"] = token
    wanted, places = tuple(ends), {end: list[int]() for end in ends}
    for path, place in place_of.items() if ends else ():
        if path.endswith(wanted):
            for end in ends:
                if path.endswith(end):
                    places[end].append(place)
    for end, token in ends.items():
        if len(places[end]) <= _MAX_PATHS:
            found |= dict.fromkeys(places[end], token)
    return found


def symbol_names(asked: Sequence[str], quoted: str) -> list[str]:
    """Tokens that can only mean a definition: of several parts, called, in backticks, or all there is."""
    found: list[str] = []
    for token in asked:
        name = re.split(r"[.:#/]+", token)[-1]
        plain = PARTS.findall(name)
        if name and (len(plain) > 1 or len(asked) == 1 or f"`{token}`" in quoted or f"{token}(" in quoted):
            found.append(name)
    return list(dict.fromkeys(found))
