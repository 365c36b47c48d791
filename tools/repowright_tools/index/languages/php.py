"""PHP."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from posixpath import normpath

from repowright_tools.index.languages.language import Docs, Grammar, Language, Sources
from repowright_tools.index.paths import folder_of


def exported(name: str, head: str, within: str, access: str) -> bool:
    """Whatever is not private or protected."""
    return {"private", "protected"}.isdisjoint(head.split())


class Uses:
    r"""`use A\B\C`: the file that defines it in that namespace; a path: from the file's folder, then from the root."""

    def __init__(self, sources: Sources) -> None:
        self._paths = sources.files.keys()
        self._names: defaultdict[str, list[str]] = defaultdict(list)
        for path in sorted(path for path, (grammar, _) in sources.files.items() if grammar == "php"):
            parsed = sources.files[path][1]
            for symbol in parsed.symbols:
                if not symbol.scope:
                    self._names[f"{parsed.package or ''}\\{symbol.name}".lstrip("\\").lower()].append(path)

    def resolve(self, path: str, target: str) -> Sequence[str]:
        if target.endswith((".php", ".inc", ".phtml")):
            name = target.lstrip("/")
            places = (normpath(f"{folder_of(path) or '.'}/{name}"), normpath(name))
            return [place for place in places if place in self._paths][:1]
        return self._names.get(target.lstrip("\\").lower(), [])


LANGUAGE = Language(
    "PHP",
    "php",
    grammars=(Grammar("php", "tree_sitter_php", ("php",), function="language_php"),),
    exported=exported,
    docs=Docs(blocks=(b"/**",)),
    resolver=Uses,
)
