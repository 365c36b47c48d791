"""What a source file defines, refers to and imports. A pure function of its grammar and its bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module, resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Query

_MAX_SIGNATURE = 160
_MAX_NAME = 120
_MATCH_LIMIT = 1 << 16

_GRAMMARS: Mapping[str, tuple[str, str, str]] = {  # grammar: package, function, query file
    "python": ("tree_sitter_python", "language", "python"),
    "javascript": ("tree_sitter_javascript", "language", "javascript"),
    "typescript": ("tree_sitter_typescript", "language_typescript", "typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx", "typescript"),
    "go": ("tree_sitter_go", "language", "go"),
    "rust": ("tree_sitter_rust", "language", "rust"),
    "java": ("tree_sitter_java", "language", "java"),
}
_CONTAINERS = frozenset({"class", "interface", "struct", "enum", "scope", "module"})


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition. Lines count from 1 and `end_line` is its last one.

    Attributes:
        kind: class, interface, struct, enum, type, function, method, constant, variable, macro or module.
        signature: its head on one line, without its body.
        scope: names of what encloses it, joined by dots; empty at the top of the file.
        local: whether it is inside a function, so that nothing outside can name it.
    """

    name: str
    kind: str
    signature: str
    line: int
    end_line: int
    scope: str
    local: bool


@dataclass(frozen=True, slots=True)
class Import:
    """What a file asks for, as its language spells it: `a.b.name`, `./x`, `crate::a::b`."""

    target: str
    line: int


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """Everything we know of a source file.

    Attributes:
        symbols: in the order of the file.
        references: lines on which a name is used, by name.
        package: the package it says it belongs to (Go, Java).
        entry_line: the line of `if __name__ == "__main__"`, or None.
    """

    symbols: list[Symbol] = field(default_factory=list[Symbol])
    references: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    imports: list[Import] = field(default_factory=list[Import])
    package: str | None = None
    entry_line: int | None = None


@dataclass(frozen=True, slots=True)
class _Definition:
    kind: str
    node: Node
    name: Node
    pattern: int  # its place in the query file


def parse(grammar: str, data: bytes) -> ParsedFile:
    """Parse a whole file. Holds the GIL to the end, without a time limit: run it in a process that can be killed."""
    from tree_sitter import Parser, QueryCursor

    language, query = _compiled(grammar)
    tree = Parser(language).parse(data)
    found = ParsedFile()
    definitions: list[_Definition] = []
    references: defaultdict[str, set[int]] = defaultdict(set)
    package: str | None = None
    entry_line: int | None = None
    for pattern, captures in QueryCursor(query, match_limit=_MATCH_LIMIT).matches(tree.root_node):
        if names := captures.get("reference"):
            references[_text(names[0])].add(_line(names[0]))
        elif names := captures.get("name"):
            kind, node = _definition(captures)
            definitions.append(_Definition(kind, node, names[0], pattern))
        elif "package" in captures:
            package = _text(captures["package"][0])
        elif "entry" in captures:
            entry_line = _line(captures["entry"][0])
        else:
            found.imports.extend(_imports(captures))
    found.symbols.extend(_symbols(definitions, data))
    found.imports.sort(key=lambda item: (item.line, item.target))
    found.references.update((name, sorted(references[name])) for name in sorted(references))
    return ParsedFile(found.symbols, found.references, found.imports, package, entry_line)


@cache
def _compiled(grammar: str) -> tuple[Language, Query]:
    from tree_sitter import Language, Query

    package, function, name = _GRAMMARS[grammar]
    capsule: object = getattr(import_module(package), function)()
    language = Language(capsule)
    source = resources.files("repowright_tools.index").joinpath("queries", f"{name}.scm").read_text("utf-8")
    return language, Query(language, source)


def _definition(captures: Mapping[str, Sequence[Node]]) -> tuple[str, Node]:
    for label, nodes in captures.items():
        if label == "scope" or label.startswith("definition."):
            return label.removeprefix("definition."), nodes[0]
    raise AssertionError("a pattern of the query captures @name and defines nothing")


def _imports(captures: Mapping[str, Sequence[Node]]) -> Iterator[Import]:
    if modules := captures.get("import.module"):  # Rust: `mod name;` is a file of this folder
        yield Import(f"self::{_text(modules[0])}", _line(modules[0]))
    elif names := captures.get("import.name"):
        module = _text(captures["import.from"][0])
        yield Import(f"{module}{'' if module.endswith('.') else '.'}{_text(names[0])}", _line(names[0]))
    else:
        for node in captures.get("import", ()):
            yield Import(" ".join(_text(node, most=1000).strip("\"'`").split()), _line(node))


def _symbols(definitions: list[_Definition], data: bytes) -> Iterator[Symbol]:
    """Symbols in the order of the file, each knowing what encloses it (by position: no recursion on hostile depth)."""
    definitions.sort(key=lambda it: (it.node.start_byte, -it.node.end_byte, it.name.start_byte, it.pattern))
    enclosing: list[tuple[str, str, int]] = []  # kind, name, where it ends
    seen: set[int] = set()
    for definition in definitions:
        kind, node = definition.kind, definition.node
        if definition.name.start_byte in seen:  # two patterns of a query may describe one: the first in its file wins
            continue
        seen.add(definition.name.start_byte)
        while enclosing and enclosing[-1][2] <= node.start_byte:
            enclosing.pop()
        name = _text(definition.name)
        if kind == "function" and enclosing and enclosing[-1][0] in _CONTAINERS - {"module"}:
            kind = "method"
        if kind != "scope":
            scope = ".".join(outer for _, outer, _ in enclosing[-4:])
            local = any(outer in {"function", "method"} for outer, _, _ in enclosing)
            line, end_line = _line(definition.name), node.end_point[0] + 1
            yield Symbol(name, kind, _signature(definition, data), line, end_line, scope, local)
        enclosing.append((kind, name, node.end_byte))


def _signature(definition: _Definition, data: bytes) -> str:
    """The definition from the line of its name up to its body, or that line, on one line."""
    node, name = definition.node, definition.name
    # What stands on lines above the name is decoration: annotations, attributes.
    start = max(node.start_byte, data.rfind(b"\n", 0, name.start_byte) + 1)
    inner = node.child_by_field_name("value") or node.child_by_field_name("right")
    body = node.child_by_field_name("body") or (inner.child_by_field_name("body") if inner else None)
    end = body.start_byte if body else data.find(b"\n", name.end_byte)
    comments = (child.start_byte for child in node.children if child.type == "comment")
    end = min([end, *(comment for comment in comments if name.end_byte < comment < end)])
    end = min(node.end_byte if end < 0 else end, node.end_byte, start + 4 * _MAX_SIGNATURE)
    text = " ".join(data[start:end].decode("utf-8", "replace").split()).rstrip(" {[(:=;,")
    text = text.replace("( ", "(").replace(", )", ")").replace(" )", ")")
    return text if len(text) <= _MAX_SIGNATURE else text[: _MAX_SIGNATURE - 1] + "…"


def _text(node: Node, most: int = _MAX_NAME) -> str:
    return (node.text or b"")[:most].decode("utf-8", "replace")


def _line(node: Node) -> int:
    return node.start_point[0] + 1
