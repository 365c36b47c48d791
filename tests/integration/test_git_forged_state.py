"""What somebody put into a `.git` folder leads to no file outside the allowed roots."""

import hashlib
from pathlib import Path

import pytest

from repowright_tools.errors import PathNotAllowed
from repowright_tools.git.shadow import find_work_tree
from repowright_tools.git.tree import work_tree_files
from repowright_tools.index.index import Index
from support.repositories import commit_all, git, make_repository

MOST = 1_000_000
WAYS = (
    *("linked list of alternates", "quoted alternate", "alternate of an alternate", "alternate by way of a link"),
    *("linked commondir", "linked pack", "linked packed-refs", "linked shallow", "linked branches", "link to a link"),
)


@pytest.mark.parametrize("way", WAYS)
def test_no_part_of_a_repository_is_taken_from_outside_the_roots(tmp_path: Path, way: str) -> None:
    """R05: git follows each of these, whatever it is asked."""
    private, repository = tmp_path / "private", tmp_path / "root" / "repository"
    make_repository(private, {"secret.txt": "canary\n"})
    make_repository(repository, {"a.txt": "one\n"})
    plant(way, repository, private)
    with pytest.raises(PathNotAllowed):
        find_work_tree(repository, (tmp_path / "root",))
    if way != "quoted alternate":  # never read, wherever it leads
        assert find_work_tree(repository, (tmp_path,)).root == repository


def plant(way: str, repository: Path, private: Path) -> None:
    own, other = repository / ".git", private / ".git"
    alternates = own / "objects" / "info" / "alternates"
    match way:
        case "linked list of alternates":
            (repository / "list").write_text(f"{other}/objects\n")
            alternates.symlink_to(repository / "list")
        case "quoted alternate":
            alternates.write_text(f'"{other}/\\157bjects"\n')
        case "alternate of an alternate":
            (repository / "between" / "info").mkdir(parents=True)
            (repository / "between" / "info" / "alternates").write_text(f"{other}/objects\n")
            alternates.write_text(f"{repository}/between\n")
        case "alternate by way of a link":  # git takes `..` off the text, not off where the link leads
            (repository / "a" / "b" / "c").mkdir(parents=True)
            (repository / "link").symlink_to(repository / "a" / "b" / "c")
            alternates.write_text(f"{repository}/link/../../../private/.git/objects\n")
        case "linked commondir":
            (repository / "list").write_text(f"{other}\n")
            (own / "commondir").symlink_to(repository / "list")
        case "linked pack":
            git(private, "gc", "-q")
            pack = next((other / "objects" / "pack").glob("*.pack"))
            (own / "objects" / "pack" / pack.name).symlink_to(pack)
        case "linked branches":
            (own / "refs" / "heads" / "more").symlink_to(other / "refs" / "heads")
        case "link to a link":
            (repository / "folder").mkdir()
            (repository / "folder" / "main").symlink_to(other / "refs" / "heads" / "main")
            (own / "refs" / "heads" / "more").symlink_to(repository / "folder")
        case _:
            (own / way.removeprefix("linked ")).symlink_to(private / "secret.txt")


def test_links_and_alternates_inside_the_roots_are_no_matter(tmp_path: Path) -> None:
    repository, shared = tmp_path / "repository", tmp_path / "shared"
    make_repository(shared, {"a.txt": "one\n"})
    git(tmp_path, "clone", "-q", "--shared", str(shared), str(repository))
    (repository / ".git" / "shared").symlink_to(shared / ".git")
    assert find_work_tree(repository, (tmp_path,)).root == repository


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("name", "forged"), [("aa/outside/secret.py", "../outside/secret.py"), ("xgit/config", ".git/config")]
)
async def test_names_in_a_forged_index_lead_nowhere(tmp_path: Path, name: str, forged: str) -> None:
    """R05: git checks names when it adds them to its index, not when it reads them there."""
    repository = tmp_path / "repository"
    make_repository(repository, {name: "x = 1\n", "kept.py": "y = 2\n"})
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.py").write_text("CANARY = 1\n")
    index = repository / ".git" / "index"
    body = index.read_bytes()[:-20].replace(name.encode(), forged.encode())
    index.write_bytes(body + hashlib.sha1(body, usedforsecurity=False).digest())
    (repository / name).unlink()
    assert forged in git(repository, "ls-files", "--cached")

    opened = await Index().open(repository)
    assert "kept.py" in opened.paths
    assert forged not in opened.paths
    assert opened.text(forged) is None
    assert not opened.has_path(forged)
    assert forged not in [file.path for file in await work_tree_files(repository, MOST)]


@pytest.mark.anyio
async def test_private_files_are_left_out_of_what_is_read(tmp_path: Path) -> None:
    """K01: a key of any shape that stands in an `.env` file."""
    private = {".env": "KEY=canary\n", ".env.local": "KEY=canary\n", "sub/.ENV": "KEY=canary\n"}
    make_repository(tmp_path, {"a.py": "x = 1\n", ".env.example": "KEY=\n", **private})
    commit_all(tmp_path)
    opened = await Index().open(tmp_path)
    assert list(opened.paths) == [".env.example", "a.py"]
    assert [(group.reason, group.count) for group in opened.excluded] == [("private", 3)]
    assert all(opened.text(path) is None for path in private)
