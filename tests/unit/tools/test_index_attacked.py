"""What broke a kept index once: trees, files and processes that were made to make it say something wrong."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from repowright_tools.errors import InvalidArguments
from repowright_tools.index.index import Index, RepositoryIndex
from repowright_tools.index.limits import Limits
from repowright_tools.index.parse import parse
from repowright_tools.index.parsing import Parser, ParserLost, Unread, read_files
from repowright_tools.index.store import StoreDamaged
from repowright_tools.index.worker import without_secrets
from support.repositories import git, make_repository, write_files

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def kept(folder: Path, limits: Limits | None = None) -> Index:
    return Index(limits, folder=folder, repository="the repository")


async def shown(index: RepositoryIndex, budgets: Sequence[int] = (20, 1024)) -> tuple[object, ...]:
    """Everything that an index says."""
    maps = [(await index.render_map(budget)).text for budget in budgets]
    links = {path: index.neighbours(path) for path in index.paths}
    return maps, links, index.files, index.excluded, index.parsed, index.warnings


async def assert_as_new(tmp_path: Path, root: Path, limits: Limits | None = None) -> None:
    """The kept index of the tree says what a new one does."""
    assert await shown(await kept(tmp_path / "index", limits).open(root)) == await shown(await Index(limits).open(root))


@pytest.mark.anyio
async def test_a_use_that_goes_from_one_name_of_a_file_to_another_moves_the_rank_of_its_definitions(
    tmp_path: Path,
) -> None:
    """The links between the files are what they were."""
    root = tmp_path / "repository"
    core = "def engine_one(): pass\ndef engine_two(): pass\n"
    make_repository(root, {"core.py": core, "a.py": "def f():\n    engine_one()\n"})
    await assert_as_new(tmp_path, root)
    write_files(root, {"a.py": "def f():\n    engine_two()\n"})
    await assert_as_new(tmp_path, root)


@pytest.mark.anyio
async def test_a_graph_is_not_brought_up_to_date_from_parse_results_that_were_dropped(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    files = {"core.py": "def engine_one(): pass\n", "a.py": "def f():\n    engine_one()\n", "b.py": "x = 1\n"}
    make_repository(root, files)
    await assert_as_new(tmp_path, root)
    for turn in range(24):
        many = {f"b{number}.py": f"def g{turn}_{number}(): pass\n" for number in range(10)}
        write_files(root, many | {"core.py": f"def engine_{turn}(): pass\n"})
        await kept(tmp_path / "index").open(root)
        for name in many:
            (root / name).unlink()
        await kept(tmp_path / "index").open(root)
    with closing(sqlite3.connect(next((tmp_path / "index").glob("*.sqlite")))) as database:
        assert database.execute("SELECT count(*) FROM sweep").fetchone() == (1,)
    await assert_as_new(tmp_path, root)


@pytest.mark.anyio
async def test_files_that_did_not_change_are_looked_into_anew_when_others_leave_more_or_less_room(
    tmp_path: Path,
) -> None:
    root = tmp_path / "repository"
    limits = Limits(parse_total_bytes=3000, tags_total_bytes=5000)
    sources = {f"m{k}.py": "".join(f"def fun_{k}_{n}(): fun_0_{n}()\n" for n in range(30)) for k in range(3)}
    make_repository(root, sources)
    await assert_as_new(tmp_path, root, limits)
    for size in (1, 3, 0):
        write_files(root, {"a.py": sources["m1.py"] * size})
        await assert_as_new(tmp_path, root, limits)


@pytest.mark.anyio
async def test_generated_source_takes_the_same_room_whoever_asks(tmp_path: Path) -> None:
    body = "".join(f"def fun_{number}(): pass\n" for number in range(40))
    make_repository(tmp_path, {"a.py": f"# Generated. DO NOT EDIT.\n{body * 2}", "b.py": body, "c.py": f"{body}\n"})
    index = await Index(Limits(parse_total_bytes=2500)).open(tmp_path)

    assert {path: len(parsed.symbols) for path, parsed in index.parsed.items()} == {"b.py": 40, "c.py": 40}


@pytest.mark.anyio
async def test_attributes_are_looked_at_where_nothing_else_is(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, {"vendor/.gitattributes": "x -text\n", "vendor/a.py": "def f(): pass\n", "b.py": "b = 1\n"})
    await assert_as_new(tmp_path, root)
    write_files(root, {"vendor/.gitattributes": "*.py -linguist-vendored\n"})
    index = await kept(tmp_path / "index").open(root)
    assert index.paths == ["b.py", "vendor/a.py"]
    write_files(root, {".git/info/attributes": "b.py linguist-generated\n"})
    await assert_as_new(tmp_path, root)


@pytest.mark.anyio
async def test_a_folder_that_became_a_link_to_where_it_went_is_none(tmp_path: Path) -> None:
    """Its files have the inode, size and times that they had."""
    root = tmp_path / "repository"
    make_repository(root, {"d/a.py": "def f(): pass\n", "b.py": "b = 1\n"})
    await assert_as_new(tmp_path, root)
    (root / "d").rename(root / "e")
    (root / "d").symlink_to("e")
    await assert_as_new(tmp_path, root)
    index = await kept(tmp_path / "index").open(root)
    assert index.paths == ["b.py", "e/a.py"]


@pytest.mark.anyio
async def test_that_a_file_could_not_be_parsed_is_said_again(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, {"a.py": "def f(): pass\n", "b.txt": "b\n"})
    limits = Limits(parse_deadline_s=0)
    await kept(tmp_path / "index", limits).open(root)
    write_files(root, {"b.txt": "changed\n"})
    index = await kept(tmp_path / "index", limits).open(root)

    assert [warning.code for warning in index.warnings] == ["unparsed"]


@pytest.mark.anyio
async def test_a_disk_that_is_full_half_way_is_no_obstacle_and_said_to_be(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    sources = {f"m{k}.py": "".join(f"def f{k}_{n}(): pass\n" for n in range(100)) for k in range(300)}
    make_repository(root, sources)
    code = """
