"""What a source is bound to: commit, branches, origin, and whether the work tree differs."""

import os
from pathlib import Path

import pytest

from repowright_tools.errors import EmptyRepository, NotARepository, PathNotAllowed, UnknownRef, WorkspaceTooLarge
from repowright_tools.git.policy import SourcePolicy
from repowright_tools.git.shadow import find_work_tree
from repowright_tools.git.source import bind, parse_source
from repowright_tools.git.tree import work_tree_paths
from repowright_tools.git.workspace import Identity, Workspace
from repowright_tools.stage import BoundRepository
from support.repositories import add_bare_origin, commit_all, git, make_repository, write_files
from support.snapshots import snapshot

pytestmark = pytest.mark.anyio
MOST = 10_000_000


async def bound_to(
    source: Path, ref: str | None = None, *, root: Path | None = None, most: int = MOST
) -> BoundRepository:
    roots = (root or source,)
    policy = SourcePolicy(roots, ("github.com",), "github.com", "https://github.com", token=None, max_bytes=most)
    workspace = Workspace(source.parent / "workspace", Identity("Bot", "bot@example.org"), most)
    return await bind(parse_source(str(source), ref, policy), workspace, policy)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    make_repository(tmp_path / "repository", {"a.py": "x = 1\n", "sub/b.txt": "b\n", ".gitignore": "*.log\n"})
    return tmp_path / "repository"


async def test_a_clean_work_tree_is_bound_to_its_head(repository: Path) -> None:
    bound = await bound_to(repository)
    assert bound == BoundRepository(
        source=str(repository),
        kind="local",
        root=str(repository),
        commit=git(repository, "rev-parse", "HEAD"),
        branch="main",
        default_branch="main",
        dirty=False,
        origin=None,
    )


async def test_a_folder_below_the_top_is_bound_to_the_top_if_that_is_allowed(repository: Path) -> None:
    assert (await bound_to(repository / "sub", root=repository)).root == str(repository)
    with pytest.raises(PathNotAllowed):
        await bound_to(repository / "sub")


@pytest.mark.parametrize("change", ["modified", "staged", "deleted", "untracked", "mode"])
async def test_an_uncommitted_change_makes_it_dirty(repository: Path, change: str) -> None:
    if change in ("modified", "staged"):
        write_files(repository, {"a.py": "x = 2\n"})
    if change == "staged":
        git(repository, "add", "a.py")
    if change == "deleted":
        (repository / "a.py").unlink()
    if change == "untracked":
        write_files(repository, {"new.txt": ""})
    if change == "mode":
        (repository / "a.py").chmod(0o755)
    assert (await bound_to(repository)).dirty


async def test_ignored_files_and_younger_time_stamps_do_not(repository: Path) -> None:
    write_files(repository, {"x.log": "noise"})
    os.utime(repository / "a.py")
    index = (repository / ".git" / "index").read_bytes()
    assert not (await bound_to(repository)).dirty
    assert (repository / ".git" / "index").read_bytes() == index


async def test_line_ends_that_git_converts_do_not(repository: Path) -> None:
    git(repository, "config", "core.autocrlf", "true")
    (repository / "a.py").unlink()
    git(repository, "checkout", "-q", "a.py")
    assert (repository / "a.py").read_bytes() == b"x = 1\r\n"
    os.utime(repository / "a.py")
    assert not (await bound_to(repository)).dirty


async def test_exclusions_of_the_repository_itself_and_a_split_index_are_heeded(repository: Path) -> None:
    (repository / ".git" / "info" / "exclude").write_text("private/\n")
    write_files(repository, {"private/x": "x"})
    git(repository, "update-index", "--split-index")
    assert not (await bound_to(repository)).dirty


async def test_what_is_no_work_tree_is_refused(tmp_path: Path) -> None:
    """R15."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "hollow" / ".git").mkdir(parents=True)
    make_repository(tmp_path / "bare-parent", {"a": "a"})
    git(tmp_path, "init", "-q", "--bare", "bare-parent/inner")
    for name in ("plain", "hollow", "bare-parent/inner", "bare-parent/.git", "bare-parent/.git/refs"):
        with pytest.raises(NotARepository):
            await bound_to(tmp_path / name, root=tmp_path)


async def test_a_repository_without_a_commit_is_bound_to_none_unless_it_has_no_file_either(tmp_path: Path) -> None:
    """R15: no commit at all, and an unborn branch beside a born one."""
    git(tmp_path, "init", "-q", "-b", "main", "empty")
    with pytest.raises(EmptyRepository):
        await bound_to(tmp_path / "empty")
    write_files(tmp_path / "empty", {"a": "a"})
    make_repository(tmp_path / "unborn", {"a": "a"})
    born = git(tmp_path / "unborn", "rev-parse", "main")
    git(tmp_path / "unborn", "symbolic-ref", "HEAD", "refs/heads/nothing")
    for name, branch in (("empty", "main"), ("unborn", "nothing")):
        bound = await bound_to(tmp_path / name)
        assert (bound.commit, bound.branch, bound.dirty) == (None, branch, True)
        with pytest.raises(EmptyRepository):
            await Workspace(tmp_path / "ws", Identity("Bot", "bot@example.org"), MOST).clone(bound)
    assert (await bound_to(tmp_path / "unborn", "main")).commit == born


async def test_a_folder_without_git_is_bound_to_no_commit(tmp_path: Path) -> None:
    write_files(tmp_path / "plain", {"a": "a"})
    bound = await bound_to(tmp_path / "plain")
    assert (bound.root, bound.commit, bound.branch, bound.dirty) == (str(tmp_path / "plain"), None, None, False)
    with pytest.raises(NotARepository):
        await Workspace(tmp_path / "ws", Identity("Bot", "bot@example.org"), MOST).clone(bound)
    with pytest.raises(NotARepository):
        await bound_to(tmp_path / "plain", "main")


async def test_a_sparse_index_is_compared_without_a_trace_in_the_repository(repository: Path) -> None:
    """To unfold it git would write to the user's objects."""
    git(repository, "sparse-checkout", "set", "--cone", "--sparse-index", "other")
    write_files(repository, {"other/new.py": "n = 1\n"})
    git(repository, "add", "other")
    before = snapshot(repository)
    assert (await bound_to(repository)).dirty
    tree = find_work_tree(repository, (repository,))
    assert await work_tree_paths(tree) == [".gitignore", "a.py", "other/new.py", "sub/"]
    assert snapshot(repository) == before


