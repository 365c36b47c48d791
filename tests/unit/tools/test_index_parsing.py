"""The processes that read and parse files."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from repowright_tools.events import ProgressEvent
from repowright_tools.index.blob import blob_id
from repowright_tools.index.index import Index
from repowright_tools.index.limits import Limits
from repowright_tools.index.parse import parse
from repowright_tools.index.parsing import Parser, ParserLost, Unread
from repowright_tools.index.wire import dumped, loaded, names_in
from support.parsers import workers
from support.ports import RecordedEvents
from support.repositories import git, make_repository


@asynccontextmanager
async def parser_of(root: Path) -> AsyncGenerator[Parser]:
    parser = Parser(root, Limits())
    try:
        yield parser
    finally:
        await parser.kill()


def unread(name: str, form: str | None = "python") -> Unread:
    return Unread(os.fsencode(name), 1, form)


@pytest.mark.anyio
async def test_a_process_gives_the_ids_of_git_and_what_the_parse_function_gives(tmp_path: Path) -> None:
    files = {"a.py": b"def f(): g()\n", "b.go": b"package p\nfunc F() {}\n", "c.rs": b"\xff\xfe fn f( {"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    forms = {"a.py": "python", "b.go": "go", "c.rs": "rust"}
    async with parser_of(tmp_path) as parser:
        results = await parser.read([unread(name, form) for name, form in forms.items()])
        (gone,) = await parser.read([unread("gone.py")])

    assert [result.id for result in results] == [blob_id(data) for data in files.values()]
    assert [(result.lines, result.reason) for result in results] == [(1, None), (2, None), (1, None)]
    for result, name in zip(results, files, strict=True):
        assert result.parsed is not None
        assert loaded(result.parsed) == parse(forms[name], files[name])
    assert (gone.id, gone.reason, gone.parsed) == (None, "missing", None)
    git(tmp_path, "init", "-q")
    assert blob_id(files["a.py"]).hex() == git(tmp_path, "hash-object", "a.py").strip()


@pytest.mark.anyio
async def test_a_parse_result_that_is_known_is_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"def f(): pass\n")
    (tmp_path / "b.py").write_bytes(b"def g(): pass\n")
    parser = Parser(tmp_path, Limits())
    known_id = blob_id(b"def f(): pass\n").hex()
    parser.skip([f"{known_id}:python"])
    try:
        known, new = await parser.read([unread("a.py"), unread("b.py")])
    finally:
        await parser.kill()
    assert known.id is not None
    assert known.parsed is None
    assert new.parsed is not None


def test_definitions_can_be_kept_without_references() -> None:
    parsed = parse("python", b"import os\ndef f(): g()\n")
    assert parsed.references
    assert loaded(dumped(parsed, references=False)) == parsed._replace(references={})


@pytest.mark.parametrize("used", ['{"f":"many"}', '{"f":-1}', '{"f":1e999}', '["f"]', "9"])
def test_counts_that_are_none_are_no_parse_result(used: str) -> None:
    assert names_in(['[]\t[["g"],{"f":2}]\t[]']) == [(["g"], {"f": 2})]
    with pytest.raises(ValueError, match="not a parse result"):
        names_in([f'[]\t[["g"],{used}]\t[]'])


@pytest.mark.anyio
async def test_the_process_has_neither_our_pipes_nor_our_environment_nor_our_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in the folder the server was started in is somebody's repository: none of its modules may run, and
    stdin and stdout are the wire to the client."""
    marker = tmp_path / "marker"
    for name in ("json", "encodings", "pydantic", "repowright_tools", "sitecustomize", "tree_sitter"):
        (tmp_path / f"{name}.py").write_text(f"open({str(marker)!r}, 'w')\nraise SystemExit(1)\n")
    (tmp_path / "source.py").write_text("def f(): pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key")
    async with parser_of(tmp_path) as parser:
        (result,) = await parser.read([unread("source.py")])
        assert [symbol.name for symbol in loaded(result.parsed or "").symbols] == ["f"]
        (worker,) = workers()
        links = {number: os.readlink(f"/proc/{worker}/fd/{number}") for number in (0, 1, 2)}
        ours = {os.readlink(f"/proc/self/fd/{number}") for number in (0, 1, 2)} - {"/dev/null"}
        assert ours.isdisjoint(links.values())
        assert b"key" not in Path(f"/proc/{worker}/environ").read_bytes()
        assert os.readlink(f"/proc/{worker}/cwd") == "/"
        assert not marker.exists()


