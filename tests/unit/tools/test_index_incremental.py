"""An index that is kept: what did not change is never read or parsed again, and the answer is that of a new one."""

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from repowright_tools.index.index import Index, RepositoryIndex
from repowright_tools.index.limits import Limits
from support.repositories import commit_all, git, make_repository, write_files

WORKERS = {
    f"pkg/m{number:03}.py": (
        f"from pkg.core import engine_{number % 7}\n\n\ndef work_{number}(): engine_{number % 7}()\n"
    )
    for number in range(40)
}
FILES = WORKERS | {"pkg/core.py": "".join(f"def engine_{n}(): pass\n" for n in range(7)), "README.md": "x\n"}


def aged(root: Path) -> None:
    """Let all files look as if nobody had touched them for a while."""
    long_ago = time.time() - 3600
    for file in root.rglob("*"):
        if ".git" not in file.parts and file.is_file():
            os.utime(file, (long_ago, long_ago))
    deadline = time.monotonic() + 5
    while (
        time.monotonic() < deadline and time.time_ns() - newest(root) < 150_000_000
    ):  # the time of change is the kernel's
        pass


def newest(root: Path) -> int:
    return max(file.lstat().st_ctime_ns for file in root.rglob("*") if ".git" not in file.parts)


def kept(folder: Path, limits: Limits | None = None) -> Index:
    return Index(limits, folder=folder, repository="the repository")


async def shown(index: RepositoryIndex) -> tuple[object, ...]:
    """Everything that an index says."""
    whole = (await index.render_map(2048)).text, (await index.render_map(2048, "engine work")).text
    links = {path: index.neighbours(path) for path in index.paths}
    return whole, links, index.files, index.excluded, index.parsed, index.modules(), index.warnings


@pytest.mark.anyio
async def test_an_unchanged_tree_is_neither_read_nor_parsed_again(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, FILES)
    aged(root)
    first = await kept(tmp_path / "index").open(root)
    second = await kept(tmp_path / "index").open(root)

    assert (first.read, first.parsed_now) == (42, 41)
    assert (second.read, second.parsed_now) == (0, 0)
    assert await shown(first) == await shown(second) == await shown(await Index().open(root))


