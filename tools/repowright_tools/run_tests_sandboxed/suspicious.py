"""Product code that a change brings and that speaks with the tests instead of doing its work."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from repowright_tools.run_tests_sandboxed.weakened import last_name, parse

_RUNNERS = {"pytest", "_pytest", "py.test", "unittest", "nose"}
_VARIABLES = {"PYTEST_CURRENT_TEST", "PYTEST_VERSION", "__repowright_ran__"}
_OF_PROCESS = {"sys": {"modules", "argv", "orig_argv"}, "os": {"environ"}}
_LOOPS = ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp | ast.For
_FRAMES = {"stack", "currentframe", "_getframe", "getouterframes", "extract_stack"}
_FINDERS = {"get_objects", "get_referrers"}


@dataclass(frozen=True)
class Suspicion:
    """One finding.

    Attributes:
        kind: detects_tests, equals_everything, ends_process, touches_runner.
        line: where.
        detail: one line for a reader.
        decides: what tests say of such code is worth nothing, whatever they say.
    """

    kind: str
    line: int
    detail: str
    decides: bool = False


def suspicions(before: bytes | None, after: bytes) -> list[Suspicion]:
    """What is in a file of the product after the change and was not there before, by kind and count.

    What makes every result worthless: code that asks whether it is tested (nobody has seen what it does when it is
    not), objects that are equal to everything (no comparison with them can fail; those that only show when they live
    are found by the run), and jumps over a caller's lines. The others are worth a look, and
    what they could hide is found by the run itself.
    """
    tree, old = parse(after), parse(before)
    if tree is None:
        return []
    known = Counter(found.kind for found in _suspicions(old)) if old is not None else Counter[str]()
    fresh: list[Suspicion] = []
    for found in _suspicions(tree):
        if known[found.kind]:
            known[found.kind] -= 1
        else:
            fresh.append(found)
    return fresh


def _suspicions(tree: ast.Module) -> Iterator[Suspicion]:
    imported = _imported_of_process(tree)
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Constant) and node.value in _VARIABLES:
            yield Suspicion("detects_tests", line, f"asks for {node.value}, which is set while it is tested", True)
        elif isinstance(node, ast.Compare | ast.Call | ast.Subscript | _LOOPS) and _asks_for_runner(node, imported):
            yield Suspicion("detects_tests", line, "asks whether a test runner is loaded", True)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _of_function(node)
        elif isinstance(node, ast.Call):
            yield from _of_call(node)
        elif isinstance(node, ast.Attribute | ast.ImportFrom) and _takes_any(node):
            yield Suspicion("equals_everything", line, "uses the mock that equals everything", True)
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and _moves_frame(node):
            yield Suspicion("touches_runner", line, "lets its caller go on at another line", True)
        elif isinstance(node, ast.Import | ast.ImportFrom) and _imports(node) & {"pytest", "_pytest", "pluggy"}:
            yield Suspicion("touches_runner", line, "imports the test runner")
        elif isinstance(node, ast.Assign) and any(_is_in_unittest(target) for target in node.targets):
            yield Suspicion("touches_runner", line, "replaces a part of unittest")


def _asks_for_runner(
    node: ast.Compare
    | ast.Call
    | ast.Subscript
    | ast.GeneratorExp
    | ast.ListComp
    | ast.SetComp
    | ast.DictComp
    | ast.For,
    imported: set[str],
) -> bool:
    """`"pytest" in sys.modules`, `sys.modules.get("pytest")`, loops over `sys.modules` that compare, and the like."""
    where: list[ast.AST] = [node]
    if isinstance(node, ast.Call):
        asks = isinstance(node.func, ast.Attribute) and _is_of_process(node.func.value, imported, {"sys"})
        where = [node] if asks else []
    elif isinstance(node, ast.For):
        where = [node.iter]
    elif not isinstance(node, ast.Compare | ast.Subscript):
        where = [generator.iter for generator in node.generators]
    about = any(_is_of_process(part, imported) for root in where for part in ast.walk(root))
    return about and any(isinstance(part, ast.Constant) and _is_runner(part.value) for part in ast.walk(node))


def _is_runner(value: object) -> bool:
    return isinstance(value, str) and (value.partition(".")[0] in _RUNNERS or value.startswith(("PYTEST", "pytest")))


def _imported_of_process(tree: ast.Module) -> set[str]:
    """What `from sys import modules` and the like call what is of the process."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in _OF_PROCESS.get(node.module or "", ())
    }


