"""What a change takes from existing tests, read from their source: fewer checks, skips, failures that are caught."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock

_LARGEST = 1024 * 1024
_ONE_AT_A_TIME = Lock()
"""Two threads that make syntax trees at once can end in SystemError. Source:
https://github.com/python/cpython/issues/106905 (mended in Python 3.11.8 and 3.12.2)"""
_TOLERANCES = {"abs", "rel", "delta", "rtol", "atol", "abs_tol", "rel_tol", "tolerance", "tol"}
_PLACES = {"places", "decimal", "ndigits"}
_CATCHES = {"AssertionError", "Exception", "BaseException"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Weakening:
    """One finding.

    Attributes:
        kind: test_removed, test_skipped, assertion_removed, assertion_trivial, failure_swallowed, tolerance_raised.
        line: in the changed file; None for what is gone.
        detail: one line for a reader.
        disables: the test shows nothing any more, which is more than a plan that may change a test asks for.
    """

    kind: str
    line: int | None
    detail: str
    disables: bool = False


@dataclass
class _Test:
    """What one test does, as far as its source says."""

    line: int
    checks: int = 0
    trivial: int = 0
    swallowed: int = 0
    skips: set[str] = field(default_factory=set[str])
    tolerances: list[float] = field(default_factory=list[float])
    places: list[float] = field(default_factory=list[float])


def parse(data: bytes | None) -> ast.Module | None:
    """The syntax tree; None for what is no Python, or larger than source files are."""
    if data is None or len(data) > _LARGEST:
        return None
    try:
        with _ONE_AT_A_TIME:
            return ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def weakenings(before: bytes, after: bytes) -> list[Weakening]:
    """What the tests of a file check less after a change than before; nothing for a file that cannot be read."""
    old, new = parse(before), parse(after)
    if old is None or new is None:
        return []
    was, is_now = _tests(old), _tests(new)
    found = [Weakening("test_removed", None, f"{name} is gone") for name in was if name not in is_now]
    for name, test in is_now.items():
        if name in was:
            found += _compared(name, was[name], test)
    return found


def _compared(name: str, was: _Test, now: _Test) -> Iterator[Weakening]:
    if new := sorted(now.skips - was.skips):
        yield Weakening("test_skipped", now.line, f"{name} is skipped or expected to fail: {', '.join(new)}", True)
    if now.swallowed > was.swallowed:
        yield Weakening("failure_swallowed", now.line, f"{name} catches the failure of its own checks", True)
    if now.trivial > was.trivial:
        gone = now.checks == 0
        yield Weakening("assertion_trivial", now.line, f"{name} asserts what is always true", gone)
    if now.checks < was.checks:
        said = f"{name} has {now.checks} checks and had {was.checks}"
        yield Weakening("assertion_removed", now.line, said, now.checks == 0)
    if any(new > old for old, new in zip(sorted(was.tolerances), sorted(now.tolerances), strict=False)) or any(
        new < old for old, new in zip(sorted(was.places), sorted(now.places), strict=False)
    ):
        yield Weakening("tolerance_raised", now.line, f"{name} tolerates larger differences")


# --- reading one file ---------------------------------------------------------------------------------------------


def _tests(tree: ast.Module) -> dict[str, _Test]:
    return dict(_found(tree, "", _marks(tree)))


def _found(holder: ast.Module | ast.ClassDef, prefix: str, skips: set[str]) -> Iterator[tuple[str, _Test]]:
    for node in holder.body:
        if isinstance(node, ast.ClassDef):
            yield from _found(node, f"{prefix}{node.name}::", skips | _marks(node))
        elif isinstance(node, Function) and node.name.startswith("test"):
            yield f"{prefix}{node.name}", _measured(node, skips)


def _marks(holder: ast.Module | ast.ClassDef | Function) -> set[str]:
    """Skip and xfail marks on a module, class or function as a whole, and what keeps it from being collected."""
    marks: list[ast.expr] = [] if isinstance(holder, ast.Module) else list(holder.decorator_list)
    for node in [] if isinstance(holder, Function) else holder.body:
        if isinstance(node, ast.Assign) and any(last_name(target) == "pytestmark" for target in node.targets):
            marks.append(node.value)
        elif isinstance(node, ast.Assign) and any(last_name(target) == "__test__" for target in node.targets):
            marks.append(ast.Name("skip: __test__"))
        elif isinstance(node, ast.Expr | ast.Raise) and isinstance(holder, ast.Module):
            marks.append(node.value if isinstance(node, ast.Expr) else node.exc or ast.Constant(None))
    return {
        name for mark in marks for name in map(last_name, ast.walk(mark)) if "skip" in name.lower() or "xfail" in name
    }


def _measured(function: Function, skips: set[str]) -> _Test:
    test = _Test(function.lineno, skips=skips | _marks(function))
    for statement in function.body:
        if isinstance(statement, ast.Return):
            break  # what follows never runs
        for node in ast.walk(statement):
            _measure(node, test)
    return test


def _measure(node: ast.AST, test: _Test) -> None:
    if isinstance(node, ast.Assert):
        trivial = _is_trivial(node.test)
        test.trivial += trivial
        test.checks += not trivial
    elif isinstance(node, ast.Call):
        _measure_call(node, test)
    elif isinstance(node, ast.Raise) and node.exc is not None:
        names = {last_name(inner) for inner in ast.walk(node.exc)}
        test.skips |= {name for name in names if name in ("SkipTest", "Skipped")}
    elif isinstance(node, ast.Try):
        test.swallowed += _swallows(node)
    elif isinstance(node, ast.With | ast.AsyncWith):
        test.swallowed += any(_suppresses(item.context_expr) for item in node.items)


def _measure_call(call: ast.Call, test: _Test) -> None:
    name = last_name(call.func)
    if name in ("skip", "skipTest", "xfail", "importorskip"):
        test.skips.add(name)
    trivial = name in ("assertTrue", "assertEqual") and all(isinstance(value, ast.Constant) for value in call.args)
    if trivial and call.args:
        test.trivial += 1
    elif name.lower().startswith(("assert", "check", "expect", "verify")) or name in ("raises", "warns", "fail"):
        test.checks += 1
    for keyword in call.keywords:
        value = keyword.value
        if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
            if keyword.arg in _TOLERANCES:
                test.tolerances.append(float(value.value))
            elif keyword.arg in _PLACES:
                test.places.append(float(value.value))


def _is_trivial(test: ast.expr) -> bool:
    """Whether an assertion cannot fail."""
    match test:
        case ast.Constant(value):
            return bool(value)
        case ast.Tuple(elts):
            return bool(elts)
        case ast.BoolOp(ast.Or(), values):
            return any(_is_trivial(value) for value in values)
        case ast.Compare(left, [ast.Eq() | ast.Is() | ast.LtE() | ast.GtE()], [right]):
            return ast.dump(left) == ast.dump(right)
        case _:
            return False


def _swallows(node: ast.Try) -> bool:
    """Whether checks are tried and their failure is caught without a trace."""
    checks = any(
        isinstance(inner, ast.Assert) or (isinstance(inner, ast.Call) and last_name(inner.func).startswith("assert"))
        for statement in node.body
        for inner in ast.walk(statement)
    )
    return checks and any(_catches(handler) for handler in node.handlers)


def _catches(handler: ast.ExceptHandler) -> bool:
    caught = {"BaseException"} if handler.type is None else {last_name(node) for node in ast.walk(handler.type)}
    ends = (ast.Raise, ast.Assert)
    return bool(caught & _CATCHES) and not any(
        isinstance(node, ends) or (isinstance(node, ast.Call) and last_name(node.func) in ("fail", "exit"))
        for statement in handler.body
        for node in ast.walk(statement)
    )


def _suppresses(context: ast.expr) -> bool:
    return (
        isinstance(context, ast.Call)
        and last_name(context.func) == "suppress"
        and bool({last_name(argument) for argument in context.args} & _CATCHES)
    )


def last_name(node: ast.AST) -> str:
    """The last part of a dotted name; empty for anything else."""
    match node:
        case ast.Name(name) | ast.Attribute(_, name):
            return name
        case _:
            return ""
