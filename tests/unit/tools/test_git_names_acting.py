"""Further files that act by being there: assistants, editors, builders, large-file storage."""

import pytest

from repowright_tools.git.names import is_private, protected_reason


@pytest.mark.parametrize(
    "path",
    [
        *(
            ".gemini/settings.json",
            ".codex/config.toml",
            ".windsurf/mcp.json",
            "sub/.KIRO/settings/mcp.json",
            "mcp.json",
        ),
        *(".roo/mcp.json", ".amazonq/mcp.json", "opencode.json", ".aider.conf.yml", ".gitpod.yml", ".dir-locals.el"),
        *(".exrc", ".nvim.lua", "x.sublime-project", "mise.toml", ".mise.local.toml", ".lfsconfig", "cloudbuild.yaml"),
        *(".semaphore/semaphore.yml", ".build.yml", ".builds/a.yml", "buildspec.yml", ".taskcluster.yml"),
    ],
)
def test_what_acts_on_its_own_is_protected(path: str) -> None:
    """G06."""
    assert protected_reason(path)


@pytest.mark.parametrize("path", ["AGENTS.md", "CLAUDE.md", "src/mcp.py", "builds/a.yml", "kiro/x", "docs/mise.md"])
def test_what_people_write_is_not(path: str) -> None:
    assert protected_reason(path) is None


def test_private_files_are_told_from_their_templates() -> None:
    """K01."""
    assert all(map(is_private, (".env", "sub/.ENV.local", ".envrc", ".netrc", ".pypirc", "a/.git-credentials")))
    assert not any(map(is_private, (".env.example", ".env.Sample", "env.py", ".environment", "a.env")))
