"""Remote sources through the shared mirrors: what is transferred, what is kept, and what never leaves."""

from pathlib import Path

import pytest

from repowright_tools.errors import EmptyRepository, UnknownRef, WorkspaceTooLarge
from repowright_tools.git.clone import folder_bytes
from repowright_tools.git.guard import GitFailed, run_git
from support.remotes import (
    MOST,
    NAME,
    advance,
    allow_filter,
    bound_to,
    forge,
    mirrors_in,
    policy_for,
    workspace_for,
)
from support.repositories import commit_all, git, write_files

pytestmark = pytest.mark.anyio


def missing(repository: Path) -> list[str]:
    """Objects of the history that are not there."""
    listed = git(repository, "rev-list", "--objects", "--all", "--missing=print", "--no-object-names")
    return [line for line in listed.splitlines() if line.startswith("?")]


async def test_the_whole_history_is_there_and_files_only_of_what_is_checked_out(tmp_path: Path) -> None:
    with forge(tmp_path) as github:
        bound = await bound_to(github, tmp_path / "home")
        old = git(tmp_path / "work", "rev-parse", "HEAD~2:a.txt")
        asked = len(github.requests)

        log = await run_git(Path(bound.root), "log", "--format=%s", "--name-only", "--no-renames")
        with pytest.raises(GitFailed):
            await run_git(Path(bound.root), "cat-file", "-p", old)
        assert len(github.requests) == asked
    assert log.decode().split() == [
        "three",
        "a.txt",
        "three.txt",
        "two",
        "a.txt",
        "two.txt",
        "first",
        "a.txt",
        "first.txt",
    ]
    assert sorted(path.name for path in Path(bound.root).iterdir()) == [
        ".git",
        "a.txt",
        "first.txt",
        "three.txt",
        "two.txt",
    ]
    assert len(missing(Path(bound.root))) == 2
    assert git(Path(bound.root), "status", "--porcelain") == ""


async def test_a_missing_file_is_fetched_only_when_the_guard_is_off(tmp_path: Path) -> None:
    """The knock-out: plain git asks the remote for it."""
    with forge(tmp_path) as github:
        root = Path((await bound_to(github, tmp_path / "home")).root)
        old = git(tmp_path / "work", "rev-parse", "HEAD~2:a.txt")
        asked = len(github.requests)
        for each in ({"GIT_NO_LAZY_FETCH": "0"}, {"GIT_ALLOW_PROTOCOL": "http"}):
            with pytest.raises(GitFailed):
                await run_git(root, "cat-file", "-p", old, environment=each)
        assert len(github.requests) == asked
        off = {"GIT_NO_LAZY_FETCH": "0", "GIT_ALLOW_PROTOCOL": "http"}
        assert await run_git(root, "cat-file", "-p", old, environment=off) == b"one\n"
        assert len(github.requests) > asked


async def test_a_second_run_of_an_unchanged_remote_asks_for_its_branches_and_nothing_else(tmp_path: Path) -> None:
    with forge(tmp_path) as github:
        first = await bound_to(github, tmp_path / "home", "one")
        asked = len(github.requests)
        second = await bound_to(github, tmp_path / "home", "two")
        again = [(request.method, request.path.rpartition("/")[2]) for request in github.requests[asked:]]
    assert second.commit == first.commit
    assert again == [("GET", "refs"), ("POST", "git-upload-pack")]
    assert b"command=ls-refs" in github.requests[-1].body


