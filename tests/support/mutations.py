"""Small files of every grammar, and what becomes of them when bytes are changed at random."""

import random
from collections.abc import Iterator

SEEDS: dict[str, bytes] = {
    "python": (
        b'@d\nclass A(B):\n    """x"""\n    async def m(self, *a: int) -> "T": return f"{a!r}'
        b'" if a else [x for x in a]\n'
    ),
    "javascript": (
        b"export default class A extends B { #p = 1; async *m({a, ...b}) { return `x${a}` ?? /r\\/x/g } }\n"
    ),
    "typescript": (
        b"export const f = <T extends K>(a: T | U[], b?: {c: string}): a is T => { return a as unknown as T };\n"
    ),
    "tsx": (b"export const P = ({a}: Props) => <A.B c={`x`} {...d}>{a && <b>text &amp;</b>}</A.B>;\n"),
    "go": (
        b'package a\nimport x "b"\ntype S[T any] struct { a map[string][]T `j:"x"` }\nfunc (s'
        b" *S[T]) M(a ...int) (b error) { go f() }\n"
    ),
    "rust": (
        b"#[a(b)]\nimpl<'a, T: B + 'a> C<T> for D where T: E { pub async fn f(&'a self) -> "
        b'R<()> { x!{a}; r#"s"# } }\n'
    ),
    "java": (
        b"@A(b = 1) public final class C<T extends D> implements E { @F int a[] = {1}; <U>"
        b" U m() throws G { return () -> 1; } }\n"
    ),
    "c": (
        b"#ifdef A\n#define B(x) #x\n#endif\nstatic int *f(const char *a[], void (*g)(int)) {"
        b" return (int *)a + sizeof(struct S); }\n"
    ),
    "cpp": (
        b"template <class T> struct A : B<T> { virtual ~A() = default; auto f() const noex"
        b"cept -> int { return [&]{ return 1; }(); } };\n"
    ),
    "csharp": (
        b"namespace N { [A] public record C<T>(int X) : D where T : class { public int P {"
        b' get; init; } = $"{1}" is var x ? 1 : 2; } }\n'
    ),
    "ruby": (
        b"class A < B::C\n  def m?(a, *b, k: 1, &c) = <<~X.strip\n    a #{b} %w[c]\n  X\n  pri"
        b"vate; attr_reader :d\nend\n"
    ),
    "php": (
        b"<html><?php namespace A; #[B] final class C extends D { public function m(?E $a "
        b"= null): static { return <<<X\n $a\n X; } } ?>\n"
    ),
    "kotlin": (
        b"package a\n@A data class B<out T>(val c: Int = 1) : D by e {\n  companion object {"
        b' fun f(): T? = "${c}" ?: null }\n}\n'
    ),
    "bash": (
        b'#!/bin/bash\nf() { local a=${1:-$(b "$c")}; case $a in x|y) cat <<E ;; esac\n$d\nE\n'
        b"}\n[[ -n $a && $b =~ ^c ]] || exit $((1 + 2))\n"
    ),
}


def mutated(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """Grammar and bytes of `count` files, all grammars in turn; the same for the same seed."""
    chance = random.Random(seed)
    grammars = sorted(SEEDS)
    pieces = b" \n\t\"'`(){}[]<>;:,.=#@$\\/*\x00\x7f\x80\xc3\xff"
    for number in range(count):
        grammar = grammars[number % len(grammars)]
        data = bytearray(SEEDS[grammar])
        for _ in range(chance.choice((1, 2, 4, 16))):
            at = chance.randrange(len(data) + 1)
            match chance.randrange(5):
                case 0:
                    data[at:at] = bytes([chance.choice(pieces)]) * chance.choice((1, 1, 1, 40))
                case 1:
                    del data[at : at + chance.randrange(1, 9)]
                case 2:
                    data[at : at + 1] = bytes([chance.randrange(256)])
                case 3:
                    end = at + chance.randrange(1, 40)
                    data[at:at] = data[at:end] * chance.choice((1, 2, 20))
                case _:
                    other = SEEDS[chance.choice(grammars)]
                    data[at:at] = other[: chance.randrange(len(other))]
        yield grammar, bytes(data)
