"""Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from repowright_tools.index.languages.language import Docs, Grammar, Language, Sources
from repowright_tools.index.paths import folder_of


def exported(name: str, head: str, within: str, access: str) -> bool:
    """A leading underscore says no, unless the name is the language's own or `__all__` lists it."""
    dunder = name.startswith("__") and name.endswith("__")
    return access == "export" or (access != "unlisted" and (dunder or not name.startswith("_")))


class PythonImports:
    """`a.b.name`, `.name`: from the top package, `src/`, the root, or a script's own folder."""

    def __init__(self, sources: Sources) -> None:
        self._paths = sources.files.keys()
        self._names: dict[str, str] = {}
        for path in sorted(path for path, (grammar, _) in sources.files.items() if grammar == "python"):
            for name in self._names_of(path):
                self._names.setdefault(name, path)

    def resolve(self, path: str, target: str) -> Sequence[str]:
        name = target.lstrip(".")
        folders = folder_of(path).split("/") if "/" in path else []
        if dots := len(target) - len(name):
            if dots - 1 > len(folders):
                return []
            here = folders[: len(folders) - dots + 1]
            found = self._file([*here, *name.split(".")])
            return [found] if found else []
        while name:  # `a.b.name` may be a module a.b with a name in it
            if name in self._names:
                return [self._names[name]]
            name = name.rpartition(".")[0]
        # A script's own folder is on its path; a package's is not.
        beside = "/".join([*folders, f"{target.split('.')[0]}.py"])
        in_package = "/".join([*folders, "__init__.py"]) in self._paths
        return [beside] if beside in self._paths and not in_package else []

    def _names_of(self, path: str) -> Iterator[str]:
        """The dotted names by which a file can be imported from anywhere: from its top package or the root."""
        parts = path.rpartition(".")[0].split("/")
        top = len(parts) - 1
        while top > 0 and "/".join([*parts[:top], "__init__.py"]) in self._paths:
            top -= 1
        in_package = top < len(parts) - 1
        if parts[-1] == "__init__":
            parts.pop()
        if in_package:
            yield ".".join(parts[top:])
        if parts:
            yield ".".join(parts[1:] if parts[0] in {"src", "lib"} else parts)

    def _file(self, parts: Sequence[str]) -> str | None:
        for end in (len(parts), len(parts) - 1):
            base = "/".join(parts[:end])
            candidates = (f"{base}.py", f"{base}/__init__.py", f"{base}.pyi") if base else ("__init__.py",)
            if found := next((name for name in candidates if name in self._paths), None):
                return found
        return None


LANGUAGE = Language(
    "Python",
    "py pyi",
    grammars=(Grammar("python", "tree_sitter_python", ("python",), exact=True),),
    exported=exported,
    docs=Docs(in_body=True),
    resolver=PythonImports,
)
