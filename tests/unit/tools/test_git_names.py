"""Names of others: refs, and paths that a model wants to write."""

from pathlib import Path

import pytest

from repowright_tools.errors import InvalidRef
from repowright_tools.git.guard import PathRefused, check_ref, inside, protected_reason


@pytest.mark.parametrize(
    "name",
    [
        "--output=/tmp/x",
        "-d",
        "HEAD",
        "head",
        "FETCH_HEAD",
        "@",
        "a..b",
        "a...b",
        "@{-1}",
        "main@{1}",
        "main^",
        "main~1",
        "main:file",
        "",
        "x" * 300,
        "a b",
        "a\nb",
        "a\x00b",
        "a\\b",
        "a*",
        "a?",
        "a[b",
        "/a",
        "a/",
        "a//b",
        ".a",
        "a/.b",
        "a.lock",
        "a.lock/b",
        "a.",
        "main\u202e",
        "main\u200b",
    ],
)
def test_a_ref_that_is_more_than_a_name_is_refused(name: str) -> None:
    """G04."""
    with pytest.raises(InvalidRef):
        check_ref(name)


@pytest.mark.parametrize(
    "name", ["main", "release/1.2", "v1.0.0", "fix-#12", "función", "a" * 40, "a@b", "x+y", "-x"[1:]]
)
def test_plain_branches_tags_and_commits_are_refs(name: str) -> None:
    assert check_ref(name) == name


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "a/../../x",
        "a/../x",
        "/etc/x",
        "C:/x",
        "c:x",
        "a\\..\\x",
        ".git/config",
        ".GIT/config",
        ".git /config",
        ".git./config",
        "git~1/config",
        ".git::$INDEX_ALLOCATION/config",
        "a/.git/hooks/post-checkout",
        ".g\u200cit/config",
        "a//b",
        "./a",
        "a/",
        "",
        "a\nb",
        "a\x00b",
        "x" * 256,
        "a/" * 600 + "b",
    ],
)
def test_a_path_that_leaves_the_tree_or_means_the_git_folder_is_refused(tmp_path: Path, path: str) -> None:
    """G06."""
    with pytest.raises(PathRefused):
        inside(tmp_path, path)


def test_a_path_through_or_to_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    """G06."""
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    for path in ("folder/x", "file"):
        with pytest.raises(PathRefused):
            inside(root, path)
    assert inside(root, "new/x.py") == root / "new/x.py"


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/ci.yml",
        ".GitHub/Workflows/ci.yml",
        ".github/actions/x/run.sh",
        ".gitlab-ci.yml",
        "Jenkinsfile",
        ".circleci/config.yml",
        ".gitmodules",
        ".gitattributes",
        "sub/.gitattributes",
        ".vscode/tasks.json",
        "pkg/.vscode/settings.json",
        ".devcontainer/devcontainer.json",
        ".mcp.json",
        ".cursor/mcp.json",
        ".claude/settings.json",
        ".husky/pre-commit",
        ".pre-commit-config.yaml",
        "CODEOWNERS",
        "docs/CODEOWNERS",
        ".npmrc",
        ".env",
        ".envrc",
    ],
)
def test_files_that_act_outside_the_sandbox_are_protected(path: str) -> None:
    """G06, I02."""
    assert protected_reason(path)


@pytest.mark.parametrize(
    "path", ["src/app.py", ".gitignore", ".env.example", "README.md", "workflows/x.yml", ".github/ISSUE_TEMPLATE.md"]
)
def test_ordinary_files_are_not_protected(path: str) -> None:
    assert protected_reason(path) is None
