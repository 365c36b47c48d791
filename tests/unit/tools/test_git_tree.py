"""Files of a commit and of a work tree, as bytes."""

import os
import socket
from pathlib import Path

import pytest

from repowright_tools.errors import InvalidRef, UnknownRef, WorkspaceTooLarge
from repowright_tools.git.tree import TreeFile, commit_files, work_tree_files
from support.repositories import commit_all, git, make_repository, write_files

pytestmark = pytest.mark.anyio
MOST = 1_000_000


async def test_both_list_contents_and_modes(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.txt": "a\n", "empty": "", "dir/run.sh": "#!/bin/sh\n"})
    (tmp_path / "dir" / "run.sh").chmod(0o755)
    (tmp_path / "link").symlink_to("a.txt")
    commit = commit_all(tmp_path)
    expected = [
        TreeFile("a.txt", 0o100644, b"a\n"),
        TreeFile("dir/run.sh", 0o100755, b"#!/bin/sh\n"),
        TreeFile("empty", 0o100644, b""),
        TreeFile("link", 0o120000, b"a.txt"),
    ]
    assert await commit_files(tmp_path, commit, MOST) == expected
    assert await work_tree_files(tmp_path, MOST) == expected


async def test_the_work_tree_is_read_as_it_is_and_the_commit_as_it_was(tmp_path: Path) -> None:
    commit = make_repository(tmp_path, {"a.txt": "a\n", "gone.txt": "x", ".gitignore": "*.log\n"})
    write_files(tmp_path, {"a.txt": "changed\n", "new.txt": "new\n", "x.log": "ignored"})
    (tmp_path / "gone.txt").unlink()
    assert {file.path for file in await work_tree_files(tmp_path, MOST)} == {".gitignore", "a.txt", "new.txt"}
    assert {file.path for file in await commit_files(tmp_path, commit, MOST)} == {".gitignore", "a.txt", "gone.txt"}


async def test_no_link_leads_out_of_the_tree(tmp_path: Path) -> None:
    """R05: an absolute link, a relative one, and a folder that became a link after its files were committed."""
    outside = tmp_path / "outside"
    write_files(outside, {"secret.txt": "canary"})
    root = tmp_path / "root"
    make_repository(root, {"folder/secret.txt": "harmless"})
    (root / "folder" / "secret.txt").unlink()
    (root / "folder").rmdir()
    (root / "folder").symlink_to(outside)
    (root / "absolute").symlink_to(outside / "secret.txt")
    (root / "relative").symlink_to("../outside/secret.txt")
    files = await work_tree_files(root, MOST)
    assert not any(b"canary" in file.data for file in files)
    assert {(file.path, file.mode) for file in files} == {
        ("absolute", 0o120000),
        ("folder", 0o120000),
        ("relative", 0o120000),
    }


async def test_special_files_are_left_out_and_hold_nothing_up(tmp_path: Path) -> None:
    """R09: also one in the place of a tracked file."""
    make_repository(tmp_path, {"a.txt": "a\n", "b.txt": "b\n"})
    (tmp_path / "b.txt").unlink()
    os.mkfifo(tmp_path / "b.txt")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert [file.path for file in await work_tree_files(tmp_path, MOST)] == ["a.txt"]


async def test_names_of_any_bytes_come_through(tmp_path: Path) -> None:
    """R10."""
    make_repository(tmp_path, {"a.txt": ""})
    names = [b"new\nline", b"\x1b[31m", b"\xff\xfe", b"-rf", "\u202egnp".encode(), b"x" * 255, b"tab\t"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"")
    commit = commit_all(tmp_path)
    for files in (await work_tree_files(tmp_path, MOST), await commit_files(tmp_path, commit, MOST)):
        assert {os.fsencode(file.path) for file in files} == {b"a.txt", *names}


async def test_a_tree_that_names_the_git_folder_or_its_parent_is_read_without_that(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.txt": "a\n"})
    blob = git(tmp_path, "rev-parse", "HEAD:a.txt")
    inner = tmp_path / "inner.txt"
    inner.write_bytes(b"".join(b"100644 " + name + b"\0" + bytes.fromhex(blob) for name in (b".git", b"..", b"ok")))
    tree = git(tmp_path, "hash-object", "-w", "-t", "tree", "--literally", str(inner))
    commit = git(tmp_path, "commit-tree", "-m", "evil", tree)
    assert [file.path for file in await commit_files(tmp_path, commit, MOST)] == ["ok"]


async def test_more_than_the_limit_is_refused(tmp_path: Path) -> None:
    """R07."""
    commit = make_repository(tmp_path, {"a": "x" * 600, "b": "x" * 600})
    with pytest.raises(WorkspaceTooLarge):
        await commit_files(tmp_path, commit, 1000)
    with pytest.raises(WorkspaceTooLarge):
        await work_tree_files(tmp_path, 1000)
    assert len(await commit_files(tmp_path, commit, 1200)) == len(await work_tree_files(tmp_path, 1200)) == 2


async def test_a_commit_that_does_not_exist_is_unknown(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a": ""})
    with pytest.raises(UnknownRef):
        await commit_files(tmp_path, "0" * 40, MOST)
    with pytest.raises(InvalidRef):
        await commit_files(tmp_path, "--name-only", MOST)
