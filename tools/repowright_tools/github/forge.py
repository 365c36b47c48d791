"""The forge as a stage sees it, and its implementation for GitHub, GitHub Enterprise and bare repositories on disk."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

import anyio

from repowright_tools.errors import BaseMissing, ForgeRateLimited, ForgeUnavailable, ReadOnly
from repowright_tools.github import push
from repowright_tools.github.api import GitHubApi
from repowright_tools.github.faults import AlreadyExists
from repowright_tools.github.policy import BRANCH_PREFIX, ForgePolicy
from repowright_tools.github.pull_request import Proposal, PullRequest
from repowright_tools.github.remote import PushTarget, authorise
from repowright_tools.stage import BoundRepository
from repowright_tools.threads import within

__all__ = ["BRANCH_PREFIX", "Forge", "ForgePolicy", "GitHubForge", "Proposal", "PullRequest", "PushTarget"]

P = ParamSpec("P")
T = TypeVar("T")
CALL_S = 60.0
"""Seconds that one look-up or write at the API may take, all its requests together."""


class Forge(Protocol):
    """Where branches are pushed to and pull requests are opened.

    Every method but `authorise` talks to the remote, and may raise ForgeUnauthorized, ForgeForbidden, ForgeNotFound,
    ForgeRateLimited or ForgeUnavailable. Those that write raise ReadOnly when the operator forbids writes. Pull
    requests exist on targets of kind `forge` only.
    """

    def authorise(self, repository: BoundRepository) -> PushTarget:
        """Where this run may push to, and nowhere else (NoRemote, RemoteNotSupported, PushNotAllowed)."""
        ...

    def require_writable(self) -> None:
        """Raise ReadOnly when the operator forbids writes."""
        ...

    async def login(self) -> str:
        """Whom the token belongs to, at the forge (ForgeUnauthorized: nobody)."""
        ...

    async def preflight(self, target: PushTarget, base: str | None = None) -> None:
        """See that a push and a pull request to `base` (the usual one when None) would be accepted.

        Raises:
            ReadOnly: nothing may be written.
            BaseMissing: the remote has no such branch, is empty, or does not tell which branch is the usual one.
        """
        ...

    async def fetch_base(self, target: PushTarget, clone: Path, base: str | None) -> tuple[str, str]:
        """Bring a branch of the remote (the usual one when None) into the clone; return its name and commit.

        Raises:
            BaseMissing: the remote has no such branch, is empty, or does not tell which branch is the usual one.
        """
        ...

    async def head(self, target: PushTarget, branch: str) -> str | None:
        """The commit of a branch of the remote; None when there is none."""
        ...

    async def push(self, target: PushTarget, clone: Path, commit: str, branch: str) -> bool:
        """Push one commit to one branch below `repowright/`, never forced; return whether anything changed.

        Raises:
            PushNotAllowed: another branch, or the default one.
            PushFailed: the remote refuses.
        """
        ...

    async def find(self, target: PushTarget, head: str, base: str) -> PullRequest | None:
        """The open pull request between two branches; None when there is none."""
        ...

    async def create(self, target: PushTarget, proposal: Proposal) -> tuple[PullRequest, bool]:
        """Open a pull request, or find the one that is there already; and whether this call opened it."""
        ...

    async def update(self, target: PushTarget, number: int, title: str, body: str) -> None: ...

    async def request_reviewers(self, target: PushTarget, number: int, reviewers: list[str]) -> None: ...

    async def add_labels(self, target: PushTarget, number: int, labels: list[str]) -> None: ...


class GitHubForge:
    """Forge by GitHub's REST API and git over https. Nothing is contacted before the first call that needs it."""

    def __init__(self, policy: ForgePolicy) -> None:
        self._policy = policy
        self._api = GitHubApi(policy.base_url, policy.token)

    def authorise(self, repository: BoundRepository) -> PushTarget:
        return authorise(repository, self._policy)

    def require_writable(self) -> None:
        if self._policy.read_only:
            raise ReadOnly("the server is read-only: nothing is pushed and no pull request is opened")

    async def login(self) -> str:
        return await self._call(self._api.login)

    async def preflight(self, target: PushTarget, base: str | None = None) -> None:
        self.require_writable()
        if target.kind == "forge":
            await self._call(self._api.check, target.name, base)
            return
        if base is None:
            await push.usual_base(target, None)
        elif base not in (await push.remote_refs(target, None, base)).heads:
            raise BaseMissing(f"{target.name} has no branch {base}")

    async def fetch_base(self, target: PushTarget, clone: Path, base: str | None) -> tuple[str, str]:
        base = base or await push.usual_base(target, self._policy.token)
        return base, await push.fetch_base(target, self._policy.token, clone, base)

    async def head(self, target: PushTarget, branch: str) -> str | None:
        return (await push.remote_refs(target, self._policy.token, branch)).heads.get(branch)

    async def push(self, target: PushTarget, clone: Path, commit: str, branch: str) -> bool:
        self.require_writable()
        return await push.push(target, self._policy.token, clone, commit, branch)

    async def find(self, target: PushTarget, head: str, base: str) -> PullRequest | None:
        return await self._call(self._api.find, target.name, head, base)

    async def create(self, target: PushTarget, proposal: Proposal) -> tuple[PullRequest, bool]:
        self.require_writable()
        try:
            return await self._call(self._api.create, target.name, proposal), True
        except (AlreadyExists, ForgeUnavailable) as error:
            # The answer may be lost and the pull request there all the same.
            found = await self.find(target, proposal.head, proposal.base)
            if found is None:
                raise ForgeUnavailable(error.message) from error
            return found, False

    async def update(self, target: PushTarget, number: int, title: str, body: str) -> None:
        self.require_writable()
        await self._call(self._api.update, target.name, number, title, body)

    async def request_reviewers(self, target: PushTarget, number: int, reviewers: list[str]) -> None:
        self.require_writable()
        await self._call(self._api.request_reviewers, target.name, number, reviewers)

    async def add_labels(self, target: PushTarget, number: int, labels: list[str]) -> None:
        self.require_writable()
        await self._call(self._api.add_labels, target.name, number, labels)

    async def _call(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The call in a thread, with a deadline. A rate limit refuses before any effect: a short one is waited out."""
        patience = self._policy.patience_s
        while True:
            try:
                return await within(CALL_S, ForgeUnavailable(f"no answer within {CALL_S:g} s"), call, *args, **kwargs)
            except ForgeRateLimited as error:
                wait = math.inf if error.retry_at is None else (error.retry_at - datetime.now(UTC)).total_seconds()
                wait = max(wait, 1.0)  # a reset time in the past must not make a busy loop
                if wait > patience:
                    raise
                patience -= wait
                await anyio.sleep(wait)
