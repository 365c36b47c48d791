"""A repository that lies on the forge and nowhere else."""

from pathlib import Path

import pytest

from fakes.github import FakeGitHub
from support.mcp import call, connected, settings_for
from support.repositories import make_repository

pytestmark = pytest.mark.anyio

NAME = "ada/tool"


@pytest.mark.parametrize("spelling", ["owner/name", "URL"])
async def test_a_remote_repository_is_analysed_changed_and_proposed_to(tmp_path: Path, spelling: str) -> None:
    make_repository(tmp_path / "work", {"a.py": "def one() -> int:\n    return 1\n"})
    edits = {"edits": [{"path": "a.py", "old": "return 1", "new": "return 2 - 1"}]}
    with FakeGitHub(tmp_path) as github:
        github.add_repository(NAME, from_repository=tmp_path / "work", private=True)
        settings = settings_for(
            tmp_path / "home", github_base_url=github.api_url, github_token=github.token,
            allowed_repositories=(NAME,), approval_policy="auto",
        )  # fmt: skip
        source = NAME if spelling == "owner/name" else github.clone_url(NAME)
        async with connected(settings) as client:
            found = await call(client, "analyse_repo", source=source)
            made = await call(client, "generate_code", run_id=found["run_id"], instruction="x", submission=edits)
            opened = await call(client, "open_pr", run_id=found["run_id"])
            missing = await call(client, "analyse_repo", source="ada/missing")
            unknown = await call(client, "analyse_repo", source=source, ref="no-such-branch")

        assert found["result"]["languages"][0]["name"] == "Python"
        assert opened["result"]["action"] == "created"
        assert made["result"]["head_commit"] in github.branches(NAME).values()
        assert missing["error"]["code"] == "clone_failed"
        assert unknown["error"]["code"] == "unknown_ref"
        files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
        assert [path for path in files if github.token.encode() in path.read_bytes()] == []
