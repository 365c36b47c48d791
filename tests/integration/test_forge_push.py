"""The push and its guard, against real repositories on disk and a real server."""

import logging
import os
import traceback
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from fakes.github import FakeGitHub
from fakes.github_project import NAME, Project, make_project
from repowright_tools.errors import (
    BaseMissing,
    ForgeForbidden,
    ForgeNotFound,
    ForgeUnauthorized,
    ForgeUnavailable,
    InvalidRef,
    PushFailed,
    PushNotAllowed,
    ReadOnly,
)
from repowright_tools.github.forge import GitHubForge
from repowright_tools.github.policy import ForgePolicy
from repowright_tools.github.push import push
from repowright_tools.github.remote import PushTarget
from support.repositories import add_bare_origin, commit_all, git, make_repository, write_files

pytestmark = pytest.mark.anyio
BRANCH = "repowright/x"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with FakeGitHub(tmp_path) as github:
        yield make_project(tmp_path, github)


def _target(project: Project) -> PushTarget:
    return project.forge().authorise(project.context().repository)


async def test_a_commit_gets_to_its_branch_once(project: Project) -> None:
    target, forge = _target(project), project.forge()

    assert await forge.push(target, project.work, project.head, BRANCH) is True
    assert await forge.push(target, project.work, project.head, BRANCH) is False
    assert project.github.branches(NAME)[BRANCH] == project.head
    assert await forge.head(target, BRANCH) == project.head
    assert await forge.head(target, "repowright/none") is None


@pytest.mark.parametrize("branch", ["main", "feature", "repowrightx/y", "xrepowright/y", "refs/heads/repowright/x"])
async def test_a_branch_outside_the_prefix_is_never_pushed(project: Project, branch: str) -> None:
    """O04."""
    with pytest.raises(PushNotAllowed):
        await project.forge().push(_target(project), project.work, project.head, branch)

    assert project.github.writes == []


@pytest.mark.parametrize(
    "branch", ["--output=/tmp/x", "-d", "HEAD", "a..b", "@{-1}", "", "x" * 300, "repowright/x:main", "+repowright/x"]
)
async def test_a_name_that_is_no_plain_branch_is_refused(project: Project, branch: str) -> None:
    """G04."""
    with pytest.raises((InvalidRef, PushNotAllowed)):
        await project.forge().push(_target(project), project.work, project.head, branch)

    assert project.github.requests == []


@pytest.mark.parametrize("commit", ["HEAD", "", "feature", "+" + "0" * 40, "0" * 39])
async def test_only_a_commit_id_is_pushed(project: Project, commit: str) -> None:
    with pytest.raises(PushNotAllowed):
        await project.forge().push(_target(project), project.work, commit, BRANCH)


async def test_the_default_branch_is_never_pushed_even_under_the_prefix(project: Project) -> None:
    """O04: a repository whose default branch is called like one of ours."""
    bare = project.github.repository(NAME).bare
    git(bare, "branch", BRANCH, "main")
    git(bare, "symbolic-ref", "HEAD", f"refs/heads/{BRANCH}")

    with pytest.raises(PushNotAllowed):
        await project.forge().push(_target(project), project.work, project.head, BRANCH)

    assert project.github.writes == []


async def test_other_commits_on_the_remote_branch_are_never_overwritten(project: Project) -> None:
    target, forge = _target(project), project.forge()
    await forge.push(target, project.work, project.head, BRANCH)
    git(project.work, "commit", "-q", "--amend", "-m", "rewritten")

    with pytest.raises(PushFailed, match="nothing is forced"):
        await forge.push(target, project.work, git(project.work, "rev-parse", "HEAD"), BRANCH)

    assert project.github.branches(NAME)[BRANCH] == project.head


async def test_a_push_whose_answer_is_lost_is_looked_up_and_counts(project: Project) -> None:
    """O01."""
    project.github.fail("POST", "git-receive-pack", 502, after=True)

    assert await project.forge().push(_target(project), project.work, project.head, BRANCH) is True
    assert project.github.branches(NAME)[BRANCH] == project.head


