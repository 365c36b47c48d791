"""What must not leave the machine does not: secrets, protected files, the token, the user's uncommitted work."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.github import FakeGitHub
from fakes.github_project import NAME, Project, make_project
from repowright_tools.errors import ChangeTooLarge, ProtectedPath, SecretFound
from repowright_tools.open_pr.change import read_change
from support.ports import OperatorSays
from support.repositories import commit_all, git, write_files

pytestmark = pytest.mark.anyio
TOKEN = "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gJ6"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with FakeGitHub(tmp_path) as github:
        yield make_project(tmp_path, github)


async def test_a_secret_in_any_commit_or_message_is_refused_and_its_value_named_nowhere(project: Project) -> None:
    """K04: also one that a later commit takes out, and one that only a message has."""
    project.commit({"config/dev.py": f"A = 1\nTOKEN = '{TOKEN}'\n"})
    project.commit({"config/dev.py": "A = 1\n"}, message=f"take it out\n\nit was {TOKEN}")
    operator = OperatorSays(True)

    for arguments in ({}, {"dry_run": True}):
        with pytest.raises(SecretFound) as caught:
            await project.open_pr(project.context(approval=operator), **arguments)
        assert "config/dev.py:2 (github token)" in caught.value.message
        assert f"commit {project.head[:12]}:3 (github token)" in caught.value.message
        assert TOKEN not in caught.value.message
    assert operator.asked == []
    assert project.github.writes == []


async def test_a_secret_is_found_behind_an_attribute_that_calls_its_file_binary(project: Project) -> None:
    """K04."""
    project.commit({"lib/.gitattributes": "*.txt -diff\n", "lib/a.txt": f"\n{TOKEN}\n", "b.bin": f"\x00\n{TOKEN}"})

    with pytest.raises(SecretFound, match=r"b\.bin:2 .*lib/a\.txt:2"):
        await project.open_pr()


async def test_a_secret_that_the_base_has_already_does_not_stand_in_the_way(project: Project) -> None:
    git(project.work, "checkout", "-q", "main")
    write_files(project.work, {"old.py": f"T = '{TOKEN}'\n"})
    commit_all(project.work)
    git(project.work, "push", "-q", str(project.github.repository(NAME).bare), "main")
    git(project.work, "checkout", "-q", "feature")
    git(project.work, "rebase", "-q", "main")

    assert (await project.open_pr()).action == "created"


async def test_a_commit_of_the_local_base_that_the_remote_lacks_is_scanned_too(project: Project) -> None:
    """K04: a push publishes whatever the remote does not have, not only what the branch has beyond the local base."""
    git(project.work, "checkout", "-q", "main")
    write_files(project.work, {"local.py": f"T = '{TOKEN}'\n"})
    commit_all(project.work)
    git(project.work, "checkout", "-q", "feature")
    git(project.work, "rebase", "-q", "main")

    with pytest.raises(SecretFound, match=r"local\.py:1"):
        await project.open_pr()


@pytest.mark.parametrize(
    "path", [".github/workflows/ci.yml", ".gitmodules", ".vscode/tasks.json", ".mcp.json", ".github/CODEOWNERS"]
)
async def test_a_protected_file_in_any_commit_is_refused(project: Project, path: str) -> None:
    """G06, I02."""
    project.commit({path: "on: push\n"})
    git(project.work, "rm", "-q", path)
    git(project.work, "commit", "-q", "-m", "take it out")

    with pytest.raises(ProtectedPath, match=path.replace(".", r"\.")):
        await project.open_pr()

    assert project.github.writes == []


async def test_what_a_merge_brings_from_the_base_is_not_held_against_the_branch(project: Project) -> None:
    git(project.work, "checkout", "-q", "main")
    write_files(project.work, {".github/workflows/ci.yml": "on: push\n", "old.py": f"T = '{TOKEN}'\n"})
    commit_all(project.work)
    git(project.work, "push", "-q", str(project.github.repository(NAME).bare), "main")
    git(project.work, "checkout", "-q", "feature")
    git(project.work, "merge", "-q", "--no-edit", "main")

    assert (await project.open_pr()).action == "created"


async def test_what_a_merge_changes_by_itself_is_held_against_the_branch(project: Project) -> None:
    """K04: a secret that no commit but the merge brings in."""
    git(project.work, "checkout", "-q", "-b", "side", "main")
    project.commit({"side.py": "1\n"})
    git(project.work, "checkout", "-q", "feature")
    git(project.work, "merge", "-q", "--no-commit", "--no-ff", "side")
    project.commit({"evil.py": f"T = '{TOKEN}'\n"}, message="merge")
    assert git(project.work, "rev-parse", "HEAD^2")

    with pytest.raises(SecretFound, match=r"evil\.py:1"):
        await project.open_pr()


async def test_a_change_that_cannot_be_read_whole_is_not_pushed(project: Project) -> None:
    project.commit({"large.txt": "some text\n" * 200_000})

    with pytest.raises(ChangeTooLarge):
        await read_change(project.work, "main", project.base, project.head, max_bytes=1_000_000)


async def test_secrets_in_the_texts_of_the_caller_are_replaced_and_withheld(project: Project) -> None:
    """I01, K04: an obeying model puts a token into the pull request."""
    result = await project.open_pr(title=f"Use {TOKEN}", body=f"token: {TOKEN}")

    (pull,) = project.github.pulls(NAME)
    assert TOKEN not in pull.title + pull.body
    assert {each.where for each in result.withheld} == {"title", "body"}
    assert not any(TOKEN.encode() in request.body for request in project.github.requests)


async def test_the_token_is_in_no_result_body_or_workspace(project: Project) -> None:
    """K01, K02."""
    token, operator = project.github.token, OperatorSays(True)

    result = await project.open_pr(project.context(approval=operator))

    assert token not in result.model_dump_json() + str(operator.asked)
    assert not any(token.encode() in request.body for request in project.github.requests)
    assert not any(token in request.path + request.query for request in project.github.requests)
    files = [path for folder in ("run-0", "work") for path in (project.root / folder).rglob("*") if path.is_file()]
    assert files
    assert not any(token.encode() in path.read_bytes() for path in files)


async def test_the_users_work_tree_is_as_it_was(project: Project) -> None:
    """Rule 7."""
    write_files(project.work, {"tool.py": "not committed\n", "new.txt": "untracked\n"})
    before = (git(project.work, "status", "--porcelain"), git(project.work, "for-each-ref"))

    await project.open_pr()

    assert (git(project.work, "status", "--porcelain"), git(project.work, "for-each-ref")) == before
    assert "not committed" not in project.github.diff(NAME, 1)
