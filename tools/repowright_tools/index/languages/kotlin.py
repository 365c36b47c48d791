"""Kotlin."""

from repowright_tools.index.languages.java import PackageImports
from repowright_tools.index.languages.language import Docs, Grammar, Language

_HIDDEN = frozenset({"private", "internal", "protected"})


def exported(name: str, head: str, within: str, access: str) -> bool:
    """Public unless it says otherwise."""
    return _HIDDEN.isdisjoint(head.split())


LANGUAGE = Language(
    "Kotlin",
    "kt kts",
    grammars=(Grammar("kotlin", "tree_sitter_kotlin", ("kotlin",)),),
    family="jvm",
    exported=exported,
    docs=Docs(blocks=(b"/**",)),
    resolver=PackageImports,
)