@pytest.mark.anyio
async def test_a_lost_process_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    async with parser_of(tmp_path) as parser:
        await parser.read([unread("a.py")])
        (worker,) = workers()
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(ParserLost):
            await parser.read([unread("a.py")])
        assert len(await parser.read([unread("a.py")])) == 1
    assert workers() == []


@pytest.mark.anyio
async def test_files_that_cannot_be_parsed_in_time_are_warned_of_and_searched_as_text(tmp_path: Path) -> None:
    make_repository(tmp_path, {f"m{number}.py": f"def needle{number}(): pass\n" for number in range(30)})
    index = await Index(Limits(parse_deadline_s=0)).open(tmp_path)

    assert not index.parsed
    assert [warning.code for warning in index.warnings] == ["unparsed"]
    assert index.warnings[0].message.startswith("30 source files")
    assert (await index.relevant("needle7"))[0].path == "m7.py"
    assert workers() == []


@pytest.mark.anyio
async def test_what_is_too_large_is_known_by_its_definitions_then_as_text_with_a_warning(tmp_path: Path) -> None:
    files = {
        "a.py": "def a(): b()\n",
        "b.py": "def b(): a()\n",
        "middle.py": "def middle(): a()\n" + "# word\n" * 40,
        "large.py": "def large(): a()\n" + "# word\n" * 100,
    }
    make_repository(tmp_path, files)
    limits = Limits(parse_bytes=200, parse_total_bytes=20, tags_bytes=500, tags_total_bytes=2000)
    index = await Index(limits).open(tmp_path)

    assert {path: bool(parsed.references) for path, parsed in index.parsed.items()} == {
        "a.py": True,
        "b.py": False,
        "middle.py": False,
    }
    assert [(warning.code, warning.message.split()[0]) for warning in index.warnings] == [
        ("tags_only", "2"),
        ("large_source", "1"),
    ]


@pytest.mark.anyio
async def test_source_beyond_the_limits_is_searched_as_text_with_a_warning(tmp_path: Path) -> None:
    files = {"a.py": "def a(): pass\n", "b.py": "def b(): pass\n"}
    make_repository(tmp_path, files)
    index = await Index(Limits(parse_total_bytes=20, tags_total_bytes=20, search_total_bytes=5)).open(tmp_path)

    assert list(index.parsed) == ["a.py"]
    assert [warning.code for warning in index.warnings] == ["too_much_source", "too_much_text"]


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
    make_repository(tmp_path, {f"m{number}.py": f"x = {number}\n" for number in range(300)})
    events = RecordedEvents()
    await Index().open(tmp_path, events=events)
    seen = [(event.message, event.done, event.total) for event in events.events if isinstance(event, ProgressEvent)]

    assert seen == sorted(seen, key=lambda event: event[1] or 0)
    assert (seen[0], seen[-1]) == (("Reading files", 0, 300), ("Reading files", 300, 300))
    assert len(seen) > 2


@pytest.mark.anyio
async def test_equal_files_are_known_twice(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.py": "def f(): pass\n", "b.py": "def f(): pass\n"})
    index = await Index().open(tmp_path)

    assert list(index.symbols) == ["a.py", "b.py"]
    assert index.symbols["a.py"] == index.symbols["b.py"]


@pytest.mark.anyio
async def test_a_missing_grammar_is_said_loudly_and_its_files_are_searched_as_text(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.rb": "def needle; end\n", "b.rb": "def other; end\n", "c.py": "def c(): pass\n"})
    code = """
import sys, anyio
from importlib.machinery import PathFinder
from pathlib import Path
class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "tree_sitter_ruby" else PathFinder.find_spec(name, path, target)
sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
from repowright_tools.index.index import Index
async def main():
    index = await Index().open(Path(sys.argv[1]))
    print(list(index.parsed), [(warning.code, warning.message) for warning in index.warnings])
    print((await index.relevant("needle"))[0].path)
anyio.run(main)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("['c.py'] [('grammar_missing', '2 ruby files are searched as text only")
    assert "pip install tree-sitter-ruby" in done.stdout
    assert done.stdout.endswith("\na.rb\n")
