"""Go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from repowright_tools.index.languages.language import Docs, Grammar, Language, Sources
from repowright_tools.index.paths import folder_of


def exported(name: str, head: str, within: str, access: str) -> bool:
    """A name that begins with a capital is the package's interface."""
    return name[:1].isupper()


class GoImports:
    """`module/folder`: all files of that folder but its tests."""

    def __init__(self, sources: Sources) -> None:
        self._modules = sources.go_modules
        self._folders: defaultdict[str, list[str]] = defaultdict(list)
        for path in sorted(path for path, (grammar, _) in sources.files.items() if grammar == "go"):
            if not path.endswith("_test.go"):
                self._folders[folder_of(path)].append(path)

    def resolve(self, path: str, target: str) -> Sequence[str]:
        for module, folder in self._modules.items():
            if target == module or target.startswith(f"{module}/"):
                place = "/".join(part for part in (folder, target[len(module) + 1 :]) if part)
                return self._folders.get(place, [])
        return []


LANGUAGE = Language(
    "Go",
    "go",
    grammars=(Grammar("go", "tree_sitter_go", ("go",), exact=True),),
    exported=exported,
    docs=Docs(lines=(b"//",), blocks=(b"/*",)),
    resolver=GoImports,
)
