"""Symbols, references and imports, and the processes that find them."""

import os
import signal
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from repowright_tools.events import ProgressEvent
from repowright_tools.index.index import Index
from repowright_tools.index.limits import Limits
from repowright_tools.index.parse import ParsedFile, parse
from repowright_tools.index.parsing import Parser, ParserLost
from support.ports import RecordedEvents
from support.repositories import make_repository


def outline(parsed: ParsedFile) -> list[tuple[int, str, str]]:
    return [
        (symbol.line, symbol.kind, ".".join(filter(None, (symbol.scope, symbol.name)))) for symbol in parsed.symbols
    ]


def imports(parsed: ParsedFile) -> list[str]:
    return [item.target for item in parsed.imports]


def workers() -> list[int]:
    """Processes of ours that parse."""
    found: list[int] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(stat[1]) == os.getpid() and stat[0] != "Z" and b"index.worker" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def test_python_definitions_references_and_imports() -> None:
    parsed = parse(
        "python",
        b"""import os, a.b as c
from .x import y as z
LIMIT = 1
@decorate
class A(Base):
    async def m(
        self, a: Arg, b: str = "x",
    ) -> Result:  # why
        def inner(): pass
        return helper(a)
if __name__ == "__main__":
    A().m(1)
""",
    )
    assert outline(parsed) == [
        (3, "constant", "LIMIT"),
        (5, "class", "A"),
        (6, "method", "A.m"),
        (9, "function", "A.m.inner"),
    ]
    assert [symbol.local for symbol in parsed.symbols] == [False, False, False, True]
    assert parsed.symbols[2].signature == 'async def m(self, a: Arg, b: str = "x") -> Result'
    assert (parsed.symbols[2].line, parsed.symbols[2].end_line) == (6, 10)
    assert {"decorate", "Base", "Arg", "Result", "helper", "A", "m", "y"} <= set(parsed.references)
    assert parsed.references["m"] == [12]
    assert imports(parsed) == ["a.b", "os", ".x.y"]
    assert parsed.entry_line == 11


def test_javascript_definitions_references_and_imports() -> None:
    parsed = parse(
        "javascript",
        b"""import x, {y} from "./x";
const z = require('z');
export const LIMIT = 3;
export class C extends D { m(a) { return foo(a) } }
export default function g() { const h = () => 1; return h() }
module.exports.k = function () {}
const arrow = async (a) => { return <Comp a={1}/> };
""",
    )
    assert outline(parsed) == [
        (3, "constant", "LIMIT"),
        (4, "class", "C"),
        (4, "method", "C.m"),
        (5, "function", "g"),
        (5, "function", "g.h"),
        (6, "function", "k"),
        (7, "function", "arrow"),
    ]
    assert {"D", "foo", "Comp", "y"} <= set(parsed.references)
    assert imports(parsed) == ["./x", "z"]


@pytest.mark.parametrize("grammar", ["typescript", "tsx"])
def test_typescript_definitions_references_and_imports(grammar: str) -> None:
    parsed = parse(
        grammar,
        b"""import {y} from "./x";
export interface I { a(b: string): number }
export type T = string | I;
export enum E { A }
export abstract class C<K> extends D implements I { private m(a: T): I { return new Foo(a) } }
export const f = ({a}: Props): Out => make(a);
namespace N { export function inner() {} }
""",
    )
    assert outline(parsed) == [
        (2, "interface", "I"),
        (2, "method", "I.a"),
        (3, "type", "T"),
        (4, "enum", "E"),
        (5, "class", "C"),
        (5, "method", "C.m"),
        (6, "function", "f"),
        (7, "module", "N"),
        (7, "function", "N.inner"),
    ]
    assert parsed.symbols[5].signature == "private m(a: T): I"
    assert {"D", "I", "T", "Foo", "Props", "Out", "make", "y"} <= set(parsed.references)
    assert imports(parsed) == ["./x"]


def test_go_definitions_references_and_imports() -> None:
    parsed = parse(
        "go",
        b"""package main
import ("fmt"; x "a/b/c")
type S struct { a int }
type I interface { M() }
type F func(a int)
const K = 1
func (s *S) M(a Arg) error { return nil }
func main() { fmt.Println(K); helper() }
""",
    )
    assert outline(parsed) == [
        (3, "struct", "S"),
        (4, "interface", "I"),
        (5, "type", "F"),
        (6, "constant", "K"),
        (7, "method", "M"),
        (8, "function", "main"),
    ]
    assert parsed.symbols[4].signature == "func (s *S) M(a Arg) error"
    assert {"S", "Arg", "helper", "K"} <= set(parsed.references)
    assert (imports(parsed), parsed.package) == (["a/b/c", "fmt"], "main")


def test_rust_definitions_references_and_imports() -> None:
    parsed = parse(
        "rust",
        b"""mod foo;
use crate::a::{b, c as d};
pub struct S<T> { a: T }
impl<T> S<T> { pub fn new(a: Arg) -> Self { helper(a) } }
pub trait Tr { fn q(&self); }
fn main() { println!("x"); }
mod tests { fn t() {} }
""",
    )
    assert outline(parsed) == [
        (3, "struct", "S"),
        (4, "method", "S.new"),
        (5, "interface", "Tr"),
        (5, "method", "Tr.q"),
        (6, "function", "main"),
        (7, "module", "tests"),
        (7, "function", "tests.t"),
    ]
    assert {"Arg", "helper", "b"} <= set(parsed.references)
    assert imports(parsed) == ["self::foo", "crate::a::{b, c as d}"]


