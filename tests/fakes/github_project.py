"""A user's repository whose origin is on the fake GitHub, and everything open_pr needs to work on it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from fakes.github import FakeGitHub
from repowright_tools.git.workspace import Identity, Workspace
from repowright_tools.github.forge import ForgePolicy, GitHubForge
from repowright_tools.open_pr.models import OpenPrArguments, OpenPrResult
from repowright_tools.open_pr.stage import OpenPr
from repowright_tools.stage import StageContext
from support.ports import bound, stage_context
from support.repositories import commit_all, git, make_repository, write_files

NAME = "ada/tool"


@dataclass
class Project:
    """`work` is on branch `feature`, one commit ahead of `main`, which the forge has."""

    github: FakeGitHub
    root: Path
    work: Path
    base: str
    head: str

    def forge(self, **policy: Any) -> GitHubForge:
        allowed: dict[str, Any] = {
            "base_url": self.github.api_url,
            "token": self.github.token,
            "allowed_repositories": (NAME,),
        }
        return GitHubForge(ForgePolicy(**(allowed | policy)))

    def context(
        self, *, run: int = 0, results: dict[str, BaseModel] | None = None, origin: str | None = None, **ports: object
    ) -> StageContext:
        """A context for run number `run`; contexts of one run share its workspace."""
        workspace = Workspace(self.root / f"run-{run}", Identity("Bot", "bot@example.org"), 10**9)
        repository = bound(self.work, self.base, origin=origin or self.github.clone_url(NAME))
        given: dict[str, object] = {"forge": self.forge(), "workspace": workspace}
        context = stage_context(repository, results=results, **(given | ports))
        return replace(context, run_id=f"r_{run:032x}")

    async def open_pr(self, context: StageContext | None = None, **arguments: Any) -> OpenPrResult:
        given: dict[str, Any] = {"branch": "feature"}
        return await OpenPr().run(context or self.context(), OpenPrArguments(**(given | arguments)))

    def commit(self, files: dict[str, str], message: str = "change") -> str:
        """Another commit on `feature`."""
        write_files(self.work, files)
        self.head = commit_all(self.work, message)
        return self.head


def make_project(root: Path, github: FakeGitHub) -> Project:
    work = root / "work"
    base = make_repository(work, {"tool.py": "x = 1\n"})
    github.add_repository(NAME, from_repository=work)
    git(work, "remote", "add", "origin", github.clone_url(NAME))
    git(work, "checkout", "-q", "-b", "feature")
    write_files(work, {"tool.py": "x = 1\ny = 2\n"})
    return Project(github, root, work, base, commit_all(work, "Add y"))
