"""C, and the includes of the C family."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from posixpath import normpath

from repowright_tools.index.languages.language import Docs, Grammar, Language, Sources
from repowright_tools.index.paths import folder_of, name_of

_FAMILY = frozenset({"c", "cpp"})


def exported(name: str, head: str, within: str, access: str) -> bool:
    """Whatever is not `static`."""
    return "static" not in head.split()


class Includes:
    """`x.h` beside the file, or the one nearest to it whose path ends so; `<a/x.h>` is looked for in the latter way.

    Which folders a compiler is told to search is in no source file.
    """

    def __init__(self, sources: Sources) -> None:
        self._by_name: defaultdict[str, list[str]] = defaultdict(list)
        self._paths = sources.files.keys()
        for path in sorted(path for path, (grammar, _) in sources.files.items() if grammar in _FAMILY):
            self._by_name[name_of(path)].append(path)

    def resolve(self, path: str, target: str) -> Sequence[str]:
        name = target.strip("<>")
        if not target.startswith("<"):
            beside = normpath(f"{folder_of(path) or '.'}/{name}")
            if beside in self._paths:
                return [beside]
        elif "/" not in name:
            return []
        while name.startswith("../"):
            name = name[3:]
        ending = f"/{name}"
        found = [other for other in self._by_name.get(name_of(name), ()) if f"/{other}".endswith(ending)]
        return [min(found, key=lambda other: (-_shared(path, other), len(other), other))] if found else []


def _shared(one: str, other: str) -> int:
    """How many folders two paths have in common from the root on."""
    shared = 0
    for mine, yours in zip(one.split("/")[:-1], other.split("/")[:-1], strict=False):
        if mine != yours:
            break
        shared += 1
    return shared


LANGUAGE = Language(
    "C",
    "c h",
    grammars=(Grammar("c", "tree_sitter_c", ("c",), extensions="c"),),  # a header may be C++: its grammar takes both
    family="c",
    exported=exported,
    docs=Docs(lines=(b"//",), blocks=(b"/*",)),
    resolver=Includes,
)
