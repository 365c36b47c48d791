"""What users of a library import: the names that its front door opens."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from repowright_tools.index.index import RepositoryIndex
from repowright_tools.index.manifests.found import json_object
from repowright_tools.index.parse import Symbol
from repowright_tools.index.paths import folder_of, name_of
from repowright_tools.index.test_files import is_beside, is_test

_MOST = 80  # names of a front door
_MOST_DOORS = 12
_MOST_CHARACTERS = 400_000
_RANKS = {"function": 0, "macro": 0, "class": 1, "struct": 1, "interface": 1}
_CAUGHT = re.compile(r"(?:Error|Exception|Warning|Timeout)$")
_KINDS = frozenset({"class", "function", "interface", "struct", "enum", "type", "macro"})
_ALL = re.compile(r"^__all__\s?(?::[^=\n]{0,80})?\+?=\s?[\[(](?P<names>[^\])]{0,20000})", re.MULTILINE)
_NAME = re.compile(r"[\"'](?P<name>[A-Za-z]\w{0,80})[\"']")
_INDEX = re.compile(r"(?:src/|lib/)?(?:\w{1,40}/)?index\.(?:ts|tsx|mts|js|mjs)")
_EXPORT = re.compile(
    r"^export (?:declare )?(?:default )?(?:async )?(?:abstract )?"
    r"(?:function\*?|class|const enum|const|let|enum|interface|type) (?P<name>[A-Za-z$]\w{0,80})"
    r"|^export (?P<type>type )?\{(?P<names>[^{}]{0,8000})\}",
    re.MULTILINE,
)
_PUB = re.compile(
    r"^pub (?:async |unsafe |const )?(?:fn|struct|enum|trait|type|mod) (?P<name>\w{1,80})"
    r"|^pub use (?:[\w:]{1,120}::)(?:\{(?P<names>[^{}]{0,4000})\}|(?P<one>[A-Z]\w{0,80});)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class PublicName:
    """A name that a package gives to its users, and where it is defined, or else exported.

    Attributes:
        rank: in which order users look for it: what they call, what they make, the rest, what they catch.
        doc_line: the line that begins its documentation, or None.
    """

    package: str
    name: str
    path: str
    line: int
    rank: int
    doc_line: int | None = None


def public_names(index: RepositoryIndex) -> list[PublicName]:
    """Names by package, in the order of its front door; the shallowest packages first."""
    doors = sorted({*_python(index), *_javascript(index), *_go(index), *_rust(index)}, key=_shallow)[:_MOST_DOORS]
    order = {package: number for number, (_, package) in reversed(list(enumerate(doors)))}
    first: dict[tuple[str, str], PublicName] = {}
    for path, package in doors:
        for name in islice(_names(index, path, package), _MOST):
            first.setdefault((package, name.name), name)
    return sorted(first.values(), key=lambda name: (order[name.package], name.rank))


def _shallow(door: tuple[str, str]) -> tuple[int, str]:
    return door[0].count("/"), door[0]


def _python(index: RepositoryIndex) -> Iterator[tuple[str, str]]:
    for path in index.parsed:
        folder = folder_of(path)
        package = folder.removeprefix("src/")
        if name_of(path) == "__init__.py" and package and "/" not in package and _is_product(path):
            yield path, package


def _javascript(index: RepositoryIndex) -> Iterator[tuple[str, str]]:
    manifests = [path for path in index.paths if name_of(path) == "package.json" and _is_product(path)]
    for manifest in sorted(manifests, key=lambda path: (path.count("/"), path))[:200]:
        document = json_object(index.text(manifest) or "")
        name = document.get("name")
        if document.get("private") is True or not isinstance(name, str):
            continue
        if not document.keys() & {"main", "module", "exports", "types"}:
            continue
        below = manifest.removesuffix("package.json")
        doors = [path for path in index.parsed if path.startswith(below) and _INDEX.fullmatch(path[len(below) :])]
        yield from ((path, name) for path in sorted(doors, key=lambda path: (path.count("/"), path))[:2])


def _go(index: RepositoryIndex) -> Iterator[tuple[str, str]]:
    """The package at the root of the module, unless that is a program."""
    if index.has_path("go.mod"):
        for path, parsed in index.parsed.items():
            if "/" not in path and path.endswith(".go") and parsed.package not in {None, "main"} and _is_product(path):
                yield path, parsed.package or ""


def _rust(index: RepositoryIndex) -> Iterator[tuple[str, str]]:
    for path in index.parsed:
        if path.endswith("src/lib.rs") and path.count("/") <= 3 and _is_product(path):
            yield path, name_of(folder_of(folder_of(path))) or "crate"


def _names(index: RepositoryIndex, path: str, package: str) -> Iterator[PublicName]:
    text = (index.text(path) or "")[:_MOST_CHARACTERS]
    if path.endswith(".go"):
        for symbol in index.parsed[path].symbols:
            if not symbol.scope and not symbol.local and symbol.name[:1].isupper() and symbol.kind in _KINDS:
                yield _public(package, path, symbol)
        return
    defined = _defined(index, folder_of(path))
    for name, line in _opened(path, text, index):
        place = defined.get(name)
        yield _public(package, *place) if place else PublicName(package, name, path, line, 2)


def _public(package: str, path: str, symbol: Symbol) -> PublicName:
    rank = 3 if _CAUGHT.search(symbol.name) else _RANKS.get(symbol.kind, 2)
    return PublicName(package, symbol.name, path, symbol.line, rank, symbol.doc_line)


def _opened(path: str, text: str, index: RepositoryIndex) -> Iterator[tuple[str, int]]:
    """Names and the lines that open them."""
    if path.endswith(".py"):
        listed = [(match["name"], block.start("names") + match.start()) for block in _ALL.finditer(text)
                  for match in _NAME.finditer(block["names"])]  # fmt: skip
        if listed:
            yield from ((name, _line(text, at)) for name, at in listed)
            return
        package = name_of(folder_of(path))
        for item in index.parsed[path].imports:  # a package without `__all__` opens what it imports from itself
            head, _, name = item.target.rpartition(".")
            if head and (item.target.startswith(".") or head.split(".")[0] == package) and name[:1].isalpha():
                yield name, item.line
        for symbol in index.parsed[path].symbols:
            if not symbol.scope and symbol.kind in _KINDS and not symbol.name.startswith("_"):
                yield symbol.name, symbol.line
        return
    pattern = _PUB if path.endswith(".rs") else _EXPORT
    for match in pattern.finditer(text):
        groups = match.groupdict()
        if groups.get("type"):
            continue
        single = groups.get("name") or groups.get("one")
        if single:
            yield single, _line(text, match.start())
            continue
        start = match.start("names")
        for part in re.finditer(r"[^,]+", groups.get("names") or ""):
            words = part[0].split()
            if (
                words
                and words[0] != "type"
                and re.fullmatch(r"[A-Za-z$]\w{0,80}", words[-1])
                and words[-1] != "default"
            ):
                yield words[-1], _line(text, start + part.end())


def _defined(index: RepositoryIndex, folder: str) -> Mapping[str, tuple[str, Symbol]]:
    """Definitions at the top of the package's files, those of shallower files first."""
    found: dict[str, tuple[str, Symbol]] = {}
    for path in sorted(
        (path for path in index.parsed if path.startswith(f"{folder}/")), key=lambda p: (p.count("/"), p)
    ):
        if not is_test(path):
            for symbol in index.parsed[path].symbols:
                if not symbol.scope and not symbol.local and symbol.kind in _KINDS:
                    found.setdefault(symbol.name, (path, symbol))
    return found


def _is_product(path: str) -> bool:
    return not is_test(path) and not is_beside(path)


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
