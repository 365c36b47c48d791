"""Whether the test runner in this process is still the one that was started, and the tests those that were read."""

from __future__ import annotations

import ast
import builtins
import inspect
import posixpath
import sys
import types
from typing import Any, cast

_MODULES = (
    *("_pytest.runner", "_pytest.python", "_pytest.unittest", "_pytest.reports", "_pytest.skipping", "_pytest.main"),
    *("_pytest.outcomes", "_pytest.python_api", "_pytest.raises", "_pytest.nodes", "_pytest.assertion"),
    *("_pytest.assertion.rewrite", "_pytest.terminal", "pluggy._callers", "pluggy._hooks", "pluggy._manager"),
    *("pluggy._result", "unittest.case", "unittest.mock"),
)
_FACADES = ("pytest", "unittest")
"""What tests import: names of the functions and classes of other modules."""
_BUILTINS = (
    *("AssertionError", "BaseException", "Exception", "isinstance", "issubclass", "len", "all", "any", "abs", "round"),
    *("min", "max", "sum", "sorted", "repr", "set", "list", "dict", "str", "int", "float", "bool", "tuple"),
)
_ANOTHER = object()
"""Stands for the code of a test that is not what its file says."""
_CHECKS = ("assert", "isclose", "allclose", "array_equal", "eq", "ne")
_HEAP_TYPE = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: a class that a program made (CPython, Include/object.h)."""
_DECIDES = (
    *("pytest_runtest_protocol", "pytest_runtest_call", "pytest_pyfunc_call", "pytest_runtest_makereport"),
    *("pytest_runtestloop", "pytest_collection_modifyitems", "pytest_pycollect_makeitem", "pytest_sessionfinish"),
    *("pytest_ignore_collect", "pytest_runtest_logreport", "pytest_make_collect_report", "pytest_report_teststatus"),
)


class Seal:
    """Remembers the functions of the runner, and their code, from when it was made."""

    def __init__(self) -> None:
        self._entries = list(_entries())
        self._said: set[str] = set()

    def broken(self) -> list[str]:
        """Names of what was replaced and not yet named, unless an installed plugin did it."""
        found: list[str] = []
        for name, holder, key, value, code in self._entries:
            now = holder.get(key)
            if now is value and (code is None or now.__code__ is code):
                continue
            if name not in self._said and not _is_installed(now):
                self._said.add(name)
                found.append(name)
        return found


def _entries() -> Any:
    for name in _MODULES:
        module = sys.modules.get(name)
        if module is None:
            continue
        yield f"module {name}", sys.modules, name, module, None
        yield from _functions_of(name, module)
    for name in _FACADES:
        yield f"module {name}", sys.modules, name, sys.modules[name], None
        for key, value in vars(sys.modules[name]).items():
            if callable(value):
                yield f"{name}.{key}", vars(sys.modules[name]), key, value, None
    for key in _BUILTINS:
        yield f"builtins.{key}", vars(builtins), key, getattr(builtins, key), None


def _functions_of(name: str, module: types.ModuleType) -> Any:
    """Those that the module has defined itself, and those of its classes."""
    for key, value in vars(module).items():
        if getattr(value, "__module__", None) != name:
            continue
        if isinstance(value, types.FunctionType):
            yield f"{name}.{key}", vars(module), key, value, value.__code__
        elif isinstance(value, type):
            for method, function in dict[str, Any](vars(value)).items():
                if callable(function) or isinstance(function, (classmethod, staticmethod, property)):
                    code = getattr(cast(Any, function), "__code__", None)
                    yield f"{name}.{key}.{method}", vars(value), method, function, code


def _is_installed(value: Any) -> bool:
    """Whether this is a function of a module that came with the environment, which tests cannot write."""
    code = getattr(value, "__code__", None)
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    path = getattr(module, "__file__", None) or ""
    return (
        code is not None
        and code.co_filename == path
        and (path.startswith((sys.prefix, sys.base_prefix)) and not path.startswith("/work/"))
    )


class TestFunctions:
    """Remembers the code of each test from when all were collected."""

    __test__ = False

    def __init__(self) -> None:
        self._codes: dict[str, Any] = {}

    def remember(self, items: Any) -> None:
        lines: dict[str, dict[str, int]] = {}
        for item in items:
            path, name = str(getattr(item, "path", "")), getattr(item, "originalname", None) or item.name
            holder = getattr(item.parent, "obj", None)
            code = _code(inspect.getattr_static(holder, name, None)) or _code(getattr(item, "obj", None))
            if path not in lines:
                lines[path] = _plain_tests(path)
            line = lines[path].get("::".join([*item.nodeid.split("::")[1:-1], name]))
            was_read = code is not None and (code.co_filename, code.co_firstlineno) == (path, line)
            self._codes[item.nodeid] = code if line is None or was_read else _ANOTHER

    def is_replaced(self, item: Any) -> bool:
        """Whether what will run is another function than the one in the test's file, unless a plugin wraps it."""
        known, now = self._codes.get(item.nodeid), getattr(item, "obj", None)
        return known is not None and _code(now) is not known and not _is_installed(getattr(now, "__func__", now))


