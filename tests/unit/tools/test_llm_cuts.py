"""Where a text may end: a function, a class or an entry of a list is whole or absent."""

from textwrap import dedent

import pytest

from repowright_tools.llm.cuts import cuts

TEXTS = {
    "Python": '''\
        import os
        ^import re

        ^LIMITS = {
            "a": 1,
        }
        ^QUERY = """
        SELECT
        FROM x
        """


        ^@cache
        @retry(
            times=3,
        )
        def f(
            a: int,
        ) -> int:
            text = """
        not a place
        """
            return a

        ^# what it is for
        class C:
            x = 1

            def g(self): ...


        ^@overload
        def h(a): ...
        ^@overload

        def h(b): ...

        ^if x:
            y
        elif z:
            w
        else:
            v
        ^try:
            y
        except E:
            w
        finally:
            v
        ''',
    "C": """\
        #include <a.h>
        #include <b.h>

        static int
        main(int argc)
        {
            int x;
        out:
            return x;
        #ifdef X
            y();
        #else
            z();
        #endif
        }

        ^/* About g. */
        int g(void) {
        label:
            return 1;
        }
        ^struct s {
            int a;
        };
        """,
    "C++": """\
        namespace a {

        ^template <typename T>
        void f(T t) {
            x();
        }

        ^class C
        {
        public:
            int x;
        };

        }  // namespace
        ^int g() {
        }
        """,
    "TypeScript": """\
        import a from "a"
        ^import b from "b"

        ^/**
         * About f.
         */
        export function f(): string {
            return `
        <p>
        at column 0
        </p>`
        }
        ^describe("x", () => {
            it("y", () => {})
        })
        ^if (a) {
            b()
        } else {
            c()
        }
        """,
    "template literals": """\
        const page = `
        <p>
        at column 0
        `
        ^const f = styled<
            Props
        >({
            a: 1,
        })
        """,
    "commented out": """\
        def f():
            x = 1
        #    y = 2
            z = 3

        ^def g():
            return 1
        """,
    "Rust": """\
        use a;

        ^#[derive(Debug)]
        #[serde(x)]
        struct S {
            a: u8,
        }

        ^/// About it.
        impl S {
            fn f() {}
        }
        """,
    "Ruby": """\
        class A
          def f
          end
        end

        ^def g
          x
        rescue E
          y
        ensure
          z
        end
        """,
    "shell": """\
        f() {
            cat <<EOF
        at column 0
        EOF
        }
        ^if x
        then
            y
        else
            z
        fi
        ^for a in b
        do
            c
        done
        """,
    "a map of files": """\
        src/app.py
            3  class App:
           10    def run(self):
        ^src/end_to_end.py
            1  def test():
        ^do/x.py
        ^(7 more not shown)
        """,
    "a list": """\
        F1 title (a.py:3)
        ^F2 title (b.py:3)
        ^F3 title (c.py:3)
        """,
    "a workflow": """\
        name: x
        on:
          push:

        ^jobs:
          a: b
        """,
    "indented as a whole": """\
        {
         "a": 1,
         "b": 2
        }
        """,
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_may_end_where_something_begins(name: str) -> None:
    """`^` marks the places."""
    marked = dedent(TEXTS[name]).split("\n")
    expected = [number for number, line in enumerate(marked) if line.startswith("^")]

    found = cuts([line.removeprefix("^") for line in marked])

    assert [marked[number] for number in found] == [marked[number] for number in expected]
    assert found == expected


def test_a_text_without_such_a_place_stays_whole() -> None:
    assert cuts(["def f():", "    x = 1", "", "    return x", ""]) == []
    assert cuts(["x" * 1_000]) == []
    assert cuts([""]) == []


@pytest.mark.parametrize("line", ["}", ")", "é {", "{", '"""', "@", ",", "", " ", "\r", "namespace {", "`", "# x", ">"])
def test_no_text_breaks_the_search(line: str) -> None:
    found = cuts([line, "a"] * 1_000)

    assert found == sorted(set(found))
    assert 0 not in found
