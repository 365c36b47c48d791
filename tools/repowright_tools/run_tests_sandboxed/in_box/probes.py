"""Which of some statements ran: a call is compiled in before each of them, and nothing else is traced.

Neither the project's coverage settings nor its use of `sys.settrace` matter, and code without probes runs as ever.
"""

from __future__ import annotations

import ast
import importlib.machinery
import sys
from types import CodeType, ModuleType
from typing import Any, cast

_NAME = "__repowright_ran__"


def install_probes(wanted: dict[str, list[int]]) -> dict[str, set[int]]:
    """Watch the statements that start on these lines of these files (absolute paths).

    Returns:
        the same files with the lines that ran, filled as they run.
    """
    ran: dict[str, set[int]] = {path: set() for path in wanted}
    sys.meta_path.insert(0, _Finder(wanted, ran))
    return ran


class _Finder:
    """Finds modules as the other finders do, and has those with probes compiled by `_Loader`."""

    def __init__(self, wanted: dict[str, list[int]], ran: dict[str, set[int]]) -> None:
        self._wanted = wanted
        self._ran = ran

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        for finder in [finder for finder in sys.meta_path if finder is not self]:
            spec = finder.find_spec(name, path, target) if hasattr(finder, "find_spec") else None
            if spec is not None:
                break
        else:
            return None
        if spec.origin in self._wanted and type(spec.loader) is importlib.machinery.SourceFileLoader:
            spec.loader = _Loader(name, spec.origin, set(self._wanted[spec.origin]), self._ran[spec.origin])
        return spec

    def invalidate_caches(self) -> None:
        """Part of the protocol; there is nothing to forget."""


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles a module with probes; never from a cache, nor into one that another process could read."""

    def __init__(self, name: str, path: str, lines: set[int], ran: set[int]) -> None:
        super().__init__(name, path)
        self._lines = lines
        self._ran = ran

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        data = self.get_data(path)
        try:
            tree = with_probes(ast.parse(data, path), self._lines)
            return compile(tree, path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError):
            return super().get_code(fullname)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__[_NAME] = self._ran.add
        super().exec_module(module)


def with_probes(tree: ast.Module, lines: set[int]) -> ast.Module:
    """The module with a probe before each statement that starts on one of the lines."""
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            block: Any = getattr(node, field, None)
            if isinstance(block, list):
                statements = cast("list[ast.stmt]", block)
                block[:] = [new for statement in statements for new in _probed(statement, lines)]
    return tree


def _probed(statement: ast.stmt, lines: set[int]) -> list[ast.stmt]:
    if getattr(statement, "lineno", 0) not in lines:
        return [statement]
    call = ast.Call(ast.Name(_NAME, ast.Load()), [ast.Constant(statement.lineno)], [])
    probe = ast.copy_location(ast.Expr(call), statement)
    return [ast.fix_missing_locations(probe), statement]