import resource, signal, sys, anyio
from pathlib import Path
from repowright_tools.index.index import Index
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
async def main():
    index = await Index(folder=Path(sys.argv[1]), repository="the repository").open(Path(sys.argv[2]))
    print(len(index.parsed), [warning.code for warning in index.warnings])
anyio.run(main)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "index"), str(root)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "300 ['index_not_kept']\n"


@pytest.mark.anyio
async def test_an_index_of_another_version_or_in_no_folder_is_no_obstacle(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, {"a.py": "def f(): pass\n"})
    await kept(tmp_path / "index").open(root)
    (file,) = (tmp_path / "index").glob("*.sqlite")
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA user_version = 99")
    other = await kept(tmp_path / "index").open(root)
    (tmp_path / "file").write_text("")
    nowhere = await kept(tmp_path / "file").open(root)

    assert list(other.parsed) == list(nowhere.parsed) == ["a.py"]
    assert [warning.code for warning in (*other.warnings, *nowhere.warnings)] == ["index_rebuilt", "index_not_kept"]


@pytest.mark.anyio
@pytest.mark.parametrize("damage", ["UPDATE blob SET parsed = 'x' || parsed", "DROP TABLE blob"])
async def test_damage_that_shows_late_gives_no_wrong_answer_then_or_later(tmp_path: Path, damage: str) -> None:
    root = tmp_path / "repository"
    make_repository(root, {"a.py": "def f(): g()\n", "b.py": "def g(): f()\n"})
    await (await kept(tmp_path / "index").open(root)).render_map(99)
    (file,) = (tmp_path / "index").glob("*.sqlite")
    index = await kept(tmp_path / "index").open(root)
    with closing(sqlite3.connect(file)) as database:
        database.execute(damage)
        database.commit()

    with pytest.raises(StoreDamaged):
        await shown(index, (88,))
    await assert_as_new(tmp_path, root)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE part SET data = x'00' WHERE name = 'graph'",
        "UPDATE part SET data = NULL WHERE name = 'graph_nodes'",
        "UPDATE part SET data = CAST(substr(data, 2) || 'x' AS BLOB) WHERE name = 'graph_forms'",
        "UPDATE part SET data = zeroblob(length(data)) WHERE name = 'graph_ids'",
        "UPDATE part SET data = zeroblob(length(data)) WHERE name = 'graph'",
        "DELETE FROM part WHERE name = 'graph_base'",
        "UPDATE part SET data = CAST(replace(CAST(data AS TEXT), 'def', 'fed') AS BLOB) WHERE name = 'items'",
        "UPDATE part SET data = x'ff' WHERE name = 'items'",
        "UPDATE derived SET data = replace(data, 'def', 'fed')",
        "UPDATE derived SET data = NULL",
    ],
)
async def test_a_damaged_graph_or_map_is_made_anew_from_what_is_whole(tmp_path: Path, damage: str) -> None:
    root = tmp_path / "repository"
    make_repository(root, {"a.py": "def f(): g()\n", "b.py": "def g(): f()\n"})
    index = await kept(tmp_path / "index").open(root)
    whole = await shown(index, (1024,))
    (file,) = (tmp_path / "index").glob("*.sqlite")
    with closing(sqlite3.connect(file)) as database:
        if "derived" not in damage:
            database.execute("DELETE FROM derived")
        assert database.execute(damage).rowcount
        database.commit()

    for _ in range(2):
        assert await shown(await kept(tmp_path / "index").open(root), (1024,)) == whole


