"""The definitions of a file: what encloses them, their heads on one line, their documentation, who can name them."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tree_sitter import Node

    from repowright_tools.index.languages.language import Docs, Language

_MAX_SIGNATURE = 160
_MAX_NAME = 120
_MAX_HEAD = 200  # bytes before a name in which its modifiers are looked for
_MAX_LINE = 512  # bytes of a line: what is longer was not written by hand
_MAX_DOC_LINES = 200
_MAX_SCOPES = 4  # names in a scope: the innermost
_CONTAINERS = frozenset({"class", "interface", "struct", "enum", "scope"})
_CALLABLE = frozenset({"function", "method"})
_VALUES = frozenset({"constant", "variable"})
_PARTS = ("name", "body", "receiver")
_START, _PLACE = itemgetter(0), itemgetter(0, 1, 2)
_DECORATION = (b"@", b"#[", b"template")


class Symbol(NamedTuple):
    """A definition. Lines count from 1 and `end_line` is its last one.

    Attributes:
        kind: class, interface, struct, enum, type, function, method, constant, variable, macro or module.
        signature: its head on one line, without its body.
        scope: names of what encloses it, joined by dots; empty at the top of the file.
        local: whether it is inside a function, so that nothing outside can name it.
        doc_line: the first line of its docstring or doc comment, or None.
        exported: whether its language lets it be named from outside the file.
    """

    name: str
    kind: str
    signature: str
    line: int
    end_line: int
    scope: str
    local: bool
    doc_line: int | None = None
    exported: bool = True


class _Definition:
    """A definition with what was found inside of it."""

    __slots__ = ("body", "encloses", "end", "kind", "names", "node", "only_top", "receiver", "start")

    def __init__(self, start: int, end: int, kind: str, only_top: bool, node: Node) -> None:
        self.start, self.end, self.node = start, end, node
        self.kind, self.only_top = kind, only_top
        self.names: list[Node] = []
        self.body: Node | None = None
        self.receiver = ""
        self.encloses = False  # whether another one begins inside of it


class Found:
    """What the query found of definitions, put together by position.

    Attributes:
        data: the file.
        names: where their names begin, in bytes.
        exported: where statements that export begin and end.
        access: where access labels stand, and the labels.
        listed: names that are exported elsewhere in the file; `complete` when nothing else is.
    """

    def __init__(self, captures: Mapping[str, Sequence[Node]], labels: Sequence[str], data: bytes) -> None:
        self.data = data
        self._captures = captures
        self._labels = labels
        self.names = {node.start_byte for node in captures.get("name", ())}
        self.exported = [(node.start_byte, node.end_byte) for node in captures.get("exported", ())]
        self.access = [(node.start_byte, text_of(node, data)) for node in captures.get("access", ())]
        self.listed = {text_of(node, data) for node in captures.get("export.name", ())}
        self.complete = False

    def definitions(self) -> list[_Definition]:
        """Each with its names, body and receiver, in the order of the file.

        A name belongs to the innermost definition that holds it: the captures of a file are told kind by kind, which
        costs a good deal less than match by match.
        """
        nodes: list[tuple[int, int, int, Node]] = []
        kinds: list[tuple[str, bool]] = []
        for priority, label in enumerate(self._labels):
            kind, _, top = label.removeprefix("definition.").partition(".")
            kinds.append((kind, bool(top)))
            # Of two patterns that describe the same node, the first in the query wins.
            nodes += [(node.start_byte, -node.end_byte, priority, node) for node in self._captures.get(label, ())]
        nodes.sort(key=_PLACE)
        parts = [(node.start_byte, role, node) for role in _PARTS for node in self._captures.get(role, ())]
        parts.sort(key=_START)
        result: list[_Definition] = []
        stack: list[_Definition] = []
        seen: set[int] = set()
        at = 0
        last = (-1, 0)
        for start, inverse_end, priority, node in nodes:
            if (start, inverse_end) != last:
                last = (start, inverse_end)
                at = self._attach(parts, at, start, stack, seen)
                definition = _Definition(start, -inverse_end, *kinds[priority], node)
                result.append(definition)
                stack.append(definition)
        self._attach(parts, at, 1 << 62, stack, seen)
        for definition, following in pairwise(result):
            definition.encloses = following.start < definition.end
        return result

    def _attach(
        self, parts: list[tuple[int, str, Node]], at: int, until: int, stack: list[_Definition], seen: set[int]
    ) -> int:
        """Give the parts from `at` on that begin before `until` to their definitions; returns where to go on."""
        while at < len(parts) and parts[at][0] < until:
            start, role, node = parts[at]
            at += 1
            while stack and stack[-1].end <= start:
                stack.pop()
            if not stack:
                continue
            if role == "name":
                if start not in seen:
                    seen.add(start)
                    stack[-1].names.append(node)
            elif role == "body":
                stack[-1].body = stack[-1].body or node
            elif not stack[-1].receiver:
                stack[-1].receiver = ".".join(text_of(node, self.data).replace("::", ".").split())
        return at


class _Enclosing:
    """A definition that holds others."""

    __slots__ = ("access", "end", "exported", "kind", "local", "names", "scope", "start")

    def __init__(
        self, definition: _Definition, name: str, kind: str, outer: _Enclosing | None, *, exported: bool
    ) -> None:
        self.start, self.end = definition.start, definition.end
        self.kind = kind
        self.exported = exported
        self.local: bool = kind in _CALLABLE or (outer is not None and outer.local)  # whether what it holds is
        self.access = ""
        name = name.replace("::", ".")
        self.names: tuple[str, ...] = (*outer.names[1 - _MAX_SCOPES :], name) if outer else (name,)
        self.scope = ".".join(self.names)


def symbols(found: Found, language: Language) -> list[Symbol]:
    """Symbols in the order of the file, each knowing what encloses it (by position: no recursion on hostile depth)."""
    data = found.data
    labels = sorted(found.access)
    at = 0
    exports = _Exports(found)
    stack: list[_Enclosing] = []
    result: list[Symbol] = []
    last_row = -1
    for definition in found.definitions():
        start = definition.start
        while at < len(labels) and labels[at][0] < start:
            _unwind(stack, labels[at][0])
            if stack:
                stack[-1].access = labels[at][1].rstrip(":").strip()
            at += 1
        _unwind(stack, start)
        outer = stack[-1] if stack else None
        local = outer is not None and outer.local
        if not definition.names or (definition.only_top and local):
            continue
        kind = definition.kind
        if kind == "function" and (definition.receiver or (outer and outer.kind in _CONTAINERS)):
            kind = "method"
        exported = not local and (outer is None or outer.exported)
        if kind != "scope":
            scope = outer.scope if outer else ""
            if definition.receiver:
                scope = f"{scope}.{definition.receiver}" if scope else definition.receiver
            row = definition.node.start_point[0]
            body = definition.body or definition.node.child_by_field_name("body")
            doc_line = _doc_line(definition, body, data, language.docs) if row != last_row else None
            last_row = row  # a comment above a line belongs to the first of what the line defines
            end_line = definition.node.end_point[0] + 1
            reachable = exported
            for node in definition.names:
                name_start, name_end = node.byte_range
                name = data[name_start : min(name_end, name_start + _MAX_NAME)].decode("utf-8", "replace")
                if reachable:
                    head = data[max(start, name_start - _MAX_HEAD) : name_start].decode("utf-8", "replace")
                    access = exports.access(name, start, outer)
                    exported = language.exported(name, head, outer.kind if outer else "", access)
                line = node.start_point[0] + 1
                signature = _signature(definition, body, name_start, name_end, data)
                result.append(Symbol(name, kind, signature, line, end_line, scope, local, doc_line, exported))
        if definition.encloses or labels:
            first = text_of(definition.names[0], data)
            stack.append(_Enclosing(definition, first, kind, outer, exported=exported))
    return result


def _unwind(stack: list[_Enclosing], position: int) -> None:
    while stack and stack[-1].end <= position:
        stack.pop()


class _Exports:
    """Which definitions a statement or a list exports."""

    def __init__(self, found: Found) -> None:
        self._spans = sorted(found.exported)
        self._listed, self._complete = found.listed, found.complete
        self._any = bool(self._spans or self._listed or self._complete)

    def access(self, name: str, start: int, outer: _Enclosing | None) -> str:
        """See `VisibilityRule`."""
        if self._any and (outer is None or outer.kind == "module"):
            if name in self._listed:
                return "export"
            if self._complete and outer is None:
                return "unlisted"
            at = bisect_right(self._spans, (start, 1 << 62)) - 1
            if at >= 0 and self._spans[at][1] > start and (outer is None or self._spans[at][0] > outer.start):
                return "export"
        return outer.access if outer else ""


def _signature(definition: _Definition, body: Node | None, name_start: int, name_end: int, data: bytes) -> str:
    """The definition from the line of its name up to its body, or that line, on one line."""
    node = definition.node
    # What stands on lines above the name is decoration: annotations, attributes.
    line_start = data.rfind(b"\n", max(0, name_start - _MAX_LINE), name_start) + 1
    start = max(definition.start, line_start)
    if 0 < start - line_start < _MAX_HEAD and data[line_start:start].replace(b" ", b"").isalpha():
        start = line_start  # `export const`, `type`
    limit = min(definition.end, start + 4 * _MAX_SIGNATURE)
    if definition.kind in _VALUES:
        body = None
    elif body is None and (inner := node.child_by_field_name("value") or node.child_by_field_name("right")):
        body = inner.child_by_field_name("body")
    if body is not None and body.start_byte > name_end:
        end = min(body.start_byte, limit)
    else:
        end = data.find(b"\n", name_end, limit)
        while end >= 0 and data.count(b"(", start, end) > data.count(b")", start, end):
            end = data.find(b"\n", end + 1, limit)
        end = limit if end < 0 else end
    raw = data[start:end]
    if b"#" in raw or b"//" in raw or b"/*" in raw:
        raw = _without_comments(node, data, start, end)
    text = raw.decode("utf-8", "replace")
    if "\n" in text or "  " in text or "\t" in text:
        text = " ".join(text.split()).replace("( ", "(").replace(", )", ")").replace(" )", ")")
    text = text.strip().rstrip(" {[(:=;,")
    return text if len(text) <= _MAX_SIGNATURE else text[: _MAX_SIGNATURE - 1] + "…"


def _without_comments(node: Node, data: bytes, start: int, end: int) -> bytes:
    """That piece of a definition without the comments right below it; those after it do not matter."""
    kept: list[bytes] = []
    for child in node.children[:50]:
        if child.start_byte >= end:
            break
        if child.type.endswith("comment") and child.start_byte >= start:
            kept.append(data[start : child.start_byte])
            start = min(child.end_byte, end)
    return b"".join([*kept, data[start:end]])


def _doc_line(definition: _Definition, body: Node | None, data: bytes, docs: Docs) -> int | None:
    if docs.in_body:
        return _docstring_line(body) if body and definition.kind not in _VALUES else None
    return _comment_line(data, definition.start, definition.node.start_point[0] + 1, docs)


def _docstring_line(body: Node) -> int | None:
    for at in range(min(body.named_child_count, 20)):
        statement = body.named_child(at)
        kind = statement.type
        if kind == "expression_statement" and statement.named_child_count == 1:
            inner = statement.named_child(0)
            return line_of(inner) if inner.type in {"string", "concatenated_string"} else None
        if kind != "comment":
            return None
    return None


def _comment_line(data: bytes, start: int, line: int, docs: Docs) -> int | None:
    """The first line of the doc comment that ends right above, decoration in between left aside."""
    found: int | None = None
    in_block = False
    for above, text in _lines_above(data, start, line):
        if in_block:
            if b"/*" in text:
                return above if text.startswith(docs.blocks) else None
        elif text.endswith(b"*/") and docs.blocks and found is None:
            if text.startswith(b"/*"):
                return above if text.startswith(docs.blocks) else None
            in_block = True
        elif docs.lines and text.startswith(docs.lines) and not text.startswith(b"#!"):
            found = above
        elif found is not None or not text.startswith(_DECORATION):
            break
    return found


def _lines_above(data: bytes, start: int, line: int) -> Iterator[tuple[int, bytes]]:
    end = data.rfind(b"\n", max(0, start - _MAX_LINE), start)
    last = line - _MAX_DOC_LINES
    while end > 0 and line > max(last, 1):
        line -= 1
        begin = data.rfind(b"\n", max(0, end - _MAX_LINE), end)
        if begin < 0 and end > _MAX_LINE:
            return
        yield line, data[begin + 1 : end].strip()
        end = begin


def text_of(node: Node, data: bytes, most: int = _MAX_NAME) -> str:
    """What `node.text` says, which takes longer."""
    start, end = node.byte_range
    return data[start:end][:most].decode("utf-8", "replace")


def line_of(node: Node) -> int:
    """From 1."""
    return node.start_point[0] + 1
