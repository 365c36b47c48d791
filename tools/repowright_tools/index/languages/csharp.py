"""C#."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from repowright_tools.index.languages.language import Docs, Grammar, Language, Sources


def exported(name: str, head: str, within: str, access: str) -> bool:
    """`public`; members of an interface are, said or not."""
    return within in {"interface", "enum"} or "public" in head.split()


class Usings:
    """`using a.b`: the files that declare the namespace; `using static a.b.C` and aliases: those with the type."""

    def __init__(self, sources: Sources) -> None:
        self._namespaces: defaultdict[str, list[str]] = defaultdict(list)
        self._types: defaultdict[str, list[str]] = defaultdict(list)
        for path in sorted(path for path, (grammar, _) in sources.files.items() if grammar == "csharp"):
            parsed = sources.files[path][1]
            if parsed.package:
                self._namespaces[parsed.package].append(path)
            for symbol in parsed.symbols:
                if symbol.scope in {"", parsed.package}:
                    self._types[f"{parsed.package or ''}.{symbol.name}".lstrip(".")].append(path)

    def resolve(self, path: str, target: str) -> Sequence[str]:
        found = self._namespaces.get(target) or self._types.get(target, [])
        return [one for one in found if one != path]


LANGUAGE = Language(
    "C#",
    "cs",
    grammars=(Grammar("csharp", "tree_sitter_c_sharp", ("csharp",)),),
    exported=exported,
    docs=Docs(lines=(b"///",), blocks=(b"/**",)),
    resolver=Usings,
)
