"""What a source file defines, refers to and imports. A pure function of its grammar and its bytes.

The query of a grammar (`queries/*.scm`) names what it finds by these captures:

- `@definition.KIND` with `@name`, and where the grammar has no field for it `@body`. `@definition.KIND.top` counts only
  outside of functions. `@receiver` names what a definition belongs to that is written outside of it (Go, C++).
- `@scope` with `@name`: gives its name to what it holds and defines nothing (Rust's impl).
- `@reference`: a name that is used.
- `@import`, or `@import.from` with `@import.name`; `@import.module`, `@import.relative`: a file of this folder.
- `@package`, `@entry`.
- `@exported`: a statement that exports what it holds; `@export.name`: a name exported elsewhere in the file;
  `@export.list`: a literal list of all that is exported; `@access`: a label for the definitions after it.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections import Counter
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from repowright_tools.index.languages import grammar_named
from repowright_tools.index.symbols import Found, Symbol, line_of, symbols, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import ModuleType

    from tree_sitter import Node, Parser, QueryCursor

__all__ = ["Import", "ParsedFile", "Symbol", "parse"]

_MAX_NAME = 120
_MAX_TARGET = 1000
_MAX_LIST = 100_000
_MATCH_LIMIT = 1 << 12
_QUERIES = os.path.join(os.path.dirname(__file__), "queries")  # noqa: PTH118, PTH120 # pathlib costs start-up time
_ONCE = "; Once"  # what comes after this line in a query begins at the root: it is not tried at every node
_SPAN = attrgetter("start_byte", "end_byte")
_QUOTED = re.compile(rb"[\"']([^\"'\n\\]{1,120})[\"']")


class Import(NamedTuple):
    """What a file asks for, as its language spells it: `a.b.name`, `./x`, `crate::a::b`, `<a/b.h>`."""

    target: str
    line: int


class ParsedFile(NamedTuple):
    """Everything we know of a source file.

    Attributes:
        symbols: in the order of the file.
        references: how often a name is used, by name.
        imports: by line.
        package: the package or namespace it says it belongs to (Go, Java, Kotlin, C#, PHP).
        entry_line: the line of `if __name__ == "__main__"`, or None.
    """

    symbols: list[Symbol]
    references: dict[str, int]
    imports: list[Import]
    package: str | None = None
    entry_line: int | None = None


class _Compiled(NamedTuple):
    parser: Parser  # these are kept because making them costs more than a small file
    cursor: QueryCursor
    once: QueryCursor | None
    labels: Sequence[str]  # of definitions, in the order of the query


def parse(grammar: str, data: bytes) -> ParsedFile:
    """Parse a whole file.

    Holds the GIL to the end, without a time limit: run it in a process that can be killed, and in one thread of it.

    Raises:
        ImportError: the grammar's package is not installed (`languages.grammar_available`).
        KeyError: there is no such grammar.
    """
    compiled = _compiled(grammar)
    root = compiled.parser.parse(data).root_node
    captures = compiled.cursor.captures(root)
    if compiled.once is not None:
        for label, nodes in compiled.once.captures(root).items():
            captures.setdefault(label, []).extend(nodes)
    found = Found(captures, compiled.labels, data)
    for node in captures.get("export.list", ()):
        names = _QUOTED.findall(data, node.start_byte, min(node.end_byte, node.start_byte + _MAX_LIST))
        found.listed.update(name.decode("utf-8", "replace") for name in names)
        found.complete = True
    packages = _in_order(captures.get("package", ()))
    entries = _in_order(captures.get("entry", ()))
    return ParsedFile(
        symbols(found, grammar_named(grammar)[1]),
        _references(captures.get("reference", ()), data, found.names),
        [Import(target, line) for line, target in _imports(captures, data)],
        "".join(text_of(packages[0], data).split()) if packages else None,
        line_of(entries[0]) if entries else None,
    )


def _references(nodes: Sequence[Node], data: bytes, defined: set[int]) -> dict[str, int]:
    """Uses by name. There are far more of these than of anything else: as little as possible is done for each."""
    used = [data[start:end] for start, end in map(_SPAN, nodes) if start not in defined]
    references: dict[str, int] = {}
    for raw, count in Counter(used).items():
        name = raw[:_MAX_NAME].decode("utf-8", "replace")
        references[name] = references.get(name, 0) + count  # long names may begin alike
    references.pop("", None)  # a parser puts an empty name where one is missing
    return references


@cache
def _compiled(name: str) -> _Compiled:
    from tree_sitter import Language, Parser, Query, QueryCursor

    grammar, _ = grammar_named(name)
    capsule: object = getattr(_binding(grammar.package), grammar.function)()
    language = Language(capsule)
    everywhere = once = ""
    for file in grammar.queries:
        with open(os.path.join(_QUERIES, f"{file}.scm"), encoding="utf-8") as opened:  # noqa: PTH118, PTH123 # as above
            first, _, second = opened.read().partition(_ONCE)
        everywhere += first
        once += second and f";{second}"
    queries = [Query(language, source) for source in (everywhere, once) if source]
    labels = [query.capture_name(index) for query in queries for index in range(query.capture_count)]
    definitions = [label for label in dict.fromkeys(labels) if label.startswith("definition.") or label == "scope"]
    cursors = [QueryCursor(query, match_limit=_MATCH_LIMIT) for query in queries]
    if once:
        cursors[1].set_max_start_depth(0)
    return _Compiled(Parser(language), cursors[0], cursors[1] if once else None, definitions)


def _binding(package: str) -> ModuleType:
    """The compiled part of a grammar's package. The package around it has functions for tools that highlight, and
    what it imports for them takes as long as a small file.
    """
    around = PathFinder.find_spec(package)
    spec = around and PathFinder.find_spec("_binding", around.submodule_search_locations or [])
    if spec is None or spec.loader is None:
        raise ImportError(f"{package} is not installed", name=package)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _imports(captures: dict[str, list[Node]], data: bytes) -> list[tuple[int, str]]:
    """Lines and targets, in order."""
    return sorted({(line_of(node), " ".join(target.split())) for node, target in _targets(captures, data)})


def _targets(captures: dict[str, list[Node]], data: bytes) -> Iterator[tuple[Node, str]]:
    for node in captures.get("import", ()):
        yield node, _target(node, data)
    for node in captures.get("import.module", ()):  # Rust: `mod name;` is a file of this folder
        yield node, f"self::{_target(node, data)}"
    for node in captures.get("import.relative", ()):
        target = _target(node, data)
        yield node, target if target.startswith(".") else f"./{target}"
    if names := captures.get("import.name"):
        joint = "\\" if "import.backslash" in captures else "."
        nodes = _in_order(captures["import.from"])
        starts = [node.start_byte for node in nodes]
        targets = [_target(node, data) for node in nodes]
        origins = [target if target.endswith(".") else target + joint for target in targets]
        for node in names:
            yield node, origins[bisect_right(starts, node.start_byte) - 1] + _target(node, data)


def _in_order(nodes: Iterable[Node]) -> list[Node]:
    """As they stand in the file: the nodes of a capture come in no order."""
    return sorted(nodes, key=lambda node: node.start_byte)


def _target(node: Node, data: bytes) -> str:
    return text_of(node, data, _MAX_TARGET).strip("\"'`")