def test_java_definitions_references_and_imports() -> None:
    parsed = parse(
        "java",
        b"""package a.b;
import c.d.E;
import c.f.*;
@Service
public class A extends B implements C {
  public static void main(String[] args) { new E().run(); }
}
""",
    )
    assert outline(parsed) == [(5, "class", "A"), (6, "method", "A.main")]
    assert parsed.symbols[0].signature == "public class A extends B implements C"
    assert {"B", "C", "E", "Service", "run"} <= set(parsed.references)
    assert (imports(parsed), parsed.package) == (["c.d.E", "c.f"], "a.b")


@pytest.mark.anyio
async def test_a_process_gives_what_the_function_gives() -> None:
    files = [("python", b"def f(): g()\n"), ("go", b"package p\nfunc F() {}\n"), ("rust", b"\xff\xfe fn f( {")]
    parser = Parser(10)
    try:
        assert await parser.parse(files) == [parse(*file) for file in files]
        assert await parser.parse([]) == []
    finally:
        await parser.kill()


@pytest.mark.anyio
async def test_the_process_has_neither_our_pipes_nor_our_environment_nor_our_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in the folder the server was started in is somebody's repository: none of its modules may run, and
    stdin and stdout are the wire to the client."""
    marker = tmp_path / "marker"
    for name in ("json", "encodings", "pydantic", "repowright_tools", "sitecustomize", "tree_sitter"):
        (tmp_path / f"{name}.py").write_text(f"open({str(marker)!r}, 'w')\nraise SystemExit(1)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key")
    parser = Parser(10)
    try:
        assert outline((await parser.parse([("python", b"def f(): pass\n")]))[0]) == [(1, "function", "f")]
        (worker,) = workers()
        links = {number: os.readlink(f"/proc/{worker}/fd/{number}") for number in (0, 1, 2)}
        ours = {os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)} - {"/dev/null"}
        assert ours.isdisjoint(links.values())
        assert b"key" not in Path(f"/proc/{worker}/environ").read_bytes()
        assert os.readlink(f"/proc/{worker}/cwd") == "/"
        assert not marker.exists()
    finally:
        await parser.kill()


@pytest.mark.anyio
async def test_a_lost_process_is_replaced() -> None:
    parser = Parser(10)
    try:
        await parser.parse([("python", b"x = 1\n")])
        (worker,) = workers()
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(ParserLost):
            await parser.parse([("python", b"x = 1\n")])
        assert len(await parser.parse([("python", b"x = 1\n")])) == 1
    finally:
        await parser.kill()
    assert workers() == []


@pytest.mark.anyio
async def test_files_that_cannot_be_parsed_in_time_are_warned_of_and_searched_as_text(tmp_path: Path) -> None:
    make_repository(tmp_path, {f"m{number}.py": f"def needle{number}(): pass\n" for number in range(30)})
    index = await Index(Limits(parse_deadline_s=0)).open(tmp_path)

    assert not index.parsed
    assert [warning.code for warning in index.warnings] == ["unparsed"]
    assert index.warnings[0].message.startswith("30 source files")
    assert index.relevant("needle7")[0].path == "m7.py"
    assert workers() == []


@pytest.mark.anyio
async def test_source_beyond_the_limits_is_searched_as_text_with_a_warning(tmp_path: Path) -> None:
    files = {"a.py": "def a(): pass\n", "b.py": "def b(): pass\n", "large.py": "def large(): pass\n" + "# word\n" * 100}
    make_repository(tmp_path, files)
    index = await Index(Limits(parse_bytes=200, parse_total_bytes=20, search_total_bytes=500)).open(tmp_path)

    assert list(index.parsed) == ["a.py"]
    assert [warning.code for warning in index.warnings] == ["large_source", "too_much_source", "too_much_text"]


@pytest.mark.anyio
async def test_cancelling_ends_the_processes_within_a_second(tmp_path: Path) -> None:
    body = "".join(f"def f{number}(a, b): return g{number}(a)\n" for number in range(8000))
    make_repository(tmp_path, {f"m{number}.py": f"# {number}\n{body}" for number in range(12)})
    cancelled = 0.0
    async with anyio.create_task_group() as group:
        group.start_soon(Index().open, tmp_path)
        with anyio.fail_after(20):
            while not workers():
                await anyio.lowlevel.checkpoint()
        cancelled = anyio.current_time()
        group.cancel_scope.cancel()
    assert anyio.current_time() - cancelled < 1
    assert workers() == []


@pytest.mark.anyio
async def test_progress_is_told_by_files(tmp_path: Path) -> None:
    make_repository(tmp_path, {f"m{number}.py": f"x = {number}\n" for number in range(250)})
    events = RecordedEvents()
    await Index().open(tmp_path, events=events)
    seen = [(event.message, event.done, event.total) for event in events.events if isinstance(event, ProgressEvent)]

    assert ("Reading files", 200, 250) in seen
    assert seen[-1] == ("Parsing source", 250, 250)


@pytest.mark.anyio
async def test_equal_files_are_parsed_once_and_known_twice(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.py": "def f(): pass\n", "b.py": "def f(): pass\n"})
    events = RecordedEvents()
    index = await Index().open(tmp_path, events=events)

    assert list(index.symbols) == ["a.py", "b.py"]
    assert events.events[-1] == ProgressEvent("Parsing source", 1, 1)