@pytest.mark.anyio
async def test_a_table_of_commits_that_is_not_ours_does_not_hide_the_history(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, {"a.py": "def f(): pass\n"}, message="Add a")
    await kept(tmp_path / "index").open(root)
    (file,) = (tmp_path / "index").glob("*.sqlite")
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE history_commit(x)")
        database.commit()
    index = await kept(tmp_path / "index").open(root)

    assert [(commit.message.strip(), commit.paths) for commit in await index.commits()] == [("Add a", ("a.py",))]
    assert [hit.path for hit in await index.relevant("add a")] == ["a.py"]


@pytest.mark.anyio
async def test_an_index_that_is_gone_from_the_disk_does_not_hide_the_history(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, {"a.py": "def f(): pass\n"}, message="Add a")
    index = await kept(tmp_path / "index").open(root)
    (file,) = (tmp_path / "index").glob("*.sqlite")
    file.unlink()
    file.mkdir()

    assert [(commit.message.strip(), commit.paths) for commit in await index.commits()] == [("Add a", ("a.py",))]


@pytest.mark.anyio
async def test_a_table_of_files_that_is_not_what_was_kept_is_made_anew(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, {"a.py": "def f(): pass\n", "b.py": "def g(): pass\n"})
    expected = await shown(await kept(tmp_path / "index").open(root))
    (file,) = (tmp_path / "index").glob("*.sqlite")
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE part SET data = zeroblob(length(data)) WHERE name = 'ids'")
        database.commit()
    index = await kept(tmp_path / "index").open(root)

    assert (await shown(index))[:-1] == expected[:-1]
    assert [warning.code for warning in index.warnings] == ["index_rebuilt"]


SECRETIVE = {
    "javascript": f"import x from 'https://bob:{TOKEN}@example.com/x.js';\nexport const o = {{'{TOKEN}': 1}};\n",
    "python": f"import {TOKEN}\nclass {TOKEN}:\n    def f(self): return {TOKEN}\n",
    "go": f'package a\nimport "example.com/{TOKEN}/y"\n',
    "c": f'#include "{TOKEN}.h"\n',
    "ruby": f"require 'https://u:{TOKEN}@example.com'\n",
}


@pytest.mark.parametrize("grammar", SECRETIVE)
def test_secrets_in_names_and_imports_are_not_kept(grammar: str) -> None:
    parsed = parse(grammar, SECRETIVE[grammar].encode())

    assert TOKEN in repr(parsed)
    assert TOKEN not in repr(without_secrets(parsed))


