"""The sample project of the demo on a fake forge, with its recorded plan and edits, for tests of the whole pipeline."""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcp import StdioServerParameters

from fakes.github import FakeGitHub
from repowright_server.commands.demo import RECORDING, REQUEST, SAMPLE
from repowright_tools.sandbox.policy import SandboxPolicy
from support.repositories import commit_all, git

NAME = "ada/tally"
KEY = "sk-ant-canary-" + "k3Y" * 12


def recorded(ask: str) -> dict[str, Any]:
    """The recorded answer to an ask of the demo."""
    entries: list[dict[str, Any]] = json.loads(RECORDING.read_text(encoding="utf-8"))
    return next(dict(entry["answer"]) for entry in entries if entry["ask"] == ask)


@dataclass
class Delivery:
    """A work tree whose origin is on the fake forge, and the environment of a server that may push there."""

    root: Path
    work: Path
    github: FakeGitHub
    environment: dict[str, str]

    def server(self, *prefix: str) -> StdioServerParameters:
        """How a client starts the server."""
        command = [*prefix, sys.executable, "-I", "-m", "repowright_server", "serve"]
        return StdioServerParameters(command=command[0], args=command[1:], env=self.environment)


def make_delivery(root: Path, github: FakeGitHub, policy: SandboxPolicy, **settings: str) -> Delivery:
    work = root / "work" / "tally"
    shutil.copytree(SAMPLE, work, ignore=shutil.ignore_patterns("__pycache__"))
    git(work, "init", "-q", "-b", "main")
    commit_all(work, "A small library that counts words")
    github.add_repository(NAME, from_repository=work)
    git(work, "remote", "add", "origin", github.clone_url(NAME))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "REPOWRIGHT_HOME": str(root / "home"),
        "ALLOWED_ROOTS": str(root / "work"),
        "ALLOWED_REPOSITORIES": NAME,
        "GITHUB_BASE_URL": github.api_url,
        "GITHUB_TOKEN": github.token,
        "SANDBOX_IMAGE": policy.image,
        "LLM_PROVIDER": "host",
    }
    if policy.ca_bundle is not None:
        environment["SANDBOX_CA_BUNDLE"] = str(policy.ca_bundle)
    if policy.host is not None:
        environment["DOCKER_HOST"] = policy.host
    return Delivery(root, work, github, environment | settings)


__all__ = ["KEY", "NAME", "REQUEST", "Delivery", "make_delivery", "recorded"]
