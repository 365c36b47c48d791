"""What a parser found in a file, as text: how it travels between processes and how it is kept.

Three pieces of JSON with tabs between them, so that each can be read without the rest: the definitions; the names among
them that others can name, and how often which name is used, which is what makes the graph; and the rest.
"""

import json
from array import array
from collections.abc import Iterable

from repowright_tools.index.parse import Import, ParsedFile, Symbol

TAGS = "-tags"
"""Ends the form of a file, which is else the grammar that parses it, when only its definitions are kept."""

_JSON = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode  # `json.dumps` makes one for each call


def dumped(parsed: ParsedFile, *, references: bool = True) -> str:
    """One line; without `references`, those are left out."""
    names = [[symbol.name for symbol in parsed.symbols if not symbol.local], parsed.references if references else {}]
    return "\t".join(map(_JSON, (parsed.symbols, names, parsed[2:])))


def loaded(text: str) -> ParsedFile:
    """What `dumped` was given.

    Raises:
        ValueError: the text is something else.
    """
    try:
        symbols, names, rest = text.split("\t")
        imports, package, entry_line = json.loads(rest)
        found = [Import(*row) for row in imports]
        return ParsedFile(loaded_symbols(symbols), json.loads(names)[1], found, package, entry_line)
    except (TypeError, IndexError, KeyError, RecursionError) as error:
        raise ValueError("not a parse result") from error


def loaded_symbols(text: str) -> list[Symbol]:
    """The definitions alone. Raises ValueError."""
    try:
        return [Symbol(*row) for row in json.loads(text.partition("\t")[0])]
    except (TypeError, RecursionError) as error:
        raise ValueError("not a parse result") from error


def names_in(texts: Iterable[str]) -> list[tuple[list[str], dict[str, int]]]:
    """The names that each parse result defines for other files, in its order, and how often it uses which name.

    All are read as one text: so a name that many files use is one object, which is faster to make and to look up.

    Raises:
        ValueError: a text is no parse result.
    """
    try:
        pieces = [text.split("\t")[1] for text in texts]
        found: list[tuple[list[str], dict[str, int]]] = [
            (defined, used) for defined, used in json.loads(f"[{','.join(pieces)}]")
        ]
        for _, used in found:
            array("I", used.values())  # TypeError, OverflowError: these are no counts
    except (TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise ValueError("not a parse result") from error
    if len(found) != len(pieces):
        raise ValueError("not a parse result")
    return found