@pytest.mark.anyio
async def test_a_pattern_with_a_nul_is_refused(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.py": "a = 1\n"})
    with pytest.raises(InvalidArguments):
        await Index().open(tmp_path, exclude=["a\0b"])


@pytest.mark.anyio
async def test_an_answer_beyond_bounds_costs_the_file_it_is_about_and_no_other(tmp_path: Path) -> None:
    """A file of which the parser says more than 64 MB."""
    huge = "".join(f"def {'n' * 100}{number}(): pass\n" for number in range(4000))
    write_files(tmp_path, {"a.py": "def f(): pass\n", "huge.py": huge, "z.py": "def g(): pass\n"})
    parser = Parser(tmp_path, Limits(answer_bytes=100_000))
    said: dict[bytes, str | None] = {}

    async def keep(files: Sequence[Unread], results: Sequence[object]) -> None:
        said.update({file.name: getattr(result, "parsed", None) for file, result in zip(files, results, strict=True)})

    names = ("a.py", "huge.py", "z.py")
    files = [Unread(os.fsencode(name), 20, "python") for name in names]
    await read_files(parser, lambda: Parser(tmp_path, Limits()), files, (), keep)

    assert said[b"huge.py"] == ""
    assert said[b"a.py"]
    assert said[b"z.py"]
    with pytest.raises(ParserLost):
        await parser.read([Unread(b"huge.py", 20, "python")])
    (after,) = await parser.read([Unread(b"z.py", 20, "python")])
    assert after.parsed == said[b"z.py"]
    await parser.kill()


@pytest.mark.anyio
async def test_comparing_with_git_runs_no_filter_of_the_repository(tmp_path: Path) -> None:
    root, marker = tmp_path / "repository", tmp_path / "marker"
    files = {f"m{number}.py": f"def f{number}(): pass\n" for number in range(250)}
    make_repository(root, files | {".gitattributes": "*.py filter=evil diff=evil\n"})
    await kept(tmp_path / "index").open(root)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(root), str(clone))
    for key in ("filter.evil.clean", "filter.evil.process", "diff.evil.textconv", "core.fsmonitor"):
        git(clone, "config", key, f"touch {marker}; cat")
    for name in files:
        os.utime(clone / name, (1, 1))
    index = await kept(tmp_path / "index").open(clone)

    assert len(index.parsed) == 250
    assert not marker.exists()


@pytest.mark.anyio
async def test_damaged_lists_of_words_are_dropped_and_the_next_search_answers_as_a_new_one(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, {"a.py": "def charge(): refund()\n", "b.py": "def refund(): pass\n"})
    found = await (await kept(tmp_path / "index").open(root)).relevant("charge a refund")
    (file,) = (tmp_path / "index").glob("*.sqlite")
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE search_posting SET entries = substr(entries, 2)")
        database.commit()

    with pytest.raises(StoreDamaged):
        await (await kept(tmp_path / "index").open(root)).relevant("charge a refund")
    assert await (await kept(tmp_path / "index").open(root)).relevant("charge a refund") == found


@pytest.mark.anyio
async def test_a_map_is_never_kept_of_a_tree_whose_parse_results_are_gone(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, {"a.py": "def engine_one(): pass\n", "b.py": "def f():\n    engine_one()\n"})
    index = await kept(tmp_path / "index").open(root)
    (file,) = (tmp_path / "index").glob("*.sqlite")
    with closing(sqlite3.connect(file)) as database:
        database.execute("DELETE FROM blob WHERE parsed LIKE '%def engine%'")
        database.commit()

    for _ in range(2):
        with pytest.raises(StoreDamaged):
            await index.render_map(99)
    await assert_as_new(tmp_path, root)


def test_threads_that_replace_a_damaged_index_while_others_open_it_crash_nobody(tmp_path: Path) -> None:
    """In a process of its own, which the defect would end."""
    script = """
import sqlite3, sys, threading, time
from pathlib import Path
from repowright_tools.index.store import IndexStore, StoreDamaged, StoreFull
path, until = Path(sys.argv[1]) / "index.sqlite", time.monotonic() + 3
odd = []
def work():
    while time.monotonic() < until:
        try:
            store = IndexStore(path)
            store.write(lambda db: db.execute("INSERT OR REPLACE INTO content VALUES (x'00', 1, 1)"))
            with store.reading():
                store.read(lambda db: db.execute("SELECT * FROM content").fetchall())
                raise ValueError("damage")
        except StoreDamaged:
            pass
        except StoreFull as error:
            odd.append(str(error))
threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(sorted(set(odd)))
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "[]\n"), ended.stderr
