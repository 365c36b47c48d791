"""What a parser found in a file, as text: how it travels between processes and how it is kept.

Two pieces of JSON with a tab between them, so that definitions can be read without the rest.
"""

import json
from typing import Any

from repowright_tools.index.parse import Import, ParsedFile, Symbol

TAGS = "-tags"
"""Ends the form of a file, which is else the grammar that parses it, when only its definitions are kept."""

_NAME, _LOCAL = Symbol._fields.index("name"), Symbol._fields.index("local")


def dumped(parsed: ParsedFile, *, references: bool = True) -> str:
    """One line; without `references`, those are left out."""
    rest = [parsed.references if references else {}, parsed.imports, parsed.package, parsed.entry_line]
    return f"{_json(parsed.symbols)}\t{_json(rest)}"


def loaded(text: str) -> ParsedFile:
    """What `dumped` was given.

    Raises:
        ValueError: the text is something else.
    """
    symbols, _, rest = text.partition("\t")
    try:
        references, imports, package, entry_line = json.loads(rest)
        return ParsedFile(loaded_symbols(symbols), references, [Import(*row) for row in imports], package, entry_line)
    except (TypeError, RecursionError) as error:
        raise ValueError("not a parse result") from error


def loaded_symbols(text: str) -> list[Symbol]:
    """The definitions alone. Raises ValueError."""
    try:
        return [Symbol(*row) for row in json.loads(text.partition("\t")[0])]
    except (TypeError, RecursionError) as error:
        raise ValueError("not a parse result") from error


def names_in(text: str) -> tuple[list[str], dict[str, int]]:
    """The names that a parse result defines for other files, in its order, and how often it uses which name.

    Raises:
        ValueError: the text is no parse result.
    """
    symbols, _, rest = text.partition("\t")
    try:
        defined = [row[_NAME] for row in json.loads(symbols) if not row[_LOCAL]]
        return defined, {name: len(lines) for name, lines in json.loads(rest)[0].items()}
    except (TypeError, IndexError, AttributeError, RecursionError) as error:
        raise ValueError("not a parse result") from error


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
