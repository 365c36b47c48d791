"""Several servers on one state directory, as one IDE window each starts."""

from pathlib import Path

import anyio
import pytest

from support.mcp import ERAS, Operator, call, connected, settings_for
from support.repositories import add_bare_origin, git, make_repository, write_files

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("era", ERAS)
async def test_a_run_of_one_server_is_gone_on_with_in_another(tmp_path: Path, era: str) -> None:
    make_repository(tmp_path / "work", {"a.py": "x = 1\n"})
    settings = settings_for(tmp_path / "home", tmp_path / "work")
    async with connected(settings, era) as one, connected(settings, era) as other:
        first = await call(one, "analyse_repo")
        again = await call(other, "analyse_repo", run_id=first["run_id"])
        asked = await call(other, "generate_code", run_id=first["run_id"], instruction="anything")
        edits = {"edits": [{"path": "a.py", "old": "x = 1", "new": "x = 2"}]}
        made = await call(one, "generate_code", run_id=first["run_id"], submission=edits)

    assert again["result"] == first["result"]
    assert asked["status"] == "INPUT_REQUIRED"
    assert made["status"] == "COMPLETE"


async def test_servers_that_open_the_same_pull_request_at_once_push_one_branch(tmp_path: Path) -> None:
    """O01"""
    work = tmp_path / "root" / "work"
    make_repository(work, {"a.py": "x = 1\n"})
    add_bare_origin(work, tmp_path / "root" / "origin.git")
    git(work, "checkout", "-qb", "change")
    write_files(work, {"a.py": "x = 2\n"})
    git(work, "commit", "-qam", "x is two")
    allowed = (str(tmp_path / "root" / "origin.git"),)
    settings = settings_for(tmp_path / "home", tmp_path / "root", allowed_repositories=allowed)
    answers: list[str] = []

    async def deliver(run_id: str) -> None:
        async with connected(settings, elicitation_callback=Operator("accept")) as client:
            answer = await call(client, "open_pr", run_id=run_id, branch="change")
            answers.append(answer["error"]["code"] if answer["error"] else answer["result"]["action"])

    async with connected(settings) as client:
        waiting = await call(client, "open_pr", source=str(work), branch="change")
    async with anyio.create_task_group() as servers:
        for _ in range(3):
            servers.start_soon(deliver, waiting["run_id"])

    branches = git(tmp_path / "root" / "origin.git", "for-each-ref", "--format=%(refname:short)").splitlines()
    assert sorted(branches) == ["main", "repowright/change"]
    assert set(answers) <= {"pushed", "noop", "stage_busy"}
    assert "pushed" in answers
