"""Which language a file is in; symbols, references and imports of Python, the scripts, Go, Rust and Java."""

import pytest

from repowright_tools.index.languages import LANGUAGES, family_of, grammar_available, grammar_of, language_of
from repowright_tools.index.parse import ParsedFile, parse
from support.outline import imports, outline, signatures

GRAMMARS = [grammar.name for language in LANGUAGES for grammar in language.grammars]


def test_every_grammar_is_installed_and_its_query_fits_it() -> None:
    assert len(GRAMMARS) == 14
    for grammar in GRAMMARS:
        assert grammar_available(grammar)
        assert parse(grammar, b"") == ParsedFile([], {}, [])
    assert not grammar_available("cobol")


@pytest.mark.parametrize(
    ("path", "language", "grammar"),
    [
        ("a/b.py", "Python", "python"),
        ("a.d.ts", "TypeScript", "typescript"),
        ("A.TSX", "TypeScript", "tsx"),
        ("x.mjs", "JavaScript", "javascript"),
        ("x.c", "C", "c"),
        ("x.h", "C", "cpp"),
        ("x.hpp", "C++", "cpp"),
        ("Gemfile", "Ruby", "ruby"),
        ("build.gradle.kts", "Kotlin", "kotlin"),
        ("run.sh", "Shell", "bash"),
        ("a.lua", "Lua", None),
        ("Makefile", "Makefile", None),
        ("py", None, None),
        ("a.py/b", None, None),
        ("a.", None, None),
        ("", None, None),
    ],
)
def test_names_tell_language_and_grammar(path: str, language: str | None, grammar: str | None) -> None:
    assert (language_of(path), grammar_of(path)) == (language, grammar)


def test_families_join_languages_that_use_each_other() -> None:
    assert family_of("typescript") == family_of("tsx") == family_of("javascript")
    assert family_of("java") == family_of("kotlin") != family_of("python")
    assert family_of("c") == family_of("cpp") != family_of("csharp")


def test_python() -> None:
    parsed = parse(
        "python",
        b'''import os, a.b as c
from .x import y as z
LIMIT = 1
@decorate
class A(Base):
    """Doc."""
    async def m(
        self, a: Arg, b: str = "x",
    ) -> Result:  # why
        # first
        "doc"
        def inner(): pass
        return helper(a).member
    def _hidden(self): pass
if c:
    _low, HIGH = 1, 2
if __name__ == "__main__":
    A().m(1)
''',
    )
    assert outline(parsed) == [
        "3 constant LIMIT +",
        "5 class A + doc 6",
        "7 method A.m + doc 11",
        "12 function A.m.inner local",
        "14 method A._hidden",
    ]
    assert signatures(parsed)["m"] == 'async def m(self, a: Arg, b: str = "x") -> Result'
    assert parsed.symbols[2].end_line == 13
    assert {"decorate", "Base", "Arg", "Result", "helper", "A", "member", "y"} <= set(parsed.references)
    assert parsed.references["m"] == 1
    assert imports(parsed) == ["a.b", "os", ".x.y"]
    assert parsed.entry_line == 17


def test_every_use_of_a_name_counts() -> None:
    assert parse("python", b"def f(): f(x)\nf(x); f(y.z)\n").references == {"f": 3, "x": 2, "y": 1, "z": 1}


def test_a_literal_list_of_what_a_python_module_exports_is_believed() -> None:
    parsed = parse("python", b'__all__ = ["a", "_b"]\ndef a(): pass\ndef _b(): pass\ndef c(): pass\n')
    assert [symbol.name for symbol in parsed.symbols if symbol.exported] == ["a", "_b"]


def test_each_of_the_names_that_python_assigns_at_once_is_public_or_not() -> None:
    parsed = parse("python", b"_low, high = 1, 2\nif high:\n    also: int = 3\n")
    assert outline(parsed) == ["1 constant _low", "1 constant high +", "3 constant also +"]


def test_javascript() -> None:
    parsed = parse(
        "javascript",
        b"""import x, {y} from "./x";
const z = require('z');
export const LIMIT = 3;
/** Doc. */
export class C extends D { m(a) { return foo(a) } #p() {} }
/**
 * Doc.
 */
export default function g() { const h = () => 1; return h() }
module.exports.k = function () {}
const arrow = async (a) => { return <Comp a={1}/> };
export { arrow as other };
function hidden() {}
""",
    )
    assert outline(parsed) == [
        "3 constant LIMIT +",
        "5 class C + doc 4",
        "5 method C.m +",
        "5 method C.#p",
        "9 function g + doc 6",
        "9 function g.h local",
        "10 function k +",
        "11 function arrow +",
        "13 function hidden",
    ]
    assert {"D", "foo", "Comp", "y", "x"} <= set(parsed.references)
    assert imports(parsed) == ["./x", "z"]


