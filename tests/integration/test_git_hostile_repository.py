"""A `.git` folder whose configuration names programs: none of them runs, whatever we do with the repository."""

import os
import subprocess
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from repowright_tools.errors import PathNotAllowed, RepositoryUnreadable, SourceError
from repowright_tools.git.guard import GitFailed, run_git
from repowright_tools.git.policy import SourcePolicy
from repowright_tools.git.source import bind, parse_source
from repowright_tools.git.tree import commit_files, work_tree_files
from repowright_tools.git.workspace import Identity, Workspace
from support.repositories import commit_all, git, make_repository, write_files

MOST = 10_000_000


def policy(*roots: Path) -> SourcePolicy:
    return SourcePolicy(roots, ("github.com",), "github.com", "https://github.com", token=None, max_bytes=MOST)


def workspace(folder: Path) -> Workspace:
    return Workspace(folder / "workspace", Identity("Bot", "bot@example.org"), MOST)


def plant(repository: Path, hazard: str, payload: Path) -> None:
    """Make the repository's own configuration name `payload`, the way the hazard is called."""
    settings = {
        "fsmonitor": {"core.fsmonitor": str(payload)},
        "external diff": {"diff.external": str(payload)},
        "textconv": {"diff.x.textconv": str(payload)},
        "clean filter": {"filter.x.clean": str(payload), "filter.x.smudge": str(payload)},
        "filter process": {"filter.x.process": str(payload)},
        "hooks path": {"core.hooksPath": str(payload.parent)},
        "hooks": {},
        "ssh command": {"core.sshCommand": str(payload), "remote.origin.url": "ssh://example.org/x"},
        "signing": {"gpg.program": str(payload), "commit.gpgSign": "true"},
        "upload pack": {"uploadpack.packObjectsHook": str(payload), "core.alternateRefsCommand": str(payload)},
        "credential helper": {"credential.helper": f"!{payload}"},
        "pager": {"core.pager": str(payload), "core.editor": str(payload), "core.askPass": str(payload)},
        "lazy fetch": {
            "core.repositoryFormatVersion": "1",
            "extensions.partialClone": "evil",
            "remote.evil.promisor": "true",
            "remote.evil.url": f"ext::{payload} %S",
            "protocol.ext.allow": "always",
        },
    }[hazard]
    for key, value in settings.items():
        git(repository, "config", key, value)
    for hook in ("post-checkout", "pre-commit", "post-index-change", "reference-transaction", "fsmonitor-watchman"):
        for folder in (payload.parent, repository / ".git" / "hooks"):
            (folder / hook).unlink(missing_ok=True)
            (folder / hook).symlink_to(payload)


def remove_an_object(repository: Path) -> None:
    """What a partial clone lacks is fetched by git from wherever its configuration says."""
    name = git(repository, "rev-parse", "HEAD:kept/b.txt")
    (repository / ".git" / "objects" / name[:2] / name[2:]).unlink()


def provoke(*arguments: str) -> Callable[[Path], object]:
    def run(folder: Path) -> object:
        command = ["git", *arguments]
        for _ in range(5):
            said = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=20)
            # A process that another thread is just starting may hold the new payload open for writing.
            if b"Text file busy" not in said.stderr:
                return said.stderr
        return b"the payload stays busy"

    return run


HAZARDS: dict[str, Callable[[Path], object]] = {
    "fsmonitor": provoke("status"),
    "external diff": provoke("diff"),
    "textconv": provoke("diff"),
    "clean filter": provoke("status"),
    "filter process": provoke("status"),
    "hooks path": provoke("checkout", "-b", "x"),
    "hooks": provoke("checkout", "-b", "x"),
    "ssh command": provoke("fetch", "origin"),
    "signing": provoke("-c", "user.name=x", "-c", "user.email=x", "commit", "--allow-empty", "-m", "x"),
    "lazy fetch": provoke("cat-file", "-p", "HEAD:kept/b.txt"),
}
"""What makes git run the payload when it is not told otherwise: the knock-out of each guard."""


@pytest.fixture
def hostile(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, Path]:
    """A repository with the hazard named by the parameter, and the file that appears when its payload runs."""
    hazard: str = request.param
    marker = tmp_path / "marker"
    payload = tmp_path / "planted" / "payload"
    payload.parent.mkdir()
    payload.write_text(f"#!/bin/sh\ntouch {marker}\n")
    payload.chmod(0o755)
    repository = tmp_path / "repository"
    make_repository(repository, {"a.txt": "one\n", "kept/b.txt": "two\n", ".gitattributes": "*.txt filter=x diff=x\n"})
    plant(repository, hazard, payload)
    if hazard == "lazy fetch":
        remove_an_object(repository)
    (repository / "a.txt").write_text("changed\n")
    # As young as the index: git does not trust the time stamp then and reads the file, through its filter.
    stamp = (repository / ".git" / "index").stat().st_mtime_ns
    for name in ("a.txt", "kept/b.txt"):
        os.utime(repository / name, ns=(stamp, stamp))
    marker.unlink(missing_ok=True)
    return repository, marker


