"""Java, and imports by package on the Java virtual machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from repowright_tools.index.languages.language import Docs, Grammar, Language, Sources
from repowright_tools.index.paths import stem_of

_MACHINE = frozenset({"java", "kotlin"})


def exported(name: str, head: str, within: str, access: str) -> bool:
    """`public`; members of an interface are, said or not."""
    return within == "interface" or "public" in head.split()


class PackageImports:
    """`a.b.Class`, `a.b.Class.member`, `a.b.function` (Kotlin), and `a.b` for everything in that package."""

    def __init__(self, sources: Sources) -> None:
        self._packages: defaultdict[str, list[str]] = defaultdict(list)
        self._names: defaultdict[str, list[str]] = defaultdict(list)
        for path in sorted(path for path, (grammar, _) in sources.files.items() if grammar in _MACHINE):
            parsed = sources.files[path][1]
            package = parsed.package or ""
            self._packages[package].append(path)
            for name in {stem_of(path), *(symbol.name for symbol in parsed.symbols if not symbol.scope)}:
                self._names[f"{package}.{name}".lstrip(".")].append(path)

    def resolve(self, path: str, target: str) -> Sequence[str]:
        if found := self._names.get(target) or self._packages.get(target):
            return found
        owner = target.rpartition(".")[0]  # of a static member, or of a class inside a class
        return self._names.get(owner) or self._names.get(owner.rpartition(".")[0], [])


LANGUAGE = Language(
    "Java",
    "java",
    grammars=(Grammar("java", "tree_sitter_java", ("java",), exact=True),),
    family="jvm",
    exported=exported,
    docs=Docs(blocks=(b"/**",)),
    resolver=PackageImports,
)