@pytest.mark.parametrize("grammar", ["typescript", "tsx"])
def test_typescript(grammar: str) -> None:
    parsed = parse(
        grammar,
        b"""import {y} from "./x";
export * from "./again";
export interface I { a(b: string): number }
export type T = string | I;
/** Doc. */
@Component({})
export abstract class C<K> extends D implements I { private m(a: T): I { return new Foo(a) } q = () => 1 }
export const f = ({a}: Props): Out => make(a);
namespace N { export function inner() {} function within() {} }
export enum E { A }
export const settings = define({ a: 1 });
""",
    )
    assert outline(parsed) == [
        "3 interface I +",
        "3 method I.a +",
        "4 type T +",
        "7 class C + doc 5",
        "7 method C.m",
        "7 method C.q +",
        "8 function f +",
        "9 module N",
        "9 function N.inner",
        "9 function N.within",
        "10 enum E +",
        "11 constant settings +",
    ]
    assert signatures(parsed)["m"] == "private m(a: T): I"
    assert signatures(parsed)["f"] == "export const f = ({a}: Props): Out =>"
    assert {"D", "I", "T", "Foo", "Props", "Out", "make", "y", "define", "Component"} <= set(parsed.references)
    assert imports(parsed) == ["./x", "./again"]


def test_markup_refers_to_components() -> None:
    references = parse("tsx", b"const a = () => <Page><ui.Button on={click}/></Page>;").references
    assert {"Page", "Button", "click"} <= set(references)


def test_go() -> None:
    parsed = parse(
        "go",
        b"""package main
import ("fmt"; x "a/b/c")
// S is
// documented.
type S struct { a int }
type I interface { M() }
type F func(a int)
const (
	K = 1
	low = 2
)
func (s *S) M(a Arg) error { type local struct{}; return nil }
func main() { fmt.Println(K); helper() }
""",
    )
    assert outline(parsed) == [
        "5 struct S + doc 3",
        "6 interface I +",
        "6 method I.M +",
        "7 type F +",
        "9 constant K +",
        "10 constant low",
        "12 method S.M +",
        "13 function main",
    ]
    assert signatures(parsed)["S"] == "type S struct { a int }"
    assert parsed.symbols[6].signature == "func (s *S) M(a Arg) error"
    assert {"S", "Arg", "helper", "K", "Println"} <= set(parsed.references)
    assert "M" not in parsed.references  # what defines a name does not refer to it
    assert (imports(parsed), parsed.package) == (["a/b/c", "fmt"], "main")


def test_rust() -> None:
    parsed = parse(
        "rust",
        b"""mod foo;
use crate::a::{b, c as d};
/// Doc.
#[derive(Debug)]
pub struct S<T> { a: T }
impl<T> S<T> { pub fn new(a: Arg) -> Self { helper(a) } fn own(&self) {} }
pub trait Tr { fn q(&self); }
fn main() { println!("x"); }
mod tests { pub fn t() {} }
""",
    )
    assert outline(parsed) == [
        "5 struct S + doc 3",
        "6 method S.new +",
        "6 method S.own",
        "7 interface Tr +",
        "7 method Tr.q +",
        "8 function main",
        "9 module tests",
        "9 function tests.t",
    ]
    assert {"Arg", "helper", "b", "println"} <= set(parsed.references)
    assert imports(parsed) == ["self::foo", "crate::a::{b, c as d}"]


def test_java() -> None:
    parsed = parse(
        "java",
        b"""package a.b;
import c.d.E;
import static c.d.E.make;
import c.f.*;
/**
 * Doc.
 */
@Service
public class A extends B implements C {
  private int count = 1;
  public static void main(String[] args) { new E().run(); }
  void own() {}
}
interface I { int q(); }
""",
    )
    assert outline(parsed) == [
        "9 class A + doc 5",
        "10 variable A.count",
        "11 method A.main +",
        "12 method A.own",
        "14 interface I",
        "14 method I.q",
    ]
    assert parsed.symbols[0].signature == "public class A extends B implements C"
    assert {"B", "C", "E", "Service", "run"} <= set(parsed.references)
    assert (imports(parsed), parsed.package) == (["c.d.E", "c.d.E.make", "c.f"], "a.b")


def test_each_imported_name_belongs_to_the_module_of_its_own_line() -> None:
    """Captures come in no order: with a few lines nobody notices."""
    lines = [f"from package.mod{number} import name{number}, other{number}" for number in range(60)]
    found = [(item.line, item.target) for item in parse("python", "\n".join(lines).encode()).imports]
    assert found == [
        (number + 1, f"package.mod{number}.{name}{number}") for number in range(60) for name in ("name", "other")
    ]


def test_the_first_package_and_the_first_entry_count() -> None:
    guards = "".join(f"if __name__ == '__main__':\n    run{number}()\n" for number in range(40))
    assert parse("python", f"import os\n{guards}".encode()).entry_line == 2
    spaces = "".join(f"namespace N{number} {{ class C{number} {{}} }}\n" for number in range(40))
    assert parse("php", f"<?php\n{spaces}".encode()).package == "N0"
