"""What a submission makes of a tree: all of it, or findings, and nothing in between."""

from pathlib import Path
from typing import Any

import pytest

from repowright_tools.generate_code.edits import Changes, Tree, resolve, write
from repowright_tools.models import Edits
from support.repositories import write_files


def tree_of(folder: Path, files: dict[str, str]) -> Tree:
    write_files(folder, files)
    return Tree(folder, dict.fromkeys(files, 33188))


def edits(**values: Any) -> Edits:
    return Edits.model_validate(values)


def edit(path: str, old: str, new: str) -> dict[str, str]:
    return {"path": path, "old": old, "new": new}


def applied(tree: Tree, submission: Edits) -> Changes:
    changes = resolve(submission, tree)
    assert changes.problems == []
    write(changes, tree)
    return changes


def reasons(tree: Tree, submission: Edits) -> str:
    """The findings; asserts that there are some and that the tree is as it was."""
    before = {path: tree.read(path) for path in tree.modes}
    problems = resolve(submission, tree).problems
    assert problems
    assert {path: tree.read(path) for path in tree.modes} == before
    return "\n".join(str(problem) for problem in problems)


def test_all_kinds_of_edits_are_applied_together(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {"a.py": "x = 1\ny = 2\n", "old.py": "old\n", "gone.py": "gone\n"})
    submission = edits(
        edits=[edit("a.py", "y = 2", "y = 3"), edit("a.py", "x = 1\n", ""), edit("pkg/new.py", "old", "moved")],
        new_files=[{"path": "pkg/deep/b.py", "content": "b\n"}],
        deletes=["gone.py"],
        renames=[{"from": "old.py", "to": "pkg/new.py"}],
    )
    applied(tree, submission)
    found = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"a.py": "y = 3\n", "pkg/new.py": "moved\n", "pkg/deep/b.py": "b\n"}


def test_an_edit_whose_old_text_occurs_nowhere_is_refused_with_the_nearest_text(tmp_path: Path) -> None:
    """G08."""
    tree = tree_of(tmp_path, {"a.py": "def f():\n    return compute(1)\n\ndef g():\n    pass\n"})
    told = reasons(tree, edits(edits=[edit("a.py", "    return compute(2)\n", "    return 3\n")]))
    assert "a.py" in told
    assert "does not occur" in told
    assert "line 2:\n    return compute(1)" in told


def test_an_edit_whose_old_text_occurs_twice_is_refused_and_nothing_changes(tmp_path: Path) -> None:
    """G08."""
    tree = tree_of(tmp_path, {"a.py": "x\ny\nx\n", "b.py": "b\n"})
    told = reasons(tree, edits(edits=[edit("b.py", "b", "c"), edit("a.py", "x", "z")]))
    assert "occurs 2 times, on lines 1, 3" in told


def test_everything_that_is_wrong_with_the_edits_of_one_file_is_told_at_once(tmp_path: Path) -> None:
    """G08."""
    tree = tree_of(tmp_path, {"a.py": "x\ny\nx\nz = 1\n"})
    wrong = [edit("a.py", "x", "w"), edit("a.py", "y", "v"), edit("a.py", "z = 2", "z = 3"), edit("a.py", "", "u")]
    told = reasons(tree, edits(edits=wrong))
    assert told.count("a.py: ") == 3
    for part in (
        "edit 1 of 4: `old` occurs 2 times",
        "edit 3 of 4: `old` does not occur",
        "edit 4 of 4: `old` is empty",
    ):
        assert part in told


def test_overlapping_occurrences_count_as_two(tmp_path: Path) -> None:
    """G08."""
    assert "occurs 2 times" in reasons(tree_of(tmp_path, {"a.py": "aaa"}), edits(edits=[edit("a.py", "aa", "b")]))


@pytest.mark.parametrize(
    ("before", "old", "new", "after"),
    [
        ("a\r\nb\r\nc\r\n", "a\nb\n", "x\ny\nz\n", "x\r\ny\r\nz\r\nc\r\n"),
        ("a\r\nb\r\nc\r\n", "b", "x\ny", "a\r\nx\r\ny\r\nc\r\n"),
        ("a\r\nb\r\n", "a\r\nb", "x\r\ny", "x\r\ny\r\n"),
        ("a\nb\n", "a\r\nb\r\n", "x\n", "x\n"),
        ("a\nb\nc\r\nd\ne\n", "c\nd", "x\ny", "a\nb\nx\ny\ne\n"),
        ("a\nb", "b\n", "c\n", "a\nc"),
        ("a\nb", "b", "c", "a\nc"),
        ("a\r\nb", "a\nb\n", "c\nd\n", "c\r\nd"),
        ("\ufeffa\nb\n", "a\n", "x\n", "\ufeffx\nb\n"),
        ("a\n", "a\n", "", ""),
    ],
)
def test_line_ends_byte_order_mark_and_last_line_stay_as_they_were(
    tmp_path: Path, before: str, old: str, new: str, after: str
) -> None:
    """G08."""
    tree = tree_of(tmp_path, {"a.txt": before})
    applied(tree, edits(edits=[edit("a.txt", old, new)]))
    assert tree.read("a.txt") == after.encode()