async def test_an_update_fetches_what_is_new_and_drops_branches_that_are_gone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with forge(tmp_path) as github:
        git(tmp_path / "work", "push", "-q", str(github.repository(NAME).bare), "HEAD~1:refs/heads/side")
        before = await bound_to(github, home, ref="side")
        commit = advance(tmp_path, github, {"new.txt": "new\n"})
        git(tmp_path / "work", "push", "-q", str(github.repository(NAME).bare), ":side")
        asked = len(github.requests)
        after = await bound_to(github, home, "two")
        with pytest.raises(UnknownRef):
            await bound_to(github, home, ref="side")
        wants = [line for each in github.requests[asked:] for line in each.body.split(b"\n") if b"want " in line]
    assert (before.branch, after.branch, after.commit) == ("side", "main", commit)
    assert (Path(after.root) / "new.txt").read_text() == "new\n"
    # the new commit, and the files that no checkout of an earlier commit had brought
    assert len(wants) == 1 + len(("three.txt", "a.txt", "new.txt"))
    assert len(mirrors_in(home)) == 1


async def test_branches_tags_and_commits_are_found_under_every_name(tmp_path: Path) -> None:
    with forge(tmp_path) as github:
        bare, work = github.repository(NAME).bare, tmp_path / "work"
        first = git(work, "rev-parse", "HEAD~2")
        git(work, "tag", "-a", "v1", "-m", "v1", first)
        git(work, "push", "-q", str(bare), "v1", f"{first}:refs/heads/feature/x", f"{first}:refs/hidden/lost")
        git(work, "checkout", "-q", "--orphan", "lost")
        write_files(work, {"lost.txt": "lost\n"})
        lost = commit_all(work, "lost")
        git(work, "push", "-q", str(bare), f"{lost}:refs/pull/1/head")
        for ref, branch, commit in (
            ("feature/x", "feature/x", first),
            ("v1", None, first),
            (first, None, first),
            (first[:9], None, first),
            (lost, None, lost),
        ):
            bound = await bound_to(github, tmp_path / "home", ref=ref)
            assert (bound.branch, bound.commit, bound.default_branch) == (branch, commit, "main")
            assert git(Path(bound.root), "rev-parse", "HEAD") == commit
        for unknown in ("nowhere", "f" * 40, "pull/1/head"):
            with pytest.raises(UnknownRef):
                await bound_to(github, tmp_path / "home", ref=unknown)


async def test_a_remote_with_a_detached_or_dangling_head_is_told_apart(tmp_path: Path) -> None:
    """R15."""
    with forge(tmp_path) as github:
        bare = github.repository(NAME).bare
        first = git(bare, "rev-parse", "main~2")
        git(bare, "update-ref", "--no-deref", "HEAD", first)
        for run in ("one", "two"):
            bound = await bound_to(github, tmp_path / "home", run)
            assert (bound.commit, bound.branch) == (first, None)
        git(bare, "symbolic-ref", "HEAD", "refs/heads/nothing")
        with pytest.raises(EmptyRepository):
            await bound_to(github, tmp_path / "home")
        assert (await bound_to(github, tmp_path / "home", ref="main")).commit == git(bare, "rev-parse", "main")