async def test_read_only_refuses_every_write(project: Project) -> None:
    """O05."""
    target, forge = _target(project), project.forge(read_only=True)

    with pytest.raises(ReadOnly):
        await forge.push(target, project.work, project.head, BRANCH)
    with pytest.raises(ReadOnly):
        await forge.preflight(target)
    with pytest.raises(ReadOnly):
        await forge.update(target, 1, "title", "body")
    with pytest.raises(ReadOnly):
        await forge.add_labels(target, 1, ["bug"])
    with pytest.raises(ReadOnly):
        await forge.request_reviewers(target, 1, ["grace"])
    assert project.github.requests == []


async def test_each_refusal_of_the_remote_has_its_own_error(project: Project) -> None:
    """O04: nothing is pushed with a token that is missing, revoked or without rights."""
    github, target = project.github, _target(project)
    revoked = github.add_token(push=True)
    github.revoke(revoked)
    reader = github.add_token(push=False)

    for token, error in ((None, ForgeUnauthorized), (revoked, ForgeUnauthorized), (reader, ForgeForbidden)):
        with pytest.raises(error):
            await project.forge(token=token).push(target, project.work, project.head, BRANCH)
    gone = PushTarget("forge", "ada/gone", github.clone_url("ada/gone"))
    with pytest.raises(ForgeNotFound):
        await project.forge().push(gone, project.work, project.head, BRANCH)
    assert list(github.branches(NAME)) == ["main"]


async def test_a_base_is_fetched_by_name_or_as_the_default_branch(project: Project) -> None:
    target, forge = _target(project), project.forge()

    assert await forge.fetch_base(target, project.work, None) == ("main", project.base)
    assert await forge.fetch_base(target, project.work, "main") == ("main", project.base)
    with pytest.raises(BaseMissing):
        await forge.fetch_base(target, project.work, "none")


async def test_a_server_that_is_gone_is_unavailable(project: Project) -> None:
    nowhere = PushTarget("forge", NAME, "http://127.0.0.1:9/ada/tool.git")

    with pytest.raises(ForgeUnavailable):
        await project.forge().head(nowhere, BRANCH)


async def test_the_token_is_in_no_argument_of_a_process_and_in_no_file(project: Project) -> None:
    """K01, S05: git is replaced by a program that writes down how it was started, then runs git."""
    spy, log = project.root / "bin" / "git", project.root / "argv.log"
    write_files(spy.parent, {"git": f'#!/bin/sh\necho "$@" >> {log}\nexec {_real_git()} "$@"\n'})
    spy.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{spy.parent}:{before}"
    try:
        await project.forge().push(_target(project), project.work, project.head, BRANCH)
    finally:
        os.environ["PATH"] = before

    assert "push" in log.read_text()
    assert project.github.token not in log.read_text()
    assert not any(
        project.github.token.encode() in path.read_bytes() for path in project.work.rglob("*") if path.is_file()
    )


