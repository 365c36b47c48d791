"""Which branch of a remote changes are proposed to when nobody names one."""

from pathlib import Path

import pytest

from repowright_tools.errors import BaseMissing
from repowright_tools.git.workspace import Identity, Workspace
from repowright_tools.github.forge import GitHubForge
from repowright_tools.github.policy import ForgePolicy
from repowright_tools.open_pr.models import OpenPrArguments
from repowright_tools.open_pr.stage import OpenPr
from repowright_tools.stage import BoundRepository
from support.ports import bound, stage_context
from support.repositories import commit_all, git, make_repository, write_files

pytestmark = pytest.mark.anyio


def _remote(tmp_path: Path, *branches: str) -> tuple[Path, GitHubForge]:
    """A bare repository whose HEAD names `trunk`, with these branches."""
    work, bare = tmp_path / "work", tmp_path / "bare.git"
    make_repository(work, {"a.txt": "1\n"})
    git(tmp_path, "init", "-q", "--bare", "-b", "trunk", str(bare))
    for branch in branches:
        git(work, "push", "-q", str(bare), f"main:refs/heads/{branch}")
    return bare, GitHubForge(ForgePolicy(allowed_repositories=(str(bare),), allowed_roots=(tmp_path,)))


def _repository(tmp_path: Path, bare: Path, default: str | None, branch: str | None) -> BoundRepository:
    work = tmp_path / "work"
    return bound(work, git(work, "rev-parse", "main"), origin=str(bare), default_branch=default, branch=branch)


@pytest.mark.parametrize(
    ("branches", "default", "current", "base"),
    [
        (["main"], "main", "main", "main"),
        (["main", "master", "develop"], "develop", "main", "develop"),
        (["main", "develop"], "gone", "develop", "develop"),
        (["main", "other"], None, None, "main"),
        (["master", "other"], "gone", "gone", "master"),
        (["main", "repowright/x"], None, "repowright/x", "main"),
        (["trunk", "main"], "main", "main", "trunk"),
    ],
)
async def test_a_head_that_names_no_branch_is_made_up_for(
    tmp_path: Path, branches: list[str], default: str | None, current: str | None, base: str
) -> None:
    """R15: plain `git init --bare` names a branch that nobody may ever push."""
    bare, forge = _remote(tmp_path, *branches)
    target = forge.authorise(_repository(tmp_path, bare, default, current))

    await forge.preflight(target)
    await forge.preflight(target, base)

    assert (await forge.fetch_base(target, tmp_path / "work", None))[0] == base


@pytest.mark.parametrize(
    ("branches", "said"),
    [
        ([], "is empty"),
        (["main", "master"], "names no branch that exists.*: main, master$"),
        ([f"b{number:02}" for number in range(12)], "b00, .*b09 and 2 more$"),
        (["repowright/x"], "names no branch that exists"),
    ],
)
async def test_what_is_missing_is_said_as_it_is(tmp_path: Path, branches: list[str], said: str) -> None:
    """R15."""
    bare, forge = _remote(tmp_path, *branches)
    target = forge.authorise(_repository(tmp_path, bare, None, "repowright/x"))

    with pytest.raises(BaseMissing, match=said):
        await forge.preflight(target)
    with pytest.raises(BaseMissing, match=said):
        await forge.fetch_base(target, tmp_path / "work", None)
    with pytest.raises(BaseMissing, match="has no branch nowhere"):
        await forge.preflight(target, "nowhere")


async def test_a_branch_is_proposed_to_a_bare_repository_whose_head_names_none(tmp_path: Path) -> None:
    """R15."""
    bare, forge = _remote(tmp_path, "main")
    repository, work = _repository(tmp_path, bare, "main", "main"), tmp_path / "work"
    git(work, "checkout", "-q", "-b", "feature")
    write_files(work, {"a.txt": "2\n"})
    head = commit_all(work)
    workspace = Workspace(tmp_path / "run", Identity("Bot", "bot@example.org"), 10**9)
    context = stage_context(repository, forge=forge, workspace=workspace)

    result = await OpenPr().run(context, OpenPrArguments(branch="feature"))

    assert (result.action, result.base) == ("pushed", "main")
    assert git(bare, "rev-parse", "repowright/feature") == head
