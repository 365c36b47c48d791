"""Sources of every kind through the server: each works or is refused by name, and stays as it was."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.mcp import call, connected, settings_for
from support.repositories import commit_all, git, make_repository, write_files
from support.snapshots import snapshot

pytestmark = pytest.mark.anyio
FILES = {"app.py": "def run() -> int:\n    return 1\n", "lib/util.py": "X = 1\n", ".gitignore": "*.log\n"}


async def analysed(tmp_path: Path, source: Path, *, root: Path | None = None, **arguments: Any) -> dict[str, Any]:
    """The envelope of analyse_repo, after checking that the source is what it was."""
    before = snapshot(root or source)
    async with connected(settings_for(tmp_path / "home", root or source)) as client:
        envelope = await call(client, "analyse_repo", source=str(source), **arguments)
    assert snapshot(root or source) == before
    return envelope


async def test_a_folder_without_git_is_analysed_by_gits_own_rules_for_what_is_ignored(tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    ignored = {"a.log": "", "lib/b.log": "", "lib/gen/x.py": "GENERATED = 1\n", "deep/down/secret.py": "S = 1\n"}
    nested = {"lib/.gitignore": "gen/\n!keep.log\n", "lib/keep.log": "kept\n", "deep/.gitignore": "/down/*\n!open.py\n"}
    write_files(folder, FILES | nested | ignored | {"deep/down/open.py": "OPEN = 1\n"})
    result = (await analysed(tmp_path, folder))["result"]
    assert (result["commit"], result["dirty"], result["root"]) == (None, False, str(folder))
    git(tmp_path, "init", "-q", "--separate-git-dir", str(tmp_path / "elsewhere"), str(folder))
    listed = git(folder, "ls-files", "--others", "--exclude-standard").splitlines()
    assert {"lib/keep.log", "deep/down/open.py"} <= set(listed)
    assert result["files"]["listed"] == len([name for name in listed if name != ".git"])
    assert "app.py" in result["map"]
    assert "deep/down/open.py" in result["map"]
    assert "lib/gen/x.py" not in result["map"]


async def test_what_needs_a_commit_says_so_and_the_run_goes_on(tmp_path: Path) -> None:
    write_files(tmp_path / "plain", FILES)
    git(tmp_path, "init", "-q", "unborn")
    write_files(tmp_path / "unborn", FILES)
    edits = {"new_files": [{"path": "n.py", "content": "N = 1\n"}]}
    async with connected(settings_for(tmp_path / "home", tmp_path)) as client:
        for name, code in (("plain", "not_a_repository"), ("unborn", "empty_repository")):
            run = (await call(client, "analyse_repo", source=str(tmp_path / name)))["run_id"]
            made = await call(client, "generate_code", run_id=run, instruction="x", submission=edits)
            tested = await call(client, "run_tests_sandboxed", run_id=run)
            opened = await call(client, "open_pr", run_id=run, branch="main")
            delivered = await call(client, "deliver_feature", source=str(tmp_path / name), request="x", open_pr=False)
            again = await call(client, "analyse_repo", run_id=run, focus="run")
            at = await call(client, "analyse_repo", source=str(tmp_path / name), ref="main")
            assert made["error"]["code"] == delivered["error"]["code"] == code
            assert tested["error"]["code"] in (code, "sandbox_unreachable", "image_missing")
            assert opened["error"]["code"] in (code, "no_remote")
            assert again["result"]["commit"] is None
            assert at["error"]["code"] == ("not_a_repository" if name == "plain" else "unknown_ref")


def unborn(top: Path) -> Path:
    git(top, "init", "-q", "-b", "main", "repository")
    write_files(top / "repository", FILES)
    git(top / "repository", "add", "app.py")
    return top / "repository"


def unborn_beside_others(top: Path) -> Path:
    make_repository(top / "repository", FILES)
    git(top / "repository", "symbolic-ref", "HEAD", "refs/heads/nothing")
    return top / "repository"


@pytest.mark.parametrize("make", [unborn, unborn_beside_others])
async def test_a_repository_before_its_first_commit_is_analysed(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """R15."""
    result = (await analysed(tmp_path, make(tmp_path)))["result"]
    assert (result["commit"], result["dirty"]) == (None, True)
    assert "app.py" in result["map"]


def detached(top: Path) -> Path:
    first = make_repository(top / "repository", FILES)
    commit_all(top / "repository")
    git(top / "repository", "checkout", "-q", first)
    return top / "repository"


def shallow(top: Path) -> Path:
    make_repository(top / "whole", {"a.py": "A = 1\n"})
    write_files(top / "whole", FILES)
    commit_all(top / "whole")
    git(top, "clone", "-q", "--depth", "1", f"file://{top / 'whole'}", "repository")
    return top / "repository"


def sha256(top: Path) -> Path:
    git(top, "init", "-q", "--object-format=sha256", "repository")
    write_files(top / "repository", FILES)
    commit_all(top / "repository")
    return top / "repository"


def linked_work_tree(top: Path) -> Path:
    make_repository(top / "main", FILES)
    git(top / "main", "worktree", "add", "-q", "-b", "side", str(top / "repository"))
    return top / "repository"


def submodule(top: Path) -> Path:
    make_repository(top / "part", FILES)
    make_repository(top / "whole", {"b.py": "B = 1\n"})
    git(top / "whole", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(top / "part"), "part")
    commit_all(top / "whole")
    return top / "whole" / "part"


def sparse(top: Path) -> Path:
    make_repository(top / "repository", FILES | {"left/out.py": "OUT = 1\n"})
    git(top / "repository", "sparse-checkout", "set", "--cone", "--sparse-index", "lib")
    # to unfold the index for a question, git would write to the repository
    assert not (top / "repository" / "left").exists()
    return top / "repository"


def colliding_names(top: Path) -> Path:
    make_repository(top / "repository", FILES | {"README": "one\n", "readme": "two\n", "App.py": "def other(): ...\n"})
    git(top / "repository", "config", "core.ignorecase", "true")
    return top / "repository"


def partial_clone(top: Path) -> Path:
    make_repository(top / "whole", FILES)
    git(top / "whole", "config", "uploadpack.allowFilter", "true")
    write_files(top / "whole", {"app.py": "def run() -> int:\n    return 2\n"})
    commit_all(top / "whole")
    git(top, "clone", "-q", "--filter=blob:none", f"file://{top / 'whole'}", "repository")
    git(top / "repository", "config", "remote.origin.url", "ext::sh -c touch% /tmp/never")
    return top / "repository"


@pytest.mark.parametrize(
    "make", [detached, shallow, sha256, linked_work_tree, submodule, sparse, colliding_names, partial_clone]
)
async def test_an_unusual_repository_is_analysed_at_its_commit(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    """R15, R13."""
    top = tmp_path / "top"
    top.mkdir()
    source = make(top)
    result = (await analysed(tmp_path, source, root=top, focus="run"))["result"]
    assert result["commit"] == git(source, "rev-parse", "HEAD")
    assert not result["dirty"]
    assert result["root"] == str(source)
    assert "app.py" in result["map"]
    assert result["relevant"][0]["path"] in ("app.py", "App.py")


async def test_a_bare_repository_on_disk_is_refused_by_name(tmp_path: Path) -> None:
    """R15."""
    make_repository(tmp_path / "work", FILES)
    git(tmp_path, "clone", "-q", "--bare", "work", "bare.git")
    for place in ("bare.git", "bare.git/refs", "work/.git"):
        envelope = await analysed(tmp_path, tmp_path / place, root=tmp_path / place.split("/")[0])
        assert envelope["error"]["code"] == "not_a_repository"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
async def test_a_repository_of_another_user_is_analysed(tmp_path: Path) -> None:
    """R15: as in a container with a bind mount."""
    make_repository(tmp_path / "repository", FILES)
    for path in (tmp_path / "repository", *(tmp_path / "repository").rglob("*")):
        os.chown(path, 12345, 12345)
    result = (await analysed(tmp_path, tmp_path / "repository"))["result"]
    assert (result["commit"] is not None, result["dirty"]) == (True, False)
    assert "app.py" in result["map"]


async def test_a_repository_rewritten_between_two_stages_is_told_by_name_and_the_run_is_kept(tmp_path: Path) -> None:
    """The commit that the run is bound to is gone, with its objects."""
    repository = tmp_path / "repository"
    make_repository(repository, FILES)
    edits = {"edits": [{"path": "app.py", "old": "return 1", "new": "return 2"}]}
    async with connected(settings_for(tmp_path / "home", repository)) as client:
        first = await call(client, "analyse_repo", source=str(repository))
        git(repository, "checkout", "-q", "--orphan", "other")
        write_files(repository, {"app.py": "def run() -> int:\n    return 3\n"})
        commit = commit_all(repository)
        git(repository, "branch", "-q", "-D", "main")
        git(repository, "reflog", "expire", "--expire=now", "--all")
        git(repository, "gc", "-q", "--prune=now")
        made = await call(client, "generate_code", run_id=first["run_id"], instruction="x", submission=edits)
        state = await call(client, "get_run", run_id=first["run_id"])
        fresh = await call(client, "analyse_repo", source=str(repository))
        mended = await call(
            client, "generate_code", source=str(repository), instruction="y",
            submission={"edits": [{"path": "app.py", "old": "return 3", "new": "return 4"}]},
        )  # fmt: skip
    assert made["error"]["code"] == "unknown_ref"
    assert state["result"]["results"]["analyse_repo"]["commit"] == first["result"]["commit"]
    assert fresh["result"]["commit"] == mended["result"]["base_commit"] == commit


async def test_special_files_in_a_folder_without_git_hold_nothing_up(tmp_path: Path) -> None:
    """R09: a FIFO, a socket and a device beside the sources, and where an ignore file would be."""
    folder = tmp_path / "plain"
    write_files(folder, FILES | {"sub/c.py": "C = 1\n"})
    os.mkfifo(folder / "pipe.py")
    os.mkfifo(folder / "lib" / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        previous = Path.cwd()
        os.chdir(folder)  # the path of a socket is short
        try:
            listener.bind("socket.py")
        finally:
            os.chdir(previous)
        async with connected(settings_for(tmp_path / "home", folder)) as client:
            result = (await call(client, "analyse_repo", source=str(folder)))["result"]
    assert result["files"]["analysed"] >= 3


async def test_links_out_of_a_folder_without_git_are_not_followed(tmp_path: Path) -> None:
    """R05."""
    canary = "canary-of-the-host-4711"
    (tmp_path / "secret.py").write_text(f"SECRET = '{canary}'\n")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "deep.py").write_text(f"DEEP = '{canary}'\n")
    folder = tmp_path / "plain"
    write_files(folder, FILES)
    (folder / "absolute.py").symlink_to(tmp_path / "secret.py")
    (folder / "relative.py").symlink_to("../secret.py")
    (folder / "folder").symlink_to(tmp_path / "outside")
    (folder / "lib" / ".gitignore").symlink_to("../../secret.py")
    envelope = await analysed(tmp_path, folder, focus=canary)
    assert envelope["status"] == "COMPLETE"
    del envelope["result"]["map"]
    assert canary not in str(envelope).replace(str(tmp_path), "")
    kept = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert [path for path in kept if b"DEEP" in path.read_bytes() or b"SECRET =" in path.read_bytes()] == []