def test_a_tail_that_is_not_a_whole_line_is_no_match_for_a_line(tmp_path: Path) -> None:
    assert "does not occur" in reasons(tree_of(tmp_path, {"a.txt": "abc"}), edits(edits=[edit("a.txt", "c\n", "d\n")]))


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/etc/x",
        ".git/config",
        ".github/workflows/ci.yml",
        ".gitmodules",
        ".vscode/tasks.json",
        ".mcp.json",
        "a/../../x",
        ".GIT/hooks/pre-commit",
        ".Github/Workflows/x.yml",
    ],
)
@pytest.mark.parametrize("kind", ["edit", "new", "delete", "rename from", "rename to"])
def test_no_operation_reaches_outside_the_tree_or_a_protected_file(tmp_path: Path, path: str, kind: str) -> None:
    """G06, I02."""
    tree = Tree(
        tmp_path, {"a.py": 0o100644, path: 0o100644} if kind != "rename to" and kind != "new" else {"a.py": 0o100644}
    )
    write_files(tmp_path, {"a.py": "a\n"})
    submission = {
        "edit": edits(edits=[edit(path, "a", "b")]),
        "new": edits(new_files=[{"path": path, "content": "x"}]),
        "delete": edits(deletes=[path]),
        "rename from": edits(renames=[{"from": path, "to": "b.py"}]),
        "rename to": edits(renames=[{"from": "a.py", "to": path}]),
    }[kind]
    changes = resolve(submission, tree)
    assert [problem.path for problem in changes.problems] == [path]
    assert changes.files == {}


def test_links_are_not_written_through(tmp_path: Path) -> None:
    """G06: a link on disk, and one that git checked out as a plain file."""
    outside = tmp_path / "outside"
    write_files(outside, {"x": "canary"})
    root = tmp_path / "root"
    write_files(root, {"as-file": "/etc/passwd"})
    (root / "folder").symlink_to(outside)
    tree = Tree(root, {"as-file": 0o120000, "folder": 0o120000})
    told = resolve(
        edits(
            edits=[edit("as-file", "/etc/passwd", "/etc/shadow")],
            new_files=[{"path": "folder/y", "content": "y"}, {"path": "as-file/y", "content": "y"}],
            deletes=["folder"],
        ),
        tree,
    ).problems
    assert {problem.path for problem in told} == {"as-file", "folder/y", "as-file/y", "folder"}


@pytest.mark.parametrize("data", [b"a\0b", b"\xff\xfea\0", b"caf\xe9 a"])
def test_a_binary_file_is_not_edited(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.bin").write_bytes(data)
    tree = Tree(tmp_path, {"a.bin": 0o100644})
    assert "binary or not UTF-8" in reasons(tree, edits(edits=[edit("a.bin", "a", "b")]))


@pytest.mark.parametrize(
    ("submission", "finding"),
    [
        (edits(), "changes nothing"),
        (edits(edits=[edit("a.py", "", "x")]), "`old` is empty"),
        (edits(edits=[edit("a.py", "x", "x")]), "the same"),
        (edits(edits=[edit("a.py", "x y", "1"), edit("a.py", "y z", "2")]), "overlap"),
        (edits(edits=[edit("pkg/b.p", "x", "y")]), "no such file in the repository\nNearest: pkg/b.py"),
        (edits(new_files=[{"path": "a.py", "content": ""}]), "exists already"),
        (edits(new_files=[{"path": "A.py", "content": ""}]), "apart from a.py"),
        (edits(new_files=[{"path": "a.py/b", "content": ""}]), "a parent of the path is a file"),
        (edits(new_files=[{"path": "pkg", "content": ""}]), "not a file"),
        (edits(new_files=[{"path": "n", "content": ""}, {"path": "n/m", "content": ""}]), "have to be a folder"),
        (edits(new_files=[{"path": "n", "content": "\0"}]), "NUL"),
        (edits(new_files=[{"path": "n", "content": "x" * 2_000_000}]), "larger than"),
        (edits(new_files=[{"path": "n", "content": ""}, {"path": "n", "content": ""}]), "exists already"),
        (edits(deletes=["a.py", "a.py"]), "also deleted"),
        (edits(deletes=["a.py"], edits=[edit("a.py", "x", "1")]), "also deleted"),
        (edits(renames=[{"from": "a.py", "to": "pkg/b.py"}]), "exists already"),
        (edits(new_files=[{"path": f"n{n}", "content": ""} for n in range(201)]), "more than 200 files"),
    ],
)
def test_a_submission_that_makes_no_sense_is_refused_in_words(tmp_path: Path, submission: Edits, finding: str) -> None:
    tree = tree_of(tmp_path, {"a.py": "x y z\n", "pkg/b.py": "b\n"})
    assert finding in reasons(tree, submission)
