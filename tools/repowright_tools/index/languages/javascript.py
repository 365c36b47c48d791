"""JavaScript, and the imports of all that runs where it runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from posixpath import normpath
from typing import Any

from repowright_tools.index.languages.language import Docs, Grammar, Language, Sources
from repowright_tools.index.paths import folder_of, name_of

_SUFFIXES = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts")
_COMMENT_OR_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/|,(?=\s*[\]}])')
_MOST_PATTERNS = 1000


def exported(name: str, head: str, within: str, access: str) -> bool:
    """`export` by a statement or a list; members of what is exported unless they are private."""
    if within in {"class", "interface", "struct", "enum", "constant", "variable", "type"}:
        return not name.startswith("#") and {"private", "protected"}.isdisjoint(head.split())
    return access == "export" or head.startswith(("exports.", "module.exports."))


class ScriptImports:
    """Relative paths, `paths` and `baseUrl` of the nearest tsconfig.json, and packages of the repository by name."""

    def __init__(self, sources: Sources) -> None:
        self._paths = sources.files.keys()
        self._packages: dict[str, tuple[str, list[str]]] = {}
        self._configs: dict[str, tuple[str, list[tuple[str, str | None, list[str]]]]] = {}  # by folder: base, patterns
        for path, text in sorted(sources.manifests.items()):
            if name_of(path) == "package.json":
                self._add_package(folder_of(path), _object(text))
            elif name_of(path) in {"tsconfig.json", "jsconfig.json"}:
                self._add_config(folder_of(path), _mapping(_object(text).get("compilerOptions")))

    def resolve(self, path: str, target: str) -> Sequence[str]:
        target = target.partition("?")[0]  # a bundler's hint on how to load it
        if target.startswith("."):
            return self._file(_joined(folder_of(path), target))
        for base in self._mapped(path, target):
            if found := self._file(base):
                return found
        parts = target.split("/", 2)
        package = "/".join(parts[:2]) if target.startswith("@") else parts[0]
        if package in self._packages:
            return self._in_package(*self._packages[package], target[len(package) + 1 :])
        return []

    def _file(self, base: str) -> list[str]:
        bare = base.removesuffix(".js").removesuffix(".mjs")  # TypeScript names what the compiler will write
        tries = [base, *(bare + end for end in _SUFFIXES), *(f"{base}/index{end}" for end in _SUFFIXES)]
        return [name for name in tries if name in self._paths][:1]

    def _mapped(self, path: str, target: str) -> Iterator[str]:
        """Where the nearest configuration says that a bare name may lie."""
        folder = folder_of(path)
        while folder not in self._configs:
            if not folder:
                return
            folder = folder_of(folder)
        base, patterns = self._configs[folder]
        for before, after, places in patterns:
            if after is None:
                yield from (_joined(base, place) for place in places if target == before)
            elif len(target) >= len(before) + len(after) and target.startswith(before) and target.endswith(after):
                star = target[len(before) : len(target) - len(after)]
                yield from (_joined(base, place.replace("*", star, 1)) for place in places)
        yield _joined(base, target)

    def _in_package(self, folder: str, entries: Sequence[str], inner: str) -> list[str]:
        tries = [inner, f"src/{inner}"] if inner else [*entries, "src/index", "index", "src/main", "lib/index"]
        for each in tries:
            if found := self._file(_joined(folder, each)):
                return found
        return []

    def _add_package(self, folder: str, package: Mapping[str, Any]) -> None:
        name = package.get("name")
        if isinstance(name, str) and name:
            entries = [package.get(key) for key in ("source", "module", "main", "types")]
            self._packages[name] = (folder, [entry for entry in entries if isinstance(entry, str)])

    def _add_config(self, folder: str, options: Mapping[str, Any]) -> None:
        paths = _mapping(options.get("paths"))
        base = options.get("baseUrl")
        if not paths and not isinstance(base, str):
            return  # it says nothing of imports: one further up may
        patterns: list[tuple[str, str | None, list[str]]] = []
        for pattern, places in list(paths.items())[:_MOST_PATTERNS]:
            before, star, after = pattern.partition("*")
            if isinstance(places, list):
                found = [place for place in places[:20] if isinstance(place, str)]  # pyright: ignore[reportUnknownVariableType] # JSON
                patterns.append((before, after if star else None, found))
        self._configs[folder] = (_joined(folder, base if isinstance(base, str) else "."), patterns)


def _joined(folder: str, path: str) -> str:
    joined = normpath(f"{folder or '.'}/{path}")
    return "" if joined == "." else joined


def _object(text: str) -> Mapping[str, Any]:
    """JSON, with the comments and last commas that configurations may have; what is none is empty."""
    try:
        return _mapping(json.loads(_COMMENT_OR_STRING.sub(lambda it: it[0] if it[0][0] == '"' else " ", text)))
    except (ValueError, RecursionError):
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType] # JSON


LANGUAGE = Language(
    "JavaScript",
    "js jsx mjs cjs",
    grammars=(Grammar("javascript", "tree_sitter_javascript", ("javascript", "jsx"), exact=True),),
    family="javascript",
    exported=exported,
    docs=Docs(blocks=(b"/**",)),
    resolver=ScriptImports,
)
