"""Which files of the repository an import means. What is not found here is somebody else's library."""

import re
from collections.abc import Callable, Mapping, Sequence

from repowright_tools.index.languages import grammar_named
from repowright_tools.index.languages.language import Resolver, Sources
from repowright_tools.index.parse import ParsedFile
from repowright_tools.index.paths import folder_of, name_of

MANIFESTS = frozenset({"go.mod", "Cargo.toml", "package.json", "tsconfig.json", "jsconfig.json"})
"""Names of the files whose texts say what imports mean."""


class ImportResolver:
    """Finds the files that imports of one repository mean.

    Args:
        files: grammar and parse result by path.
        manifests: texts of the files named in `MANIFESTS`, by path.
    """

    def __init__(
        self,
        files: Mapping[str, tuple[str, ParsedFile]],
        manifests: Mapping[str, str],
    ) -> None:
        self._sources = Sources(files, go_modules(manifests), manifests)
        self._resolvers: dict[Callable[[Sources], Resolver], Resolver] = {}

    def resolve(self, path: str, grammar: str, target: str) -> Sequence[str]:
        """Paths that `target`, imported by `path`, stands for; none when it lies outside the repository."""
        make = grammar_named(grammar)[1].resolver
        if make is None:
            return []
        if make not in self._resolvers:
            self._resolvers[make] = make(self._sources)
        return self._resolvers[make].resolve(path, target)


def go_modules(texts: Mapping[str, str]) -> dict[str, str]:
    """Folder by module path, longest path first, from the texts of go.mod files by path."""
    found: dict[str, str] = {}
    for path, text in texts.items():
        if name_of(path) == "go.mod" and (match := re.search(r"^module\s+\"?([^\s\"]+)", text, re.MULTILINE)):
            found[match[1]] = folder_of(path)
    return dict(sorted(found.items(), key=lambda item: (-len(item[0]), item[0])))
