"""Which language a file is written in, by its name, and which grammar parses it.

A module of this package describes a language: its `LANGUAGE`, or several in `LANGUAGES`. Together with a query in
`queries/` that is all there is to a language; what lies in this folder is found.
"""

import os
from functools import cache
from importlib import import_module

from repowright_tools.index.languages.language import Grammar, Language


def _described() -> list[Language]:
    """All languages, in the order of their modules' names."""
    found: list[Language] = []
    for name in sorted({entry.partition(".")[0] for entry in os.listdir(__path__[0])}):  # noqa: PTH208 # pathlib costs ms
        if name[0] != "_" and name != "language":
            module = import_module(f"{__name__}.{name}")
            found += getattr(module, "LANGUAGES", None) or (module.LANGUAGE,)
    return found


LANGUAGES = tuple(_described())
_GRAMMARS = {grammar.name: (grammar, language) for language in LANGUAGES for grammar in language.grammars}
_BY_EXTENSION = {extension: language.name for language in LANGUAGES for extension in language.extensions.split()}
_BY_NAME = {name: language.name for language in LANGUAGES for name in language.file_names.split()}
_GRAMMAR_BY_EXTENSION = {
    extension: grammar.name
    for grammar, language in _GRAMMARS.values()
    for extension in (grammar.extensions or language.extensions).split()
}
_GRAMMAR_BY_NAME = {
    name: language.grammars[0].name
    for language in LANGUAGES
    if language.grammars
    for name in language.file_names.split()
}
_FAMILIES = {grammar.name: language.family or grammar.name for grammar, language in _GRAMMARS.values()}


def language_of(path: str) -> str | None:
    """The name of the file's language; None when its name tells nothing."""
    name = path[path.rfind("/") + 1 :].lower()
    dot = name.rfind(".")
    return _BY_NAME.get(name) or (_BY_EXTENSION.get(name[dot + 1 :]) if dot >= 0 else None)


def grammar_of(path: str) -> str | None:
    """The name of the grammar that parses the file, or None when it is text to us."""
    name = path[path.rfind("/") + 1 :].lower()
    dot = name.rfind(".")
    return _GRAMMAR_BY_NAME.get(name) or (_GRAMMAR_BY_EXTENSION.get(name[dot + 1 :]) if dot >= 0 else None)


def family_of(grammar: str) -> str:
    """Grammars of one family may refer to each other's definitions; no link is drawn across families."""
    return _FAMILIES.get(grammar, grammar)


def grammar_named(grammar: str) -> tuple[Grammar, Language]:
    """The grammar that `grammar_of` names, and its language. Raises KeyError when there is none."""
    return _GRAMMARS[grammar]


@cache
def grammar_available(grammar: str) -> bool:
    """Whether the grammar's package is installed. Without it `parse` raises ImportError."""
    from importlib.util import find_spec

    return grammar in _GRAMMARS and find_spec(_GRAMMARS[grammar][0].package) is not None
