"""The forge's REST API by PyGithub: blocking calls, each one request or few. Run them in a thread.

PyGithub's own retries and pauses are off: a write that may have happened is looked up, never repeated blindly.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from repowright_tools.errors import BaseMissing, ForgeForbidden, ForgeNotFound, ForgeUnauthorized, ForgeUnavailable
from repowright_tools.github.faults import translated
from repowright_tools.github.pull_request import Proposal, PullRequest

if TYPE_CHECKING:
    from github import Github
    from github.PullRequest import PullRequest as ApiPullRequest
    from github.Repository import Repository

T = TypeVar("T")
REQUEST_S = 20
"""Seconds that one request may take."""


class GitHubApi:
    """The calls that a pull request needs. Every method may raise any ForgeError of `faults.translated`."""

    def __init__(self, base_url: str, token: str | None) -> None:
        self._base_url = base_url.rstrip("/")
        self._token = token

    def check(self, name: str, base: str | None) -> None:
        """See that the token may push to the repository, and that this has the base branch.

        Raises:
            ForgeUnauthorized: no token, or not a valid one.
            ForgeForbidden: it may not push.
            ForgeNotFound: it cannot see the repository, or that has moved.
            BaseMissing: there is no such branch.
        """
        if not self._token:
            raise ForgeUnauthorized("GITHUB_TOKEN is not set")
        with self._repository(name, lazy=False) as repository:
            if repository.full_name.casefold() != name.casefold():
                raise ForgeNotFound(
                    f"{name} has moved to {repository.full_name}",
                    what_to_do="Change the origin of the repository and ALLOWED_REPOSITORIES to the new name.",
                )
            if repository.archived:
                raise ForgeForbidden(f"{name} is archived", what_to_do="Unarchive the repository, then call again.")
            if "permissions" not in repository.raw_data:
                raise ForgeUnavailable(f"what answers for {name} is not the forge's API")
            if not repository.permissions.push:
                raise ForgeForbidden(f"the token may read {name} but not push to it")
            base = base or repository.default_branch
        try:
            with self._repository(name) as lazy:
                lazy.get_branch(base)
        except ForgeNotFound as error:
            raise BaseMissing(f"{name} has no branch {base}") from error

    def find(self, name: str, head: str, base: str) -> PullRequest | None:
        """The open pull request from one branch to another of the same repository."""
        label = f"{name.partition('/')[0]}:{head}"
        with self._repository(name) as repository:
            for found in repository.get_pulls(state="open", base=base, head=label):
                # A forge that does not understand the filter returns everything, forks included.
                if found.head.label.casefold() == label.casefold() and found.base.ref == base:
                    return _pull_request(found)
        return None

    def create(self, name: str, proposal: Proposal) -> PullRequest:
        with self._repository(name) as repository:
            return _pull_request(
                repository.create_pull(
                    base=proposal.base,
                    head=proposal.head,
                    title=proposal.title,
                    body=proposal.body,
                    draft=proposal.draft,
                )
            )

    def update(self, name: str, number: int, title: str, body: str) -> None:
        self._edit(name, number, lambda found: found.edit(title=title, body=body))

    def request_reviewers(self, name: str, number: int, reviewers: list[str]) -> None:
        """Ask people for a review; `org/team` asks a team."""
        people = [reviewer for reviewer in reviewers if "/" not in reviewer]
        teams = [reviewer.rpartition("/")[2] for reviewer in reviewers if "/" in reviewer]
        self._edit(name, number, lambda found: found.create_review_request(people, teams))

    def add_labels(self, name: str, number: int, labels: list[str]) -> None:
        self._edit(name, number, lambda found: found.add_to_labels(*labels))

    def _edit(self, name: str, number: int, change: Callable[["ApiPullRequest"], None]) -> None:
        with self._repository(name) as repository:
            change(repository.get_pull(number))

    def login(self) -> str:
        """Whom the token belongs to (ForgeUnauthorized: nobody)."""
        if not self._token:
            raise ForgeUnauthorized("GITHUB_TOKEN is not set")
        with self._client() as client, translated("the forge"):
            return client.get_user().login

    @contextmanager
    def _repository(self, name: str, *, lazy: bool = True) -> Generator["Repository"]:
        with self._client(lazy=lazy) as client, translated(name):
            yield client.get_repo(name)

    @contextmanager
    def _client(self, *, lazy: bool = False) -> Generator["Github"]:
        """A client for one call: PyGithub promises nothing about threads."""
        from github import Auth, Github

        client = Github(
            base_url=self._base_url,
            auth=Auth.Token(self._token) if self._token else None,
            timeout=REQUEST_S,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            user_agent="repowright",
            lazy=lazy,
        )
        try:
            yield client
        finally:
            client.close()


def _pull_request(found: "ApiPullRequest") -> PullRequest:
    return PullRequest(found.number, found.html_url, found.title, found.body or "")
