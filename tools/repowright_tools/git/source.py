"""Which repository a call means: the spelling is judged before anything is read, started or requested."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from repowright_tools.errors import (
    EmptyRepository,
    InvalidArguments,
    NotARepository,
    PathNotAbsolute,
    PathNotAllowed,
    PathNotFound,
    UrlNotAllowed,
)
from repowright_tools.git import facts
from repowright_tools.git.clone import CLONE_DEADLINE_S
from repowright_tools.git.names import check_ref
from repowright_tools.git.policy import SourcePolicy
from repowright_tools.git.remote import remote_at
from repowright_tools.git.shadow import enclosing_work_tree, find_work_tree, is_within
from repowright_tools.git.urls import clone_url
from repowright_tools.models import RepositoryWarning, Result
from repowright_tools.stage import BoundRepository

if TYPE_CHECKING:
    from repowright_tools.git.workspace import Workspace

_OWNER_NAME = re.compile(r"[^/:@\s.~][^/:@\s]*/[^/:@\s]*")
_OF_ORIGIN = "refs/remotes/origin/"


class SourceSpec(Result):
    """A source as the caller meant it: `location` is a real absolute path, or a clone URL without credentials."""

    source: str
    kind: Literal["local", "remote"]
    location: str
    ref: str | None


def parse_source(source: str | None, ref: str | None, policy: SourcePolicy) -> SourceSpec:
    """What the caller means, if that may be read. Starts no process and sends no request.

    Args:
        source: absolute path, https git URL or owner/name (on the forge); None for the single allowed root.
        ref: branch, tag or commit; None for what is checked out, or the remote's default branch.
        policy: where sources may lie.

    Raises:
        InvalidArguments: no source, and not exactly one allowed root.
        PathNotAbsolute, PathNotAllowed, PathNotFound, UrlNotAllowed, HostNotAllowed, InvalidRef: it may not.
    """
    if ref is not None:
        check_ref(ref)
    if source is None:
        if len(policy.allowed_roots) != 1:
            raise InvalidArguments("`source` is needed: there is no single allowed root that could be the default")
        source = str(policy.allowed_roots[0])
    if not source or source.startswith("-") or any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in source):
        raise UrlNotAllowed(f"not a path, URL or owner/name: {source[:200]!a}")
    if source.startswith("/"):
        return SourceSpec(source=source, kind="local", location=_local(source, policy), ref=ref)
    return SourceSpec(source=source, kind="remote", location=_remote(source, policy), ref=ref)


def _local(source: str, policy: SourcePolicy) -> str:
    real = Path(os.path.realpath(source))
    # Judged before existence, so that the answer says nothing about what lies outside.
    if not is_within(real, policy.allowed_roots):
        raise PathNotAllowed(f"{source} lies outside the allowed roots")
    if not real.is_dir():
        raise PathNotFound(f"{source} is not an existing folder")
    return str(real)


def _remote(source: str, policy: SourcePolicy) -> str:
    if "://" in source:
        return clone_url(source, policy)
    if ":" in source or "@" in source:
        raise UrlNotAllowed("only https URLs, absolute paths and owner/name are sources")
    if not _OWNER_NAME.fullmatch(source):
        raise PathNotAbsolute(f"{source[:200]!a} is a relative path")
    return clone_url(f"{policy.forge_url.rstrip('/')}/{source}", policy)


async def bind(
    spec: SourceSpec,
    workspace: Workspace,
    policy: SourcePolicy,
    *,
    deadline_s: float = CLONE_DEADLINE_S,
) -> BoundRepository:
    """The repository at one commit: a local work tree as it is, or our own checkout of a remote or of a `ref`.

    A folder without git, and a work tree before its first commit, are bound to no commit.

    Args:
        spec: what `parse_source` made of the arguments.
        workspace: where a checkout goes, into its folder `source`.
        policy: as given to `parse_source`.
        deadline_s: seconds a clone may take.

    Raises:
        SourceError: NotARepository, EmptyRepository, PathNotAllowed, UnknownRef, RepositoryUnreadable, CloneFailed,
            CloneTimeout, WorkspaceTooLarge.
    """
    if spec.kind == "remote":
        return await _bind_remote(spec, workspace, policy, deadline_s)
    tree = enclosing_work_tree(Path(spec.location), policy.allowed_roots)
    if tree is None:
        return _without_git(spec)
    head = await facts.head_commit(tree)
    if head is None and spec.ref is None and _is_bare_of_files(tree.root):
        raise EmptyRepository(f"{tree.root} has neither a commit nor a file yet")
    branch = await facts.current_branch(tree)
    bound = BoundRepository(
        source=spec.source,
        kind="local",
        root=str(tree.root),
        commit=head,
        branch=branch,
        default_branch=await facts.default_branch(tree),
        dirty=False,
        origin=await facts.origin(tree),
    )
    if spec.ref is None:
        return bound.model_copy(update={"dirty": await facts.is_dirty(tree, head)})
    # The work tree may hold anything else than `ref`, and is not ours to change.
    commit, branch = await facts.resolve(tree, spec.ref, ("refs/heads/", "refs/tags/", "refs/remotes/", _OF_ORIGIN))
    root = await workspace.check_out(str(tree.root), commit, deadline_s=deadline_s)
    return bound.model_copy(update={"commit": commit, "branch": branch, "root": str(root)})


def _without_git(spec: SourceSpec) -> BoundRepository:
    """A folder without git: read as it is, and of no use to what needs a commit."""
    if spec.ref is not None or _is_bare_of_files(Path(spec.location)):
        raise NotARepository(f"{spec.location} is not inside a git work tree")
    return BoundRepository(
        source=spec.source,
        kind="local",
        root=spec.location,
        commit=None,
        branch=None,
        default_branch=None,
        dirty=False,
        origin=None,
    )


def _is_bare_of_files(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return all(entry.name == ".git" for entry in entries)


async def _bind_remote(
    spec: SourceSpec,
    workspace: Workspace,
    policy: SourcePolicy,
    deadline_s: float,
) -> BoundRepository:
    from repowright_tools.git.mirrors import Found, Wanted, mirrors_of

    async def check_out(found: Found) -> tuple[Path, Found]:
        return await workspace.check_out_mirror(found, spec.location, deadline_s=deadline_s), found

    await workspace.without_checkout()
    wanted = Wanted(remote_at(spec.location, policy), spec.ref)
    warnings: list[RepositoryWarning] = []
    async with mirrors_of(policy, workspace.root, warn=warnings.append, deadline_s=deadline_s) as mirrors:
        root, found = await mirrors.lend(wanted, check_out)
    default = await facts.default_branch(find_work_tree(root, (root,)))
    return BoundRepository(
        source=spec.source,
        kind="remote",
        root=str(root),
        commit=found.commit,
        branch=default if spec.ref is None else found.branch,
        default_branch=default,
        dirty=False,
        origin=spec.location,
        warnings=tuple(warnings),
    )