def _is_of_process(node: ast.AST, imported: set[str], modules: Collection[str] = tuple(_OF_PROCESS)) -> bool:
    match node:
        case ast.Attribute(ast.Name(module), name):
            return module in modules and name in _OF_PROCESS.get(module, ())
        case ast.Name(name):
            return name in imported
        case _:
            return False


def _takes_any(node: ast.Attribute | ast.ImportFrom) -> bool:
    """`from unittest.mock import ANY` and `mock.ANY`."""
    if isinstance(node, ast.Attribute):
        return node.attr == "ANY" and last_name(node.value) == "mock"
    return node.module in ("mock", "unittest.mock") and any(alias.name == "ANY" for alias in node.names)


def _moves_frame(node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(target, ast.Attribute) and target.attr == "f_lineno" for target in targets)


def _of_function(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Suspicion]:
    if _ignores_other(function):
        yield Suspicion("equals_everything", function.lineno, f"{function.name} answers without comparing", True)
    inside = list(ast.walk(function))
    looks = any(isinstance(node, ast.Call) and last_name(node.func) in _FRAMES for node in inside)
    names = any(isinstance(node, ast.Constant) and "test" in str(node.value) for node in inside)
    if looks and names:
        yield Suspicion("detects_tests", function.lineno, f"{function.name} looks for a test among its callers", True)


def _ignores_other(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether an `__eq__` can say yes, or a `__ne__` no, without a look at what it compares with."""
    harmless = {"__eq__": False, "__ne__": True}.get(function.name)
    parameters = [*function.args.posonlyargs, *function.args.args]
    if harmless is None or len(parameters) != 2:
        return False
    inside = [node for statement in function.body for node in ast.walk(statement)]
    if any(isinstance(node, ast.Name) and node.id == parameters[1].arg for node in inside):
        return False
    answers = [node.value for node in inside if isinstance(node, ast.Return)]
    return any(
        value is not None
        and last_name(value) != "NotImplemented"
        and not (isinstance(value, ast.Constant) and value.value is harmless)
        for value in answers
    )


def _of_call(call: ast.Call) -> Iterator[Suspicion]:
    match call.func:
        case ast.Attribute(ast.Name("os"), "_exit" | "abort"):
            yield Suspicion("ends_process", call.lineno, "ends the process on the spot")
        case ast.Name("type") if any(_has_made_equality(argument) for argument in call.args):
            # It can be gone before the run looks for such classes
            yield Suspicion("equals_everything", call.lineno, "makes a class that compares in its own way", True)
        case ast.Attribute(ast.Name("gc"), name) if name in _FINDERS:
            yield Suspicion("touches_runner", call.lineno, "looks through all objects of the process")
        case _:
            pass


def _has_made_equality(argument: ast.expr) -> bool:
    """Whether these are the parts of a class whose `__eq__` is a lambda."""
    if not isinstance(argument, ast.Dict):
        return False
    return any(
        isinstance(key, ast.Constant) and key.value == "__eq__" and isinstance(value, ast.Lambda)
        for key, value in zip(argument.keys, argument.values, strict=True)
    )


def _imports(node: ast.Import | ast.ImportFrom) -> set[str]:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return {name.partition(".")[0] for name in names}


def _is_in_unittest(target: ast.expr) -> bool:
    """`unittest.TestCase.assertEqual = ...` and `TestCase.assertEqual = ...`."""
    return isinstance(target, ast.Attribute) and last_name(target.value).endswith("TestCase")