async def test_a_sha256_remote_works(tmp_path: Path) -> None:
    """R15."""
    with forge(tmp_path) as github:
        work, bare = tmp_path / "sha256", github.add_repository("ada/long").bare
        git(tmp_path, "init", "-q", "-b", "main", "--object-format=sha256", "sha256")
        write_files(work, {"a.txt": "a\n"})
        commit = commit_all(work)
        for path in sorted(bare.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        git(work, "clone", "-q", "--bare", ".", str(bare))
        allow_filter(github, "ada/long")
        bound = await bound_to(github, tmp_path / "home", name="ada/long")
    assert (bound.commit, len(bound.pinned())) == (commit, 64)


async def test_a_server_that_cannot_leave_files_out_is_cloned_whole(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with forge(tmp_path, filters=False) as github:
        bound = await bound_to(github, home)
        assert missing(Path(bound.root)) == []
        with pytest.raises(WorkspaceTooLarge):
            await bound_to(github, tmp_path / "small", most=2000)
        asked = len(github.requests)
        policy = policy_for(github, home)
        clone = await workspace_for(policy, home, "run").clone(bound)
        assert len(github.requests) == asked
    assert missing(clone) == []
    assert mirrors_in(tmp_path / "small") == []


async def test_the_clean_clone_is_whole_and_shares_nothing_with_the_mirror(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with forge(tmp_path) as github:
        bound = await bound_to(github, home)
        advance(tmp_path, github, {"later.txt": "later\n"})
        workspace = workspace_for(policy_for(github, home), home, "run")
        clone = await workspace.clone(bound)
        asked = len(github.requests)
        assert await workspace.clone(bound) == clone
        assert len(github.requests) == asked
    assert git(clone, "rev-parse", "HEAD") == bound.commit
    assert missing(clone) == []
    assert git(clone, "show", "HEAD~2:a.txt") == "one"
    assert "promisor" not in (clone / ".git" / "config").read_text()
    assert not (clone / ".git" / "objects" / "info" / "alternates").exists()
    assert {path.stat().st_nlink for path in (clone / ".git" / "objects").rglob("*") if path.is_file()} == {1}
    git(tmp_path, "clone", "-q", "--no-local", str(clone), "users")  # as a user may fetch from it


async def test_a_mirror_and_its_folder_are_private_and_readers_outlive_it(tmp_path: Path) -> None:
    """K05."""
    home = tmp_path / "home"
    with forge(tmp_path) as github:
        bound = await bound_to(github, home)
    assert {path.stat().st_mode & 0o777 for path in (home / "mirrors", *mirrors_in(home))} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in (home / "mirrors").glob("*.lock")} == {0o600}
    for path in sorted(home.joinpath("mirrors").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert git(Path(bound.root), "log", "--format=%s") == "three\ntwo\nfirst"
    assert git(Path(bound.root), "fsck", "--connectivity-only", "--no-dangling") == ""


async def test_the_token_of_a_private_repository_is_nowhere_below_the_state_folder(tmp_path: Path) -> None:
    """K01: neither in a URL, a configuration, a reflog, FETCH_HEAD nor a file of a run."""
    home = tmp_path / "home"
    with forge(tmp_path, private=True) as github:
        bound = await bound_to(github, home)
        advance(tmp_path, github, {"later.txt": "later\n"})
        await bound_to(github, home, "two")
        await workspace_for(policy_for(github, home), home, "run").clone(bound)
        assert all("Authorization" in request.headers for request in github.requests)
        sent = {request.headers["Authorization"].split()[1].encode() for request in github.requests}
        secrets = {github.token.encode(), *sent}
    files = [path for path in home.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path for path in files if any(secret in path.read_bytes() for secret in secrets)] == []


async def test_a_remote_that_was_rewritten_is_followed_and_earlier_runs_keep_what_they_had(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with forge(tmp_path) as github:
        before = await bound_to(github, home, "one")
        git(tmp_path / "work", "reset", "-q", "--hard", "HEAD~2")
        commit = advance(tmp_path, github, {"other.txt": "other\n"}, "--force")
        after = await bound_to(github, home, "two")
    assert after.commit == commit
    assert git(Path(before.root), "rev-parse", "HEAD") == before.commit
    assert git(Path(before.root), "status", "--porcelain") == ""


async def test_a_mirror_that_has_grown_too_large_is_made_anew_if_that_helps(tmp_path: Path) -> None:
    """R07: what earlier commits needed is no reason to refuse a later one."""
    home = tmp_path / "home"
    noise = "".join(f"{number * 7919 % 100_003}\n" for number in range(60_000))
    with forge(tmp_path) as github:
        advance(tmp_path, github, {"noise.txt": noise})
        assert (await bound_to(github, home, most=MOST)).commit
        (tmp_path / "work" / "noise.txt").unlink()
        commit = advance(tmp_path, github, {})
        used = folder_bytes(mirrors_in(home)[0])
        bound = await bound_to(github, home, "two", most=used + 4096)  # room for the mirror, and none for the files
        assert (bound.commit, bound.warnings) == (commit, ())
        assert folder_bytes(mirrors_in(home)[0]) < used
        assert (await bound_to(github, home, "three", most=200_000)).commit == commit
    assert len(mirrors_in(home)) == 1
