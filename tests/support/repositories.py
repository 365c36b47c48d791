"""Real git repositories for tests."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git there and return what it prints, without the last newline."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=_ENVIRONMENT, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise AssertionError(f"git {' '.join(arguments)}: {done.stderr}")
    return done.stdout.rstrip("\n")


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")


def commit_all(folder: Path, message: str = "change") -> str:
    """Commit everything in the work tree and return the commit id."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message, "--allow-empty")
    return git(folder, "rev-parse", "HEAD")


def make_repository(folder: Path, files: Mapping[str, str], *, message: str = "first") -> str:
    """Create a repository on branch `main` with these files in one commit, and return the commit id."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    write_files(folder, files)
    return commit_all(folder, message)


def add_bare_origin(folder: Path, bare: Path) -> None:
    """Give the repository a bare repository on disk as its origin, with `main` pushed to it."""
    bare.mkdir(parents=True)
    git(bare, "init", "-q", "--bare", "-b", "main")
    git(folder, "remote", "add", "origin", str(bare))
    git(folder, "push", "-q", "origin", "main")
