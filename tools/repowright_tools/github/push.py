"""The git side of a forge: looking remote branches up, fetching a base, and the push with its guard."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from repowright_tools.errors import (
    BaseMissing,
    ForgeError,
    ForgeForbidden,
    ForgeNotFound,
    ForgeUnauthorized,
    ForgeUnavailable,
    PushFailed,
    PushNotAllowed,
)
from repowright_tools.git.credentials import credential_environment
from repowright_tools.git.gitpython import run_gitpython
from repowright_tools.git.guard import GitFailed, GitLate, check_ref, run_git
from repowright_tools.github.policy import BRANCH_PREFIX
from repowright_tools.github.remote import PushTarget
from repowright_tools.secrets import strip_invisible

LOOK_UP_S = 30.0
FETCH_S = 120.0
PUSH_S = 300.0
_MAX_REASON = 600
_CUSTOMARY = ("main", "master")
_SHOWN_BRANCHES = 10

# The other side of a repository on disk is a child of ours that does not inherit our settings: no program which its
# folder names may run. It may belong to somebody else (a bind mount), since the operator has listed it by name.
_OTHER_SIDE = (
    "git -c core.hooksPath=/dev/null -c core.alternateRefsCommand=true -c core.fsmonitor=false -c safe.directory='*' "
    # A work tree of it with the pushed branch must not be brought up to date: that runs its filters.
    "-c receive.denyCurrentBranch=refuse -c receive.autogc=false -c maintenance.auto=false"
)
_NO_REPOSITORY = Path("/")
"""Where git runs when it needs no repository: a folder whose configuration nobody else could have written."""


@dataclass(frozen=True)
class RemoteRefs:
    """What a remote says of itself: its default branch and the heads of the branches asked for.

    The default branch is None when the remote's HEAD names none that exists, as in an empty repository.
    """

    default_branch: str | None
    heads: Mapping[str, str]


async def remote_refs(target: PushTarget, token: str | None, *branches: str) -> RemoteRefs:
    """Look the default branch and these branches up.

    Raises:
        ForgeUnauthorized, ForgeForbidden, ForgeNotFound, ForgeUnavailable: the remote does not tell.
    """
    wanted = {check_ref(branch) for branch in branches}
    refs = await _look_up(target, token, [f"refs/heads/{branch}" for branch in wanted])
    return replace(refs, heads={branch: commit for branch, commit in refs.heads.items() if branch in wanted})


async def usual_base(target: PushTarget, token: str | None) -> str:
    """The branch that changes are proposed to: the remote's default branch.

    The HEAD of a bare repository may name a branch that was never pushed. Then it is the first of `target.usual` that
    the remote has, else its `main` or `master`, if it has one and not both.

    Raises:
        BaseMissing: the remote has no branch at all, or none of these.
        ForgeUnauthorized, ForgeForbidden, ForgeNotFound, ForgeUnavailable: the remote does not tell.
    """
    refs = await _look_up(target, token, [])
    if refs.default_branch is not None:
        return refs.default_branch
    heads = (await _look_up(target, token, ["refs/heads/*"])).heads
    if not heads:
        raise BaseMissing(f"{target.name} is empty: it has no branch yet")
    found = [branch for branch in target.usual if branch in heads and not branch.startswith(BRANCH_PREFIX)]
    customary = [branch for branch in _CUSTOMARY if branch in heads]
    if found or len(customary) == 1:
        return (found or customary)[0]
    shown = strip_invisible(", ".join(sorted(heads)[:_SHOWN_BRANCHES]))
    more = f" and {len(heads) - _SHOWN_BRANCHES} more" if len(heads) > _SHOWN_BRANCHES else ""
    raise BaseMissing(
        f"the HEAD of {target.name} names no branch that exists, and none of its branches is known to be the one to "
        f"propose to: {shown}{more}",
        what_to_do="Give `base`, or have the remote's HEAD name an existing branch.",
    )


async def _look_up(target: PushTarget, token: str | None, patterns: Sequence[str]) -> RemoteRefs:
    """The default branch, and all branches that match a pattern of `git ls-remote`."""
    try:
        output = await run_git(
            _NO_REPOSITORY,
            *("ls-remote", "--symref", *_other_side(target, "upload-pack"), "--", target.url, "HEAD", *patterns),
            environment=_environment(target, token),
            deadline_s=LOOK_UP_S,
        )
    except GitFailed as error:
        raise _unreachable(target, error) from error
    default, heads = None, dict[str, str]()
    for line in output.decode(errors="replace").splitlines():
        value, _, ref = line.partition("\t")
        if ref == "HEAD" and value.startswith("ref: refs/heads/"):
            default = value.removeprefix("ref: refs/heads/")
        elif ref.startswith("refs/heads/"):
            heads[ref.removeprefix("refs/heads/")] = value
    return RemoteRefs(default, heads)


async def fetch_base(target: PushTarget, token: str | None, clone: Path, base: str) -> str:
    """Bring the remote's `base` into the clone and return its commit.

    Raises:
        BaseMissing: the remote has no such branch.
        ForgeUnauthorized, ForgeForbidden, ForgeNotFound, ForgeUnavailable: the remote does not deliver it.
    """
    kept = f"refs/repowright/base/{check_ref(base)}"
    try:
        await run_git(
            clone,
            *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--refmap="),
            *(*_other_side(target, "upload-pack"), "--", target.url, f"+refs/heads/{base}:{kept}"),
            environment=_environment(target, token, clone),
            deadline_s=FETCH_S,
        )
        verify = ("rev-parse", "--verify", "--end-of-options", f"{kept}^{{commit}}")
        return (await run_git(clone, *verify, environment=_environment(target, None, clone))).decode().strip()
    except GitFailed as error:
        if "couldn't find remote ref" in error.stderr:
            raise BaseMissing(f"{target.name} has no branch {base}") from error
        raise _unreachable(target, error) from error


async def push(
    target: PushTarget, token: str | None, clone: Path, commit: str, branch: str, *, deadline_s: float = PUSH_S
) -> bool:
    """Make `branch` of the remote be `commit`, and return whether it was not that before.

    The guard is here, at the last moment, and not only with callers: one explicit branch below `BRANCH_PREFIX`, never
    the default branch, never forced. No hook runs, neither here nor in a repository on disk.

    Raises:
        PushNotAllowed: the guard refuses the branch.
        PushFailed: the remote refuses; its branch has other commits, or its rules say no.
        ForgeUnauthorized, ForgeForbidden, ForgeNotFound, ForgeUnavailable: the remote does not take part.
    """
    if not check_ref(branch).startswith(BRANCH_PREFIX) or not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
        raise PushNotAllowed(f"only commits are pushed, and only to branches under {BRANCH_PREFIX}: {branch}")
    refs = await remote_refs(target, token, branch)
    if refs.default_branch is not None and refs.default_branch.casefold() == branch.casefold():
        raise PushNotAllowed(f"{branch} is the default branch of {target.name}")
    if refs.heads.get(branch) == commit:
        return False
    try:
        await run_gitpython(
            clone,
            *("push", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no"),
            *(*_other_side(target, "receive-pack"), "--", target.url, f"{commit}:refs/heads/{branch}"),
            environment=_environment(target, token, clone),
            deadline_s=deadline_s,
        )
    except GitFailed as error:
        if not await _has_arrived(target, token, branch, commit):
            raise _refused(target, branch, error) from error
    return True


async def _has_arrived(target: PushTarget, token: str | None, branch: str, commit: str) -> bool:
    """Whether a push that failed got through all the same: its answer was lost, or a run beside made the same one."""
    try:
        return (await remote_refs(target, token, branch)).heads.get(branch) == commit
    except ForgeError:
        return False


def _other_side(target: PushTarget, service: str) -> list[str]:
    return [f"--{service}={_OTHER_SIDE} {service}"] if target.kind == "plain" else []


def _environment(target: PushTarget, token: str | None, clone: Path | None = None) -> dict[str, str]:
    protocol = "file" if target.kind == "plain" else target.url.partition("://")[0]
    # An explicit folder, so that git never looks for another repository further up.
    own = {} if clone is None else {"GIT_DIR": str(clone / ".git")}
    return {**credential_environment(target.url, token), **own, "GIT_ALLOW_PROTOCOL": protocol}


def _reason(error: GitFailed) -> str:
    """What git or the remote said, without its hints."""
    lines = [line.strip() for line in error.stderr.splitlines() if line.strip() and not line.startswith("hint:")]
    return " ".join(lines)[:_MAX_REASON]


def _unreachable(target: PushTarget, error: GitFailed) -> ForgeError:
    """The error that git's words mean; they are those of LC_ALL=C."""
    said = error.stderr
    if isinstance(error, GitLate):
        return ForgeUnavailable(f"{target.name}: {error}")
    if re.search(r"could not read Username|Authentication failed|error: 401|Invalid username", said):
        return ForgeUnauthorized(f"{target.name} refuses the credentials, or needs some")
    if "error: 403" in said or "Permission to" in said:
        return ForgeForbidden(f"{target.name}: {_reason(error)}")
    if re.search(r"not found|error: 404|does not appear to be a git repository", said):
        return ForgeNotFound(f"there is no repository {target.name}, or the token may not see it")
    return ForgeUnavailable(f"{target.name}: {_reason(error)}")


def _refused(target: PushTarget, branch: str, error: GitFailed) -> ForgeError:
    if re.search(r"\((fetch first|non-fast-forward|stale info)\)", error.stderr):
        return PushFailed(
            f"{branch} exists in {target.name} with commits that are not in this change; nothing is forced",
            what_to_do=f"Delete {branch} in {target.name}, or push under another branch name, then call again.",
        )
    if "[remote rejected]" in error.stderr or "[rejected]" in error.stderr:
        return PushFailed(f"{target.name} refuses the push: {_reason(error)}")
    return _unreachable(target, error)
