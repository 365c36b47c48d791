"""Which files of the repository an import means. What is not found here is somebody else's library."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from posixpath import normpath

from repowright_tools.index.languages import family_of
from repowright_tools.index.parse import ParsedFile
from repowright_tools.index.paths import folder_of, name_of, stem_of

_SCRIPTS = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")
_RUST_ROOTS = frozenset({"lib", "main", "mod"})
_RUST_NAMES = re.compile(r"[\w*]+")


class ImportResolver:
    """Finds the files that imports of one repository mean.

    Args:
        files: grammar and parse result by path.
        go_modules: folder by module path, from the go.mod files.
    """

    def __init__(self, files: Mapping[str, tuple[str, ParsedFile]], go_modules: Mapping[str, str]) -> None:
        self._paths = frozenset(files)
        self._go_modules = go_modules
        self._folders: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self._python: dict[str, str] = {}
        self._java: defaultdict[str, list[str]] = defaultdict(list)
        for path in sorted(files):
            grammar, parsed = files[path]
            self._folders[family_of(grammar), folder_of(path)].append(path)
            if grammar == "python":
                for name in self._python_names(path):
                    self._python.setdefault(name, path)
            elif grammar == "java" and parsed.package:
                self._java[parsed.package].append(path)
                self._java[f"{parsed.package}.{stem_of(path)}"].append(path)

    def resolve(self, path: str, grammar: str, target: str) -> Sequence[str]:
        """Paths that `target`, imported by `path`, stands for; none when it lies outside the repository."""
        match family_of(grammar):
            case "python":
                return self._from_python(path, target)
            case "javascript":
                return self._from_javascript(path, target)
            case "go":
                return self._from_go(target)
            case "rust":
                return self._from_rust(path, target)
            case _:
                return self._from_java(target)

    def _python_names(self, path: str) -> Iterator[str]:
        """The dotted names by which a Python file can be imported from anywhere: from its top package or the root."""
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

    def _from_python(self, path: str, target: str) -> Sequence[str]:
        name = target.lstrip(".")
        folders = folder_of(path).split("/") if "/" in path else []
        if dots := len(target) - len(name):
            if dots - 1 > len(folders):
                return []
            here = folders[: len(folders) - dots + 1]
            found = self._python_file([*here, *name.split(".")])
            return [found] if found else []
        while name:  # `a.b.name` may be a module a.b with a name in it
            if name in self._python:
                return [self._python[name]]
            name = name.rpartition(".")[0]
        # A script's own folder is on its path; a package's is not.
        beside = "/".join([*folders, f"{target.split('.')[0]}.py"])
        in_package = "/".join([*folders, "__init__.py"]) in self._paths
        return [beside] if beside in self._paths and not in_package else []

    def _python_file(self, parts: Sequence[str]) -> str | None:
        for end in (len(parts), len(parts) - 1):
            base = "/".join(parts[:end])
            candidates = (f"{base}.py", f"{base}/__init__.py", f"{base}.pyi") if base else ("__init__.py",)
            if found := next((name for name in candidates if name in self._paths), None):
                return found
        return None

    def _from_javascript(self, path: str, target: str) -> Sequence[str]:
        if not target.startswith("."):
            return []
        base = normpath(f"{folder_of(path) or '.'}/{target}").removeprefix("./")
        bare = base.removesuffix(".js").removesuffix(".mjs")  # TypeScript names what the compiler will write
        tries = [base, *(bare + end for end in _SCRIPTS), *(f"{base}/index{end}" for end in _SCRIPTS)]
        return [name for name in tries if name in self._paths][:1]

    def _from_go(self, target: str) -> Sequence[str]:
        for module, folder in self._go_modules.items():
            if target == module or target.startswith(f"{module}/"):
                place = "/".join(part for part in (folder, target[len(module) + 1 :]) if part)
                return [name for name in self._folders["go", place] if not name.endswith("_test.go")]
        return []

    def _from_rust(self, path: str, target: str) -> Sequence[str]:
        names = _RUST_NAMES.findall(target.split("{")[0].split(" as ")[0])
        if not names:
            return []
        folder, stem = folder_of(path), stem_of(path)
        here = [part for part in folder.split("/") if part] + ([] if stem in _RUST_ROOTS else [stem])
        if names[0] == "crate":
            here = here[: here.index("src") + 1] if "src" in here else []
            names = names[1:]
        elif names[0] not in {"self", "super"}:
            return []
        while names and names[0] in {"self", "super"}:
            here = here[:-1] if names[0] == "super" else here
            names = names[1:]
        for end in range(len(names), 0, -1):
            base = "/".join([*here, *names[:end]])
            if found := [name for name in (f"{base}.rs", f"{base}/mod.rs") if name in self._paths]:
                return found[:1]
        return []

    def _from_java(self, target: str) -> Sequence[str]:
        return self._java.get(target) or self._java.get(target.rpartition(".")[0], [])


def go_modules(texts: Mapping[str, str]) -> dict[str, str]:
    """Folder by module path, longest path first, from the texts of go.mod files by path."""
    found: dict[str, str] = {}
    for path, text in texts.items():
        if name_of(path) == "go.mod" and (match := re.search(r"^module\s+\"?([^\s\"]+)", text, re.MULTILINE)):
            found[match[1]] = folder_of(path)
    return dict(sorted(found.items(), key=lambda item: (-len(item[0]), item[0])))
