"""Names beside the texts: they hold no secret and look like nothing else; and a push starts nothing over there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.github import FakeGitHub
from fakes.github_project import Project, make_project
from repowright_tools.errors import InvalidArguments, PushFailed, SecretFound
from repowright_tools.github.push import push
from repowright_tools.github.remote import PushTarget
from support.ports import OperatorSays
from support.repositories import add_bare_origin, commit_all, git, make_repository, write_files

pytestmark = pytest.mark.anyio
TOKEN = "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gJ6"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with FakeGitHub(tmp_path) as github:
        yield make_project(tmp_path, github)


@pytest.mark.parametrize("what", ["branch", "labels", "reviewers"])
async def test_a_secret_in_a_name_is_refused_and_not_named(project: Project, what: str) -> None:
    """K04, I01: an obeying model gives a token where no text is."""
    operator = OperatorSays(True)
    git(project.work, "checkout", "-q", "-b", f"fix/{TOKEN}")
    arguments = {"branch": f"fix/{TOKEN}"} if what == "branch" else {"branch": "feature", what: ["bug", TOKEN]}
    with pytest.raises(SecretFound, match="github token") as caught:
        await project.open_pr(project.context(approval=operator), **arguments)
    assert TOKEN not in caught.value.message
    assert operator.asked == []
    assert project.github.writes == []


@pytest.mark.parametrize("label", ["none\ntitle: Fix a typo", "a\x1b[2Kb", "a\u202eb", " a", "a\u2028b"])
async def test_a_label_cannot_pass_for_another_line_of_what_is_approved(project: Project, label: str) -> None:
    operator = OperatorSays(True)
    with pytest.raises(InvalidArguments, match="labels"):
        await project.open_pr(project.context(approval=operator), labels=[label])
    assert operator.asked == []


async def test_a_work_tree_of_a_bare_repository_is_not_brought_up_to_date(tmp_path: Path) -> None:
    """G03: git would run the filters that the bare repository's configuration names."""
    work, bare, marker = tmp_path / "work", tmp_path / "bare.git", tmp_path / "marker"
    make_repository(work, {"a.txt": "1\n", ".gitattributes": "* filter=planted\n"})
    add_bare_origin(work, bare)
    git(bare, "worktree", "add", "-q", "-b", "repowright/feature", str(tmp_path / "linked"), "main")
    git(bare, "config", "receive.denyCurrentBranch", "updateInstead")
    git(bare, "config", "filter.planted.smudge", f"touch {marker}; cat")
    write_files(work, {"b.txt": "2\n"})
    head = commit_all(work)

    with pytest.raises(PushFailed):
        await push(PushTarget("plain", str(bare), str(bare)), None, work, head, "repowright/feature")
    assert not marker.exists()
    git(work, "push", "-q", "origin", f"{head}:refs/heads/repowright/feature")  # the knock-out
    assert marker.exists()
