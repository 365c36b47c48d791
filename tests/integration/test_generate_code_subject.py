"""What somebody asks for becomes the subject of a commit and the name of a branch: without the secret in it."""

from pathlib import Path

import pytest

from support.mcp import call, connected, settings_for
from support.repositories import git, make_repository

TOKEN = "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gJ6"


@pytest.mark.anyio
async def test_a_secret_in_the_instruction_is_in_no_commit_and_no_branch(tmp_path: Path) -> None:
    """K04."""
    repository = tmp_path / "work" / "repository"
    make_repository(repository, {"a.py": "x = 1\n"})
    async with connected(settings_for(tmp_path / "home", repository.parent)) as client:
        asked = await call(client, "generate_code", source=str(repository), instruction=f"{TOKEN} is to be used")
        submit = asked["input_required"]["brief"]["submit"]["arguments"]
        edits = {"edits": [{"path": "a.py", "old": "x = 1", "new": "x = 2"}]}
        made = await call(client, "generate_code", **(submit | {"submission": edits}))
    result = made["result"]
    assert TOKEN.lower()[:12].replace("_", "-") not in result["branch"]
    assert TOKEN not in git(Path(result["repository"]), "log", "--format=%B", result["branch"])