async def test_gitpython_pushes_and_the_token_is_in_no_log_and_no_error(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    """K01, S05: GitPython writes into its log how it starts git."""
    caplog.set_level(logging.DEBUG)
    target, forge = _target(project), project.forge()
    await forge.push(target, project.work, project.head, BRANCH)
    git(project.work, "commit", "-q", "--amend", "-m", "rewritten")

    with pytest.raises(PushFailed) as caught:
        await forge.push(target, project.work, git(project.work, "rev-parse", "HEAD"), BRANCH)

    (first, _) = [record.getMessage() for record in caplog.records if "'push'" in record.getMessage()]
    assert f"{project.head}:refs/heads/{BRANCH}" in first
    encoded = b64encode(f"x-access-token:{project.github.token}".encode()).decode()
    told = caplog.text + "".join(traceback.format_exception(caught.value))
    assert project.github.token not in told
    assert encoded not in told


async def test_a_push_that_does_not_end_is_killed_at_its_deadline(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R14: git is replaced by a program that never ends when it is to push."""
    stuck, child = project.root / "bin" / "git", project.root / "child"
    waits = f"case $1 in push) sleep 60 & echo $! > {child}; wait;; esac"
    write_files(stuck.parent, {"git": f'#!/bin/sh\n{waits}\nexec {_real_git()} "$@"\n'})
    stuck.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stuck.parent}:{os.environ['PATH']}")

    with pytest.raises(ForgeUnavailable, match="did not end within 1 s"):
        await push(_target(project), project.github.token, project.work, project.head, BRANCH, deadline_s=1)

    assert BRANCH not in project.github.branches(NAME)
    with anyio.fail_after(10):
        while _runs(int(child.read_text())):
            await anyio.sleep(0.01)


def _runs(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _real_git() -> str:
    return next(f"{folder}/git" for folder in os.environ["PATH"].split(":") if os.access(f"{folder}/git", os.X_OK))


@pytest.mark.parametrize("hook", ["pre-push", "reference-transaction"])
async def test_hooks_planted_in_the_clone_do_not_run(project: Project, hook: str) -> None:
    """G03. The payload makes a file; plain git, which runs it, is the knock-out."""
    marker = project.root / "marker"
    hooks = project.work / ".git" / "hooks"
    write_files(hooks, {hook: f"#!/bin/sh\ntouch {marker}\n"})
    (hooks / hook).chmod(0o755)
    git(project.work, "config", "core.hooksPath", str(hooks))
    git(project.work, "push", "-q", "--dry-run", str(project.github.repository(NAME).bare), "feature:other")
    git(project.work, "update-ref", "refs/heads/other", "HEAD")
    assert marker.exists()
    marker.unlink()

    await project.forge().push(_target(project), project.work, project.head, BRANCH)

    assert project.github.branches(NAME)[BRANCH] == project.head
    assert not marker.exists()


def _plain(tmp_path: Path) -> tuple[Path, Path, GitHubForge, PushTarget]:
    work, bare = tmp_path / "work", tmp_path / "bare.git"
    make_repository(work, {"a.txt": "1\n"})
    add_bare_origin(work, bare)
    forge = GitHubForge(ForgePolicy(allowed_repositories=(str(bare),), allowed_roots=(tmp_path,)))
    return work, bare, forge, PushTarget("plain", str(bare), str(bare))


@pytest.mark.parametrize("hook", ["pre-receive", "update", "post-receive", "post-update", "reference-transaction"])
async def test_hooks_of_a_bare_repository_on_disk_do_not_run(tmp_path: Path, hook: str) -> None:
    """G03: its receiving side is a process of ours. Plain git, which runs them, is the knock-out."""
    work, bare, forge, target = _plain(tmp_path)
    marker = tmp_path / "marker"
    write_files(bare / "hooks", {hook: f"#!/bin/sh\ntouch {marker}\n"})
    (bare / "hooks" / hook).chmod(0o755)
    git(work, "push", "-q", "origin", "main:knock-out")
    assert marker.exists()
    marker.unlink()
    write_files(work, {"a.txt": "2\n"})
    commit = commit_all(work)

    assert await forge.push(target, work, commit, BRANCH) is True

    assert git(bare, "rev-parse", BRANCH) == commit
    assert not marker.exists()


async def test_a_program_named_by_the_configuration_of_a_bare_repository_does_not_run(tmp_path: Path) -> None:
    """G01: `core.alternateRefsCommand` runs in the receiving side of every push to a repository with alternates."""
    work, bare, forge, target = _plain(tmp_path)
    marker, other = tmp_path / "marker", tmp_path / "other"
    make_repository(other, {"b.txt": "1\n"})
    write_files(bare / "objects" / "info", {"alternates": f"{other}/.git/objects\n"})
    git(bare, "config", "core.alternateRefsCommand", f"touch {marker}; true")
    git(work, "push", "-q", "origin", "main:knock-out")
    assert marker.exists()
    marker.unlink()
    write_files(work, {"a.txt": "2\n"})

    assert await forge.push(target, work, commit_all(work), BRANCH) is True

    assert not marker.exists()


async def test_an_empty_repository_on_disk_has_no_base(tmp_path: Path) -> None:
    """R15."""
    _, _, forge, _ = _plain(tmp_path)
    empty = tmp_path / "empty.git"
    git(tmp_path, "init", "-q", "--bare", str(empty))

    with pytest.raises(BaseMissing):
        await forge.preflight(PushTarget("plain", str(empty), str(empty)))
