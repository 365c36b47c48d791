"""What a Python file defines, told by Python's own parser."""

import ast
from collections.abc import Iterator

Entry = tuple[str, str, int]
"""Name, class of kinds (class, function, value), and the line of the `class`, the `def` or the assignment."""


def python_symbols(source: bytes) -> set[Entry]:
    """Classes and functions at any depth; names and type aliases assigned by a statement of the module, or of an
    `if` or `try` that is one. An annotation alone counts as an assignment, an augmented one does not.

    Raises:
        SyntaxError, ValueError: the file is not Python of this version.
    """
    tree = ast.parse(source)
    found: set[Entry] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            found.add((node.name, "class", node.lineno))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add((node.name, "function", node.lineno))
    for statement in tree.body:
        for inner in _inner(statement):
            found |= {(name.id, "value", name.lineno) for name in _assigned(inner)}
    return found


def _inner(statement: ast.stmt) -> Iterator[ast.stmt]:
    yield statement
    if isinstance(statement, ast.If | ast.Try):
        yield from statement.body
        if isinstance(statement, ast.Try):
            for handler in statement.handlers:
                yield from handler.body
            yield from statement.finalbody
        if len(statement.orelse) == 1 and isinstance(statement.orelse[0], ast.If):
            yield from _inner(statement.orelse[0])  # elif
        else:
            yield from statement.orelse


def _assigned(statement: ast.stmt) -> Iterator[ast.Name]:
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    for target in targets:
        parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
        yield from (part for part in parts if isinstance(part, ast.Name))
