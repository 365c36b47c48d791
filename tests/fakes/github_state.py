"""What the fake GitHub knows: repositories as bare git repositories on disk, pull requests, tokens."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.repositories import git, make_repository


class Refused(Exception):
    """The answer is an error: status, message and entries of `errors`."""

    def __init__(self, status: int, message: str, *errors: str) -> None:
        super().__init__(message)
        self.status = status
        self.errors = errors

    def json(self) -> dict[str, Any]:
        entries = [{"resource": "PullRequest", "code": "custom", "message": text} for text in self.errors]
        return {"message": str(self), "errors": entries, "documentation_url": "https://docs.github.com/rest"}


@dataclass
class FakePull:
    number: int
    title: str
    body: str
    head: str
    base: str
    draft: bool
    author: str
    state: str = "open"
    reviewers: list[str] = field(default_factory=list[str])
    labels: list[str] = field(default_factory=list[str])


@dataclass
class FakeRepository:
    """A repository of the forge; `bare` is where its branches really are."""

    name: str
    bare: Path
    private: bool = False
    archived: bool = False
    pulls: list[FakePull] = field(default_factory=list[FakePull])

    @property
    def default_branch(self) -> str:
        return git(self.bare, "symbolic-ref", "--short", "HEAD")

    def branches(self) -> dict[str, str]:
        lines = git(self.bare, "for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads/").splitlines()
        return {name: commit for name, _, commit in (line.rpartition(" ") for line in lines)}

    def pull(self, number: int) -> FakePull:
        for pull in self.pulls:
            if pull.number == number:
                return pull
        raise Refused(404, "Not Found")

    def diff(self, number: int) -> str:
        """The patch of a pull request, from where its head left its base."""
        pull = self.pull(number)
        return git(self.bare, "diff", f"{pull.base}...{pull.head}")

    def open_pull(self, wanted: dict[str, Any], author: str) -> FakePull:
        """What POST /pulls does, with GitHub's refusals."""
        branches, head, base = self.branches(), wanted["head"].rpartition(":")[2], wanted["base"]
        if base not in branches:
            raise Refused(422, "Validation Failed", "PullRequest.base is invalid")
        if head not in branches:
            raise Refused(422, "Validation Failed", "PullRequest.head is invalid")
        if len(wanted.get("body") or "") > 65_536:
            raise Refused(422, "Validation Failed", "body is too long (maximum is 65536 characters)")
        if not git(self.bare, "rev-list", "--max-count=1", f"{base}..{head}"):
            raise Refused(422, "Validation Failed", f"No commits between {base} and {head}")
        if any((each.head, each.base, each.state) == (head, base, "open") for each in self.pulls):
            owner = self.name.partition("/")[0]
            raise Refused(422, "Validation Failed", f"A pull request already exists for {owner}:{head}.")
        draft = bool(wanted.get("draft"))
        pull = FakePull(len(self.pulls) + 1, wanted["title"], wanted.get("body") or "", head, base, draft, author)
        self.pulls.append(pull)
        return pull


def make_bare(bare: Path, from_repository: Path | None) -> None:
    """A bare repository with the branches of another, or with one commit on `main`."""
    bare.parent.mkdir(parents=True, exist_ok=True)
    if from_repository is not None:
        git(bare.parent, "clone", "-q", "--bare", "--no-local", str(from_repository), str(bare))
        return
    seed = bare.parent / f"{bare.name}.seed"
    make_repository(seed, {"README.md": "# A repository\n"})
    git(bare.parent, "clone", "-q", "--bare", "--no-local", str(seed), str(bare))
    shutil.rmtree(seed)