def _plain_tests(path: str) -> dict[str, int]:
    """The lines of the tests in a file that nothing in it wraps or assigns anew, by their names as in node ids."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return dict(_plain(ast.parse(file.read()), ""))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return {}


def _plain(holder: Any, prefix: str) -> Any:
    assigned = _assigned(holder)
    names = [getattr(node, "name", None) for node in holder.body]
    for node in holder.body:
        if names.count(getattr(node, "name", None)) > 1 or getattr(node, "decorator_list", []):
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name not in assigned:
            yield f"{prefix}{node.name}", node.lineno
        elif isinstance(node, ast.ClassDef) and not node.keywords:
            yield from _plain(node, f"{prefix}{node.name}::")


def _assigned(holder: ast.AST) -> set[str]:
    return {node.id for node in ast.walk(holder) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


def _code(function: Any) -> Any:
    return getattr(getattr(function, "__func__", function), "__code__", None)


def foreign_asserts(item: Any, home: str) -> set[str]:
    """Assertions of unittest that a file of the repository has replaced for this test, as `path::name`."""
    case: type = sys.modules["unittest.case"].TestCase
    cls: Any = getattr(item, "cls", None)
    if not isinstance(cls, type) or not issubclass(cls, case):
        return set()
    instance = getattr(item, "instance", None) or getattr(item, "_testcase", None)
    holders: list[dict[str, Any]] = [getattr(instance, "__dict__", {}), *(dict(vars(one)) for one in cls.__mro__)]
    found: set[str] = set()
    for holder in holders:
        for name in [name for name in holder if name.startswith("assert") and hasattr(case, name)]:
            path = getattr(_code(holder[name]), "co_filename", "")
            if path.startswith("/work/"):
                found.add(f"{posixpath.relpath(path, home)}::{name}")
    return found


def foreign_checks(home: str) -> set[str]:
    """What installed modules compare with and a file of the repository has replaced, as `path::module.name`."""
    found: set[str] = set()
    for module_name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith("/work/"):
            continue
        for key, value in list(getattr(module, "__dict__", {}).items()):
            path = getattr(_code(value), "co_filename", "") if key.startswith(_CHECKS) else ""
            if path.startswith("/work/"):
                found.add(f"{posixpath.relpath(path, home)}::{module_name}.{key}")
    return found


def equal_to_everything(home: str) -> list[tuple[str, str]]:
    """Classes of the repository whose empty objects say that they are equal to an object of no known kind.

    Returns:
        for each the file of its `__eq__` and its name.
    """
    found: set[tuple[str, str]] = set()
    for kind in _subclasses(object, set()):
        equal = vars(kind).get("__eq__")
        path = getattr(_code(equal), "co_filename", "")
        if equal is None or not path.startswith("/work/"):
            continue
        built_in: Any = next(one for one in kind.__mro__ if not one.__flags__ & _HEAP_TYPE)
        try:
            if equal(built_in.__new__(kind), object()) is True:
                found.add((posixpath.relpath(path, home), kind.__qualname__))
        except Exception:  # noqa: S112 - it needs what an empty object does not have, and so does look at something
            continue
    return sorted(found)


def _subclasses(kind: type, known: set[type]) -> set[type]:
    direct: list[type] = type.__subclasses__(kind)
    for one in direct:
        if one not in known:
            known.add(one)
            _subclasses(one, known)
    return known


def foreign_hooks(manager: Any, home: str) -> list[str]:
    """What the repository could decide results with: `path::hook` for hooks, `path::plugin` for other plugins."""
    found: set[str] = set()
    for plugin in manager.get_plugins():
        path = getattr(plugin, "__file__", None) or ""
        if path.startswith("/work/") and posixpath.basename(path) != "conftest.py":
            found.add(f"{posixpath.relpath(path, home)}::plugin")
    for name in _DECIDES:
        hook = getattr(manager.hook, name, None)
        for implementation in hook.get_hookimpls() if hook is not None else ():
            code = getattr(implementation.function, "__code__", None)
            path = code.co_filename if code is not None else ""
            if path.startswith("/work/"):
                found.add(f"{posixpath.relpath(path, home)}::{name}")
            elif path.startswith("<") and "in_box" not in path:
                found.add(f"{path}::{name}")
    return sorted(found)
