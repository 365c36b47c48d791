"""What a remote repository says of itself before anything of it is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from repowright_tools.errors import CloneFailed
from repowright_tools.git.credentials import credential_environment
from repowright_tools.git.guard import GitFailed, run_git
from repowright_tools.git.policy import SourcePolicy
from repowright_tools.git.urls import canonical_host

_NO_REPOSITORY = Path("/")
"""Where git runs when it needs no repository: a folder whose configuration nobody else could have written."""
_MAX_OUTPUT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Remote:
    """A repository elsewhere.

    Attributes:
        url: the checked clone URL, without credentials.
        environment: for the git process that contacts it: the one protocol, and the credentials.
    """

    url: str
    environment: Mapping[str, str]


def remote_at(url: str, policy: SourcePolicy) -> Remote:
    """The remote at a checked URL; only the forge's is given the token."""
    parts = urlsplit(url)
    token = policy.token if canonical_host(parts) == policy.forge_host.lower() else None
    return Remote(url, {**credential_environment(url, token), "GIT_ALLOW_PROTOCOL": parts.scheme})


@dataclass(frozen=True)
class RemoteState:
    """The branches and tags of a remote with their object ids, by full name.

    Attributes:
        refs: branches and tags.
        head: the full name of the default branch; None when HEAD is detached or names nothing.
        head_commit: what HEAD is; None when it names nothing.
    """

    refs: Mapping[str, str]
    head: str | None
    head_commit: str | None

    @property
    def object_format(self) -> str:
        return "sha256" if any(len(each) == 64 for each in self.refs.values()) else "sha1"


async def look_up(remote: Remote, deadline_s: float) -> RemoteState:
    """Ask the remote for its branches and tags: one question, and nothing of its history.

    Raises:
        CloneFailed: it does not tell.
    """
    question = ("ls-remote", "--symref", "--", remote.url, "HEAD", "refs/heads/*", "refs/tags/*")
    try:
        output = await run_git(
            _NO_REPOSITORY,
            *question,
            environment=remote.environment,
            deadline_s=deadline_s,
            max_output=_MAX_OUTPUT_BYTES,
        )
    except GitFailed as error:
        raise CloneFailed(f"git cannot clone: {told(error)}") from None
    head, head_commit, refs = None, None, dict[str, str]()
    for line in output.decode(errors="surrogateescape").splitlines():
        value, _, name = line.partition("\t")
        if name == "HEAD" and value.startswith("ref: refs/heads/"):
            head = value.removeprefix("ref: ")
        elif name == "HEAD":
            head_commit = value
        elif name.startswith(("refs/heads/", "refs/tags/")) and not name.endswith("^{}"):
            refs[name] = value
    return RemoteState(refs, head if head in refs else None, head_commit)


def told(error: GitFailed) -> str:
    """What git or the remote said, without its progress."""
    lines = error.stderr.splitlines()
    kept = (line for line in lines if line.startswith(("fatal:", "error:", "remote:")) or error.returncode is None)
    return " ".join(kept)