async def test_a_detached_head_has_no_branch(repository: Path) -> None:
    """R15."""
    first = git(repository, "rev-parse", "HEAD")
    commit_all(repository, "second")
    git(repository, "checkout", "-q", first)
    bound = await bound_to(repository)
    assert (bound.commit, bound.branch, bound.default_branch) == (first, None, "main")


async def test_a_shallow_clone_works(repository: Path, tmp_path: Path) -> None:
    """R15."""
    commit_all(repository, "second")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "shallow")
    bound = await bound_to(tmp_path / "shallow")
    clone = await Workspace(tmp_path / "ws", Identity("Bot", "bot@example.org"), MOST).clone(bound)
    assert git(clone, "rev-parse", "HEAD") == bound.commit


async def test_a_sha256_repository_works(tmp_path: Path) -> None:
    """R15."""
    folder = tmp_path / "sha256"
    git(tmp_path, "init", "-q", "-b", "main", "--object-format=sha256", "sha256")
    write_files(folder, {"a.txt": "a\n"})
    commit = commit_all(folder)
    bound = await bound_to(folder)
    assert (bound.commit, len(commit), bound.dirty) == (commit, 64, False)
    write_files(folder, {"a.txt": "b\n"})
    assert (await bound_to(folder)).dirty
    clone = await Workspace(tmp_path / "ws", Identity("Bot", "bot@example.org"), MOST).clone(bound)
    assert git(clone, "rev-parse", "HEAD") == commit


async def test_a_linked_work_tree_is_bound_if_its_repository_is_allowed(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    bound = await bound_to(tmp_path / "linked", root=tmp_path)
    assert (bound.root, bound.branch, bound.dirty) == (str(tmp_path / "linked"), "side", False)
    with pytest.raises(PathNotAllowed):
        await bound_to(tmp_path / "linked")


async def test_a_ref_is_read_from_a_checkout_of_ours_and_the_work_tree_is_left_alone(repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "branch", "old")
    git(repository, "tag", "v1")
    write_files(repository, {"a.py": "x = 2\n"})
    commit_all(repository)
    write_files(repository, {"a.py": "x = 3\n"})
    for ref, branch in (("old", "old"), ("v1", None), (first, None), (first[:10], None)):
        bound = await bound_to(repository, ref)
        assert (bound.kind, bound.commit, bound.branch, bound.dirty) == ("local", first, branch, False)
        assert (Path(bound.root) / "a.py").read_text() == "x = 1\n"
    assert (repository / "a.py").read_text() == "x = 3\n"
    with pytest.raises(UnknownRef):
        await bound_to(repository, "nowhere")


async def test_a_commit_that_no_branch_leads_to_can_still_be_asked_for(repository: Path) -> None:
    lost = commit_all(repository, "lost")
    git(repository, "reset", "-q", "--hard", "HEAD~1")
    assert (await bound_to(repository, lost)).commit == lost


async def test_the_default_branch_is_what_origin_says(repository: Path, tmp_path: Path) -> None:
    git(repository, "branch", "trunk")
    add_bare_origin(repository, tmp_path / "origin.git")
    git(repository, "push", "-q", "origin", "trunk")
    git(repository, "remote", "set-head", "origin", "trunk")
    bound = await bound_to(repository)
    assert (bound.default_branch, bound.origin) == ("trunk", str(tmp_path / "origin.git"))


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://user:secret@github.com/a/b.git", "https://github.com/a/b.git"),
        ("https://token@github.com/a/b.git", "https://github.com/a/b.git"),
        ("ssh://git:secret@github.com/a/b.git", "ssh://git@github.com/a/b.git"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ("../origin.git", "{parent}/origin.git"),
    ],
)
async def test_the_origin_is_told_without_credentials(repository: Path, url: str, origin: str) -> None:
    """K01."""
    git(repository, "remote", "add", "origin", url)
    assert (await bound_to(repository)).origin == origin.format(parent=repository.parent)


async def test_a_checkout_larger_than_the_limit_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    """R07: 4 MB of zeros are a small pack."""
    make_repository(tmp_path / "large", {"zeros": "\0" * 4_000_000})
    with pytest.raises(WorkspaceTooLarge):
        await bound_to(tmp_path / "large", "main", most=1_000_000)
    assert [entry.name for entry in (tmp_path / "workspace").iterdir()] == ["gitconfig"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_a_repository_that_another_user_owns_works(repository: Path, tmp_path: Path) -> None:
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 12345, 12345)
    bound = await bound_to(repository)
    clone = await Workspace(tmp_path / "ws", Identity("Bot", "bot@example.org"), MOST).clone(bound)
    assert git(clone, "rev-parse", "HEAD") == bound.commit
