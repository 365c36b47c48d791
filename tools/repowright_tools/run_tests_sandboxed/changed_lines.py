"""Statements that a change adds or alters, by the lines that they start on."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher

from repowright_tools.models import Coverage
from repowright_tools.run_tests_sandboxed.models import Run
from repowright_tools.run_tests_sandboxed.test_files import is_protected
from repowright_tools.run_tests_sandboxed.weakened import parse

_MOST_LINES = 20_000


def changed_statements(base: Mapping[str, bytes], candidate: Mapping[str, bytes]) -> dict[str, list[int]]:
    """For each Python file of the product, the first lines of the statements that hold a changed line.

    Comments, blank lines, docstrings and imports from `__future__` are nothing that could run. Of a statement that
    holds others, such as an `if`, its own head counts alone.
    """
    found: dict[str, list[int]] = {}
    for path, after in candidate.items():
        before = base.get(path, b"")
        if path.endswith(".py") and after != before and not is_protected(path) and (tree := parse(after)) is not None:
            changed = _changed(before.splitlines(), after.splitlines())
            lines = sorted({start for start, end in _statements(tree) if not changed.isdisjoint(range(start, end + 1))})
            if lines:
                found[path] = lines
    return found


def _changed(before: list[bytes], after: list[bytes]) -> set[int]:
    """Numbers of the lines that are not as before. A file too long to compare counts as new."""
    if max(len(before), len(after)) > _MOST_LINES:
        return set(range(1, len(after) + 1))
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return {line for tag, _, _, start, end in blocks if tag != "equal" for line in range(start + 1, end + 1)}


def _statements(tree: ast.Module) -> Iterator[tuple[int, int]]:
    """First and last line of each statement, or of its head."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not _is_silent(node):
            end = node.end_lineno or node.lineno
            if isinstance(node, ast.Match):
                end = node.cases[0].pattern.lineno - 1
            elif inner := getattr(node, "body", None):
                end = inner[0].lineno - 1
            yield node.lineno, max(node.lineno, end)


def _is_silent(node: ast.stmt) -> bool:
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_text or (isinstance(node, ast.ImportFrom) and node.module == "__future__")


def coverage(wanted: Mapping[str, list[int]], runs: list[Run]) -> Coverage | None:
    """How many of the wanted statements some run reached; None when a run could not be watched."""
    covered: set[tuple[str, int]] = set()
    for run in runs:
        if run.ran is None:
            return None
        covered |= {(path, line) for path, lines in run.ran.items() for line in lines if line in wanted.get(path, ())}
    return Coverage(changed_lines=sum(map(len, wanted.values())), covered=len(covered))