@pytest.mark.anyio
async def test_another_process_goes_on_with_the_same_index(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, FILES)
    aged(root)
    code = """
import sys, anyio
from pathlib import Path
from repowright_tools.index.index import Index
async def main():
    index = await Index(folder=Path(sys.argv[1]), repository="the repository").open(Path(sys.argv[2]))
    print(index.read, index.parsed_now)
anyio.run(main)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "index"), str(root)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(2)]

    assert runs == [["42", "41"], ["0", "0"]]
    assert (await kept(tmp_path / "index").open(root)).read == 0


@pytest.mark.anyio
async def test_of_a_changed_tree_only_what_changed_is_read(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, FILES)
    aged(root)
    await (await kept(tmp_path / "index").open(root)).render_map(1024)
    write_files(root, {"pkg/m003.py": "def changed(): engine_5()\n"})
    changed = await kept(tmp_path / "index").open(root)

    assert (changed.read, changed.parsed_now) == (1, 1)
    assert changed.has_symbol("changed")
    assert not changed.has_symbol("work_3")
    assert await shown(changed) == await shown(await Index().open(root))


@pytest.mark.anyio
async def test_a_file_with_another_time_and_the_same_bytes_is_not_parsed_again(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, FILES)
    aged(root)
    await kept(tmp_path / "index").open(root)
    os.utime(root / "pkg/core.py")
    touched = await kept(tmp_path / "index").open(root)

    assert (touched.read, touched.parsed_now) == (1, 0)


@pytest.mark.anyio
async def test_a_change_within_a_tick_of_the_clock_and_of_the_same_size_is_seen(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, {"a.py": "def one(): pass\n"})
    for name in ("two", "six", "ten"):
        before = (root / "a.py").stat()
        (root / "a.py").write_text(f"def {name}(): pass\n")
        os.utime(root / "a.py", ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (await kept(tmp_path / "index").open(root)).has_symbol(name)


@pytest.mark.anyio
@pytest.mark.parametrize("seed", range(6))
async def test_any_history_of_edits_ends_in_the_index_that_a_new_one_would_be(tmp_path: Path, seed: int) -> None:
    choice = random.Random(seed)
    root = tmp_path / "repository"
    make_repository(root, FILES)
    await (await kept(tmp_path / "index").open(root)).render_map(512)
    for _ in range(5):
        for _ in range(choice.randrange(1, 4)):
            edit(root, choice)
        index = await kept(tmp_path / "index").open(root)
        assert await shown(index) == await shown(await Index().open(root))


def edit(root: Path, choice: random.Random) -> None:
    files = sorted(file for file in root.rglob("*") if file.is_file() and ".git" not in file.parts)
    name = choice.choice(files)
    source = f"def engine_{choice.randrange(9)}(): work_{choice.randrange(40)}(engine_{choice.randrange(9)})\n"
    edits: list[Callable[[], object]] = [
        lambda: name.write_text(name.read_text(errors="replace") + source),
        lambda: name.write_text(source),
        lambda: (root / f"new{choice.randrange(99)}.py").write_text(source),
        lambda: name.unlink(),
        lambda: name.write_bytes(b"\0 binary"),
        lambda: (root / "large.py").write_text(source * choice.choice([1, 9000])),
        lambda: commit_all(root),
    ]
    choice.choice(edits)()


@pytest.mark.anyio
async def test_branches_work_trees_and_clones_share_what_is_known(tmp_path: Path) -> None:
    files = FILES | {f"more/n{number:03}.py": f"def more_{number}(): pass\n" for number in range(250)}
    root = tmp_path / "repository"
    make_repository(root, files)
    first = await kept(tmp_path / "index").open(root)
    git(root, "worktree", "add", "-q", "-b", "other", str(tmp_path / "tree"))
    git(tmp_path, "clone", "-q", str(root), str(tmp_path / "clone"))
    write_files(tmp_path / "clone", {"pkg/m003.py": "def changed(): engine_5()\n"})
    git(root, "config", "core.worktree", "/nonexistent")
    tree = await kept(tmp_path / "index").open(tmp_path / "tree")
    clone = await kept(tmp_path / "index").open(tmp_path / "clone")

    assert first.parsed_now == 291
    assert tree.parsed_now == 0
    assert tree.read < 5
    assert clone.parsed_now == 1
    assert clone.has_symbol("changed")
    assert not tree.has_symbol("changed")


@pytest.mark.anyio
async def test_what_git_was_told_not_to_look_at_is_read_all_the_same(tmp_path: Path) -> None:
    """`assume-unchanged` makes git call a changed file unmodified."""
    files = {f"n{number:03}.py": f"def more_{number}(): pass\n" for number in range(250)}
    root = tmp_path / "repository"
    make_repository(root, files)
    await kept(tmp_path / "index").open(root)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(root), str(clone))
    git(clone, "update-index", "--assume-unchanged", "n003.py")
    git(clone, "update-index", "--skip-worktree", "n004.py")
    write_files(clone, {"n003.py": "def sneak_3(): pass\n", "n004.py": "def sneak_4(): pass\n"})
    index = await kept(tmp_path / "index").open(clone)

    assert index.has_symbol("sneak_3")
    assert index.has_symbol("sneak_4")


@pytest.mark.anyio
async def test_a_damaged_index_is_made_anew_and_said_to_be(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, FILES)
    expected = await shown(await kept(tmp_path / "index").open(root))
    (file,) = (tmp_path / "index").glob("*.sqlite")
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    pieces = file.read_bytes()
    for damaged in (b"", b"not a database" * 1000, pieces[:5000], damage(pieces)):
        for ending in ("", "-wal", "-shm"):  # as new files: earlier connections keep theirs
            Path(f"{file}{ending}").unlink(missing_ok=True)
        file.write_bytes(damaged)
        index = await kept(tmp_path / "index").open(root)
        said = await shown(index)
        assert said[:-1] == expected[:-1]
        assert [warning.code for warning in index.warnings] == (["index_rebuilt"] if damaged else [])


def damage(data: bytes) -> bytes:
    """A database whose first page is whole and the others are noise."""
    return data[:4096] + random.Random(1).randbytes(len(data) - 4096)


@pytest.mark.anyio
async def test_an_index_that_cannot_be_kept_is_no_obstacle_and_said_to_be(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, FILES)
    code = """
import resource, signal, sys, anyio
from pathlib import Path
from repowright_tools.index.index import Index
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))  # what a full disk is like
async def main():
    index = await Index(folder=Path(sys.argv[1]), repository="the repository").open(Path(sys.argv[2]))
    print(len(index.parsed), [warning.code for warning in index.warnings])
    print((await index.render_map(2048)).text, end="")
anyio.run(main)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "index"), str(root)]
    head, _, text = subprocess.run(command, capture_output=True, text=True, check=True).stdout.partition("\n")

    assert head == "41 ['index_not_kept']"
    assert text == (await (await Index().open(root)).render_map(2048)).text


@pytest.mark.anyio
async def test_several_processes_at_once_make_one_sound_index(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, FILES)
    expected = await shown(await Index().open(root))
    said: list[object] = []

    async def open_one() -> None:
        said.append(await shown(await kept(tmp_path / "index").open(root)))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(open_one)
    assert said == [expected] * 4


@pytest.mark.anyio
async def test_secrets_are_not_kept(tmp_path: Path) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    root = tmp_path / "repository"
    make_repository(
        root, {"a.py": f"TOKEN = '{token}'\ndef connect(token='{token}'): pass\n", "b.md": f"use {token}\n"}
    )
    index = await kept(tmp_path / "index").open(root)
    await index.render_map(2048, "connect token")

    assert token.encode() not in b"".join(file.read_bytes() for file in (tmp_path / "index").iterdir())
    assert (tmp_path / "index").stat().st_mode & 0o077 == 0


@pytest.mark.anyio
async def test_what_no_tree_holds_any_more_is_forgotten(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    make_repository(root, {f"m{number}.py": "" for number in range(60)})
    sizes: list[int] = []
    for turn in range(14):
        write_files(root, {f"m{number}.py": f"def f{turn}_{number}(): pass\n" * 50 for number in range(60)})
        await (await kept(tmp_path / "index").open(root)).render_map(512)
        sizes.append(sum(file.stat().st_size for file in (tmp_path / "index").glob("*.sqlite")))
    assert sizes[-1] < 2 * sizes[7]
