"""Symbols against Python's own parser, and what a hostile file can do to ours."""

import time
from pathlib import Path

import anyio
import pytest

from repowright_tools.index.languages import LANGUAGES
from repowright_tools.index.parse import parse
from support.golden import Entry, python_symbols

KINDS = {"class": "class", "function": "function", "method": "function", "constant": "value", "type": "class"}


@pytest.mark.parametrize("package", [anyio, pytest], ids=lambda package: package.__name__)
def test_python_symbols_are_those_that_its_own_parser_finds(package: object) -> None:
    root = Path(str(getattr(package, "__file__", ""))).parent
    root = root if root.name != "pytest" else root.parent / "_pytest"
    expected: set[tuple[Path, Entry]] = set()
    found: set[tuple[Path, Entry]] = set()
    for path in root.rglob("*.py"):
        data = path.read_bytes()
        expected |= {(path, entry) for entry in python_symbols(data)}
        found |= {(path, (symbol.name, KINDS[symbol.kind], symbol.line)) for symbol in parse("python", data).symbols}

    assert len(expected) > 1000
    assert len(expected & found) / len(expected) >= 0.99
    assert len(expected & found) / len(found) >= 0.99


DEEP = {
    "python": (b"def f():\n x = ", b"f(", b")"),
    "javascript": (b"", b"f(() => {", b"})"),
    "go": (b"package a\nvar x = ", b"f(", b")"),
    "c": (b"int x = ", b"(", b")"),
    "cpp": (b"", b"namespace a { class b { ", b"};}"),
    "java": (b"", b"class A { void m() { ", b"}}"),
    "ruby": (b"", b"module A\n", b"end\n"),
    "php": (b"<?php ", b"function f() { ", b"}"),
    "rust": (b"", b"mod a { fn f() {", b"}}"),
    "bash": (b"", b"f() { ", b"}\n"),
}


@pytest.mark.parametrize("grammar", DEEP)
def test_depth_costs_no_stack_and_little_time(grammar: str) -> None:
    start, opening, closing = DEEP[grammar]
    began = time.process_time()
    parsed = parse(grammar, start + opening * 5_000 + b"1" + closing * 5_000)
    assert time.process_time() - began < 2
    assert all(len(symbol.scope) < 1000 for symbol in parsed.symbols)


@pytest.mark.parametrize("grammar", [grammar.name for language in LANGUAGES for grammar in language.grammars])
@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 1000,
        b"\xff\xfe\xfd" * 1000,
        b"x" * 200_000,
        b"a=1;" * 20_000,
        b"// \n" * 20_000,
        b"'" * 5_000,
        b"{" * 5_000,
    ],
    ids=["zeros", "no text", "one word", "one line", "comments", "quotes", "braces"],
)
def test_a_file_that_nobody_wrote_gives_little_and_soon(grammar: str, data: bytes) -> None:
    began = time.process_time()
    parsed = parse(grammar, data)
    assert time.process_time() - began < 2
    assert all(len(symbol.signature) <= 160 and len(symbol.name) <= 120 for symbol in parsed.symbols)
    assert all(name and len(name) <= 120 for name in parsed.references)
