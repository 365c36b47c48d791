"""The history as the analysis reads it: newest first, each commit once, and safe from what it says."""

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from repowright_tools.index.history import MESSAGE_CHARACTERS, MOST_PATHS, Commit, read_history

pytestmark = pytest.mark.anyio


def git(folder: Path, *arguments: str, data: bytes | None = None, **environment: str) -> bytes:
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in WHO.items()}
    return subprocess.run(
        ["git", "-c", "commit.gpgSign=false", *arguments],
        cwd=folder,
        env=os.environ | who | {"GIT_CONFIG_GLOBAL": os.devnull} | environment,
        input=data,
        capture_output=True,
        check=True,
    ).stdout


WHO = {"NAME": "A", "EMAIL": "a@example.org"}


def commit(folder: Path, message: bytes | str, files: dict[str, str], time: int = 1_700_000_000) -> str:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "add", "-A")
    data = message.encode() if isinstance(message, str) else message
    stamp = f"@{time} +0000"
    options = ("--allow-empty", "--allow-empty-message", "--cleanup=verbatim", "-F", "-")
    git(folder, "commit", "-q", *options, data=data, GIT_AUTHOR_DATE=stamp, GIT_COMMITTER_DATE=stamp)
    return git(folder, "rev-parse", "HEAD").decode().strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "repository").mkdir()
    git(tmp_path / "repository", "init", "-q", "-b", "main")
    return tmp_path / "repository"


def database(place: Path | None = None) -> sqlite3.Connection:
    return sqlite3.connect(place or ":memory:", isolation_level=None, check_same_thread=False)


async def test_commits_come_newest_first_with_their_files(folder: Path) -> None:
    first = commit(folder, "Start", {"a.py": "1", "sub/b.py": "1"}, 1_700_000_000)
    empty = commit(folder, "Nothing\n\nreally", {}, 1_700_000_100)
    git(folder, "mv", "a.py", "c.py")
    moved = commit(folder, "Move", {}, 1_700_000_200)
    assert await read_history(folder, database()) == [
        Commit(moved, 1_700_000_200, "Move", ("a.py", "c.py")),
        Commit(empty, 1_700_000_100, "Nothing\n\nreally", ()),
        Commit(first, 1_700_000_000, "Start", ("a.py", "sub/b.py")),
    ]
    assert [found.id for found in await read_history(folder, database(), most=2)] == [moved, empty]


async def test_a_commit_is_asked_of_git_once(folder: Path, tmp_path: Path) -> None:
    commit(folder, "One", {"a.py": "1"})
    place = tmp_path / "index.sqlite"
    first = await read_history(folder, database(place))
    database(place).execute("UPDATE history_commit SET message = 'as stored'")
    commit(folder, "Two", {"a.py": "2"}, 1_700_000_100)
    second = await read_history(folder, database(place))
    assert [found.message for found in first] == ["One"]
    assert [found.message for found in second] == ["Two", "as stored"]
    git(folder, "reset", "-q", "--hard", "HEAD~")
    assert [found.message for found in await read_history(folder, database(place))] == ["as stored"]


async def test_without_commits_there_is_no_history(folder: Path, tmp_path: Path) -> None:
    assert await read_history(folder, database()) == []
    (tmp_path / "plain").mkdir()
    assert await read_history(tmp_path / "plain", database()) == []


async def test_a_shallow_clone_has_the_history_it_has(folder: Path, tmp_path: Path) -> None:
    commit(folder, "One", {"a.py": "1"})
    commit(folder, "Two", {"a.py": "2"}, 1_700_000_100)
    git(tmp_path, "clone", "-q", "--depth=1", folder.as_uri(), "shallow")
    assert [found.message for found in await read_history(tmp_path / "shallow", database())] == ["Two"]


async def test_a_clone_without_trees_has_no_history_and_fetches_nothing(folder: Path, tmp_path: Path) -> None:
    for number in range(3):
        commit(folder, f"Number {number}", {"sub/a.py": str(number)}, 1_700_000_000 + number)
    git(folder, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=tree:0", folder.as_uri(), "partial")
    before = git(tmp_path / "partial", "count-objects", "-v")
    assert await read_history(tmp_path / "partial", database()) == []
    assert git(tmp_path / "partial", "count-objects", "-v") == before


async def test_a_hash_of_256_bits_is_a_name_like_another(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256")
    made = commit(tmp_path, "One", {"a.py": "1"})
    assert len(made) == 64
    assert [(found.id, found.paths) for found in await read_history(tmp_path, database())] == [(made, ("a.py",))]


async def test_messages_and_names_of_any_bytes_come_out_clean(folder: Path) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    first = commit(folder, b"\xff\xfe \x1b[31mred \xe2\x80\xae " + token.encode(), {"new\nline.py": "1"})
    commit(folder, "x" * 100_000, {f"{first}": "a file named as a commit"}, 1_700_000_100)
    commit(folder, "", {f"many/{number}": "" for number in range(MOST_PATHS + 1)}, 1_700_000_200)
    many, long, odd = await read_history(folder, database())
    assert (many.message, many.paths) == ("", ())
    assert len(long.message) == MESSAGE_CHARACTERS
    assert long.paths == (first,)
    assert odd.paths == ("new\\x0aline.py",)
    assert token not in odd.message
    assert "\x1b" not in odd.message
    assert "\u202e" not in odd.message


async def test_no_program_that_the_repository_configures_is_started(folder: Path, tmp_path: Path) -> None:
    commit(folder, "One", {"a.py": "1", ".gitattributes": "*.py diff=evil filter=evil\n"})
    mark = tmp_path / "ran"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {mark}\n")
    script.chmod(0o700)
    settings = {"log.showSignature": "true", "gpg.program": str(script), "diff.external": str(script)}
    settings |= {"diff.evil.textconv": str(script), "core.fsmonitor": str(script), "core.pager": str(script)}
    for key, value in settings.items():
        git(folder, "config", key, value)
    assert [found.paths for found in await read_history(folder, database())] == [(".gitattributes", "a.py")]
    assert not mark.exists()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE history_commit SET paths = substr(paths, 2)",
        "UPDATE history_commit SET paths = 7",
        "UPDATE history_commit SET paths = '[1]'",
        "UPDATE history_commit SET time = 'then'",
        "UPDATE history_commit SET message = x'00'",
        "UPDATE history_head SET ids = substr(ids, 1, length(ids) - 3)",
        "UPDATE history_head SET ids = '[5]'",
        "UPDATE history_head SET ids = '[[1, 2]]'",
    ],
)
async def test_what_is_damaged_is_read_again_and_mended(folder: Path, damage: str) -> None:
    commit(folder, "Start", {"a.py": "1"}, 1_700_000_000)
    commit(folder, "More", {"b.py": "1"}, 1_700_000_100)
    connection = database()
    whole = await read_history(folder, connection)
    kept = kept_in(connection)
    connection.execute(damage)
    assert kept_in(connection) != kept
    assert await read_history(folder, connection) == whole
    assert kept_in(connection) == kept


def kept_in(connection: sqlite3.Connection) -> list[list[tuple[str, ...]]]:
    tables = ("history_commit", "history_head")
    return [sorted(connection.execute(f"SELECT * FROM {table}")) for table in tables]
