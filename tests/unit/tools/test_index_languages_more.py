"""Symbols, references and imports of the C family, Ruby, PHP, Kotlin and Bash."""

from repowright_tools.index.parse import parse
from support.outline import imports, outline, signatures


def test_c() -> None:
    parsed = parse(
        "c",
        b"""#include "a.h"
#include <b/c.h>
#define MAX 10
/* A node. */
typedef struct node { int v; struct node *next; } Node;
enum color { RED, GREEN };
static int count = 0;
static void
cb(void (*f)(int));
char **name(int a, Node *n) { int local(void); return helper(a, n->v, MAX); }
""",
    )
    assert outline(parsed) == [
        "3 macro MAX +",
        "5 type Node + doc 4",
        "5 struct Node.node +",
        "6 enum color +",
        "6 constant color.RED +",
        "6 constant color.GREEN +",
        "7 variable count",
        "9 function cb",
        "10 function name +",
    ]
    assert signatures(parsed)["name"] == "char **name(int a, Node *n)"
    assert {"helper", "v", "MAX", "Node"} <= set(parsed.references)
    assert imports(parsed) == ["a.h", "<b/c.h>"]


def test_cpp() -> None:
    parsed = parse(
        "cpp",
        b"""namespace a::b {
/// Doc.
class Foo : public Base<int> {
  int own();
 public:
  Foo();
  bool operator==(const Foo& o) const;
 private:
  void secret();
};
}
template <typename T>
T top(T a) { return ns::call<T>(a); }
void Foo::bar() const { other.meth(1); new Thing(2); Foo vexing(Q); }
""",
    )
    assert outline(parsed) == [
        "1 module a::b +",
        "3 class a.b.Foo + doc 2",
        "4 method a.b.Foo.own",
        "6 method a.b.Foo.Foo +",
        "7 method a.b.Foo.operator== +",
        "9 method a.b.Foo.secret",
        "13 function top +",
        "14 method Foo.bar +",
    ]
    assert {"Base", "call", "meth", "Thing"} <= set(parsed.references)


def test_the_access_labels_of_an_inner_class_end_with_it() -> None:
    parsed = parse("cpp", b"class A {\n  class B { public: int x; };\n  void f();\n};\n")
    assert outline(parsed) == ["1 class A +", "2 class A.B", "3 method A.f"]


def test_csharp() -> None:
    parsed = parse(
        "csharp",
        b"""using System; using static A.B.C; using X = Y.Z;
namespace N.M;
/// <summary>doc</summary>
[Attr]
public class Foo<T> : Base, IFace<Bar> {
  private int _x = 1;
  public string Name { get; set; }
  public static async Task<int> Run(Arg a) { return await other.Call(a, new Thing()); }
}
""",
    )
    assert outline(parsed) == [
        "5 class Foo + doc 3",
        "6 variable Foo._x",
        "7 variable Foo.Name +",
        "8 method Foo.Run +",
    ]
    assert {"Attr", "Base", "IFace", "Bar", "Arg", "Call", "Thing"} <= set(parsed.references)
    assert (imports(parsed), parsed.package) == (["A.B.C", "System", "Y.Z"], "N.M")


def test_ruby() -> None:
    parsed = parse(
        "ruby",
        b"""require "a/b"
require_relative "x"
# Doc.
module M
  class Foo < Base::Thing
    LIMIT = 1
    def initialize(a, b = 1)
      helper(a)
    end
    def self.make; new; end
    private
    def secret?; obj.meth(Bar); end
  end
end
def top; end
""",
    )
    assert outline(parsed) == [
        "4 module M + doc 3",
        "5 class M.Foo +",
        "6 constant M.Foo.LIMIT +",
        "7 method M.Foo.initialize +",
        "10 method M.Foo.make +",
        "12 method M.Foo.secret?",
        "15 method top +",
    ]
    assert signatures(parsed)["initialize"] == "def initialize(a, b = 1)"
    assert {"Base", "Thing", "helper", "meth", "Bar"} <= set(parsed.references)
    assert imports(parsed) == ["a/b", "./x"]


def test_php() -> None:
    parsed = parse(
        "php",
        rb"""<?php
namespace A\B;
use C\D\E; use C\{F, G as H}; use X\Y as Z;
require_once __DIR__ . '/x.php';
/** Doc. */
abstract class Foo extends Base implements I {
    const X = 2;
    public function bar(Arg $a): ?Ret { return $this->baz(new Thing(), Other::stat(), helper()); }
    private function own() {}
}
function top() {}
""",
    )
    assert outline(parsed) == [
        "6 class Foo + doc 5",
        "7 constant Foo.X +",
        "8 method Foo.bar +",
        "9 method Foo.own",
        "11 function top +",
    ]
    assert {"Base", "I", "Arg", "Ret", "baz", "Thing", "Other", "stat", "helper"} <= set(parsed.references)
    assert imports(parsed) == [r"C\D\E", r"C\F", r"C\G", r"X\Y", "/x.php"]
    assert parsed.package == r"A\B"


def test_kotlin() -> None:
    parsed = parse(
        "kotlin",
        b"""package a.b
import c.d.E
import c.f.*
/** Doc. */
@Ann
data class Foo<T>(
  val a: Int,
) : Base(a), IFace {
  companion object {
    const val K = 1
  }
  private fun secret() {}
  override fun m(x: Arg): Ret = helper(x).call()
}
interface I {
  fun q()
}
enum class En { A }
fun main() {
  val local = 1
}
""",
    )
    assert outline(parsed) == [
        "6 class Foo + doc 4",
        "10 variable Foo.K +",
        "12 method Foo.secret",
        "13 method Foo.m +",
        "15 interface I +",
        "16 method I.q +",
        "18 enum En +",
        "18 constant En.A +",
        "19 function main +",
    ]
    assert signatures(parsed)["Foo"] == "data class Foo<T>(val a: Int) : Base(a), IFace"
    assert signatures(parsed)["m"] == "override fun m(x: Arg): Ret"
    assert {"Ann", "Base", "IFace", "Arg", "Ret", "helper", "call"} <= set(parsed.references)
    assert (imports(parsed), parsed.package) == (["c.d.E", "c.f"], "a.b")


def test_bash() -> None:
    parsed = parse(
        "bash",
        b"""#!/bin/bash
source ./lib.sh
. "$(dirname "$0")/x.sh"
readonly MAX=1
# Doc.
function foo() { local a=1; bar "$MAX" | baz; }
""",
    )
    assert outline(parsed) == ["4 variable MAX +", "6 function foo + doc 5"]
    assert {"bar", "baz", "MAX"} <= set(parsed.references)
    assert imports(parsed) == ["./lib.sh", '$(dirname "$0")/x.sh']