async def use_everything(repository: Path, folder: Path) -> None:
    """Each function of ours that starts git near the repository."""
    bound = await bind(parse_source(str(repository), None, policy(folder)), workspace(folder), policy(folder))
    assert bound.dirty
    files = await work_tree_files(repository, MOST)
    assert {file.path for file in files} >= {"a.txt", "kept/b.txt"}
    own = workspace(folder)
    clone = await own.clone(bound)
    await own.start_branch("repowright/x", bound.pinned())
    (clone / "a.txt").write_text("written\n")
    head = await own.commit("message", [("Task", "T1")], when=datetime.now(UTC))
    assert "written" in await own.diff(bound.pinned(), head)
    await own.changes(bound.pinned(), head)
    await own.fetch_branch(bound, "main")
    await own.reset(bound.pinned())
    await bind(parse_source(str(repository), "main", policy(folder)), workspace(folder), policy(folder))
    await commit_files(repository, bound.pinned(), MOST)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "hostile",
    [*(hazard for hazard in HAZARDS if hazard != "lazy fetch"), "upload pack", "credential helper", "pager"],
    indirect=True,
)
async def test_no_program_that_a_repository_names_is_run(hostile: tuple[Path, Path], tmp_path: Path) -> None:
    """G01, G03."""
    repository, marker = hostile
    await use_everything(repository, tmp_path)
    assert not marker.exists()


@pytest.mark.anyio
@pytest.mark.parametrize("hostile", ["lazy fetch"], indirect=True)
async def test_a_missing_object_is_an_error_and_is_fetched_from_nowhere(
    hostile: tuple[Path, Path], tmp_path: Path
) -> None:
    """G01, R13."""
    repository, marker = hostile
    bound = await bind(parse_source(str(repository), None, policy(tmp_path)), workspace(tmp_path), policy(tmp_path))
    with pytest.raises(SourceError):
        await workspace(tmp_path).clone(bound)
    with pytest.raises(RepositoryUnreadable):
        await commit_files(repository, bound.pinned(), MOST)
    assert not marker.exists()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("hostile", "arguments"),
    [
        ("fsmonitor", ("ls-files", "--others")),
        ("fsmonitor", ("status",)),
        ("hooks path", ("checkout", "-b", "x")),
        ("hooks", ("checkout", "-b", "x")),
        ("ssh command", ("fetch", "origin")),
        ("pager", ("-p", "log")),
        ("lazy fetch", ("cat-file", "-p", "HEAD:kept/b.txt")),
    ],
    indirect=["hostile"],
)
async def test_hardened_git_runs_none_of_them_even_in_the_repository_itself(
    hostile: tuple[Path, Path], arguments: tuple[str, ...]
) -> None:
    """G01: what the environment alone stops; for filters, textconv, external diffs and signing it does not."""
    repository, marker = hostile
    with suppress(GitFailed):
        await run_git(repository, *arguments)
    assert not marker.exists()


@pytest.mark.parametrize(("hostile", "provoked"), HAZARDS.items(), indirect=["hostile"], ids=HAZARDS)
def test_git_left_to_itself_does_run_them(hostile: tuple[Path, Path], provoked: Callable[[Path], object]) -> None:
    """The knock-out of the tests above: their fixtures are live."""
    repository, marker = hostile
    said = provoked(repository)
    assert marker.exists(), said


@pytest.mark.anyio
async def test_the_configuration_of_a_submodule_runs_nothing_either(tmp_path: Path) -> None:
    """G01, R13."""
    marker = tmp_path / "marker"
    repository = tmp_path / "repository"
    make_repository(tmp_path / "inner", {"x.txt": "x\n"})
    make_repository(repository, {"a.txt": "one\n"})
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "inner"), "sub")
    commit_all(repository)
    git(repository / "sub", "config", "core.fsmonitor", f"touch {marker}")
    write_files(repository / "sub", {"x.txt": "changed\n"})
    bound = await bind(parse_source(str(repository), None, policy(tmp_path)), workspace(tmp_path), policy(tmp_path))
    assert not bound.dirty
    assert [file.path for file in await work_tree_files(repository, MOST)] == [".gitmodules", "a.txt"]
    assert [file.path for file in await commit_files(repository, bound.pinned(), MOST)] == [".gitmodules", "a.txt"]
    clone = await workspace(tmp_path).clone(bound)
    assert list((clone / "sub").iterdir()) == []
    assert not marker.exists()
    git(repository, "status")  # the knock-out
    assert marker.exists()


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["elsewhere", "nowhere"])
async def test_a_work_tree_that_the_configuration_moves_elsewhere_stays_where_it_is(tmp_path: Path, name: str) -> None:
    """R05."""
    write_files(tmp_path / "elsewhere", {"secret.txt": "canary\n"})
    repository = tmp_path / "root" / "repository"
    make_repository(repository, {"a.txt": "one\n"})
    git(repository, "config", "core.worktree", str(tmp_path / name))
    own = policy(tmp_path / "root")
    bound = await bind(parse_source(str(repository), None, own), workspace(tmp_path), own)
    assert (bound.root, bound.dirty) == (str(repository), False)
    assert [file.path for file in await work_tree_files(repository, MOST)] == ["a.txt"]


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["git file", "alternates", "refs link", "objects link"])
async def test_a_repository_that_borrows_from_outside_the_roots_is_refused(tmp_path: Path, way: str) -> None:
    """A planted pointer would make another repository of the machine readable."""
    private, repository = tmp_path / "private", tmp_path / "root" / "repository"
    make_repository(private, {"secret.txt": "canary\n"})
    make_repository(repository, {"a.txt": "one\n"})
    own = repository / ".git"
    if way == "alternates":
        (own / "objects" / "info" / "alternates").write_text(f"{private}/.git/objects\n")
    elif way == "git file":
        own.rename(tmp_path / "away")
        own.write_text(f"gitdir: {private}/.git\n")
    else:
        name = way.split()[0]
        (own / name).rename(tmp_path / "away")
        (own / name).symlink_to(private / ".git" / name)
    with pytest.raises(PathNotAllowed):
        await bind(
            parse_source(str(repository), None, policy(tmp_path / "root")),
            workspace(tmp_path),
            policy(tmp_path / "root"),
        )
