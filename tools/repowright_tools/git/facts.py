"""What a repository says of itself: commits, branches, origin, and whether its work tree differs."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from repowright_tools.errors import InvalidRef, NotARepository, RepositoryUnreadable, UnknownRef
from repowright_tools.git.guard import GitFailed
from repowright_tools.git.names import check_ref
from repowright_tools.git.shadow import WorkTree

_USUAL_DEFAULTS = ("main", "master")
_OBJECT_ID = re.compile(r"[0-9a-f]{4,64}")


async def head_commit(tree: WorkTree) -> str | None:
    """The commit that is checked out; None before the first one.

    Raises:
        NotARepository: git does not take the folder for a repository.
    """
    try:
        await tree.read("rev-parse", "--git-dir")
    except GitFailed as error:
        raise NotARepository(f"git does not read {tree.root}: {error.stderr}") from error
    return await commit_of(tree, "HEAD")


async def resolve(tree: WorkTree, ref: str, namespaces: Sequence[str]) -> tuple[str, str | None]:
    """The commit of a checked `ref`, and the branch it names, if it does.

    Args:
        tree: the repository.
        ref: branch, tag, full ref or commit id.
        namespaces: where to look, the first that has it wins: `refs/heads/`, `refs/tags/`, `refs/remotes/origin/`.

    Raises:
        UnknownRef: there is no such thing.
    """
    for namespace in namespaces:
        commit = await commit_of(tree, f"{namespace}{ref}")
        if commit is not None:
            return commit, None if namespace == "refs/tags/" else ref.removeprefix("origin/")
    if ref.startswith("refs/") or _OBJECT_ID.fullmatch(ref):
        commit = await commit_of(tree, ref)
        if commit is not None:
            return commit, None
    raise UnknownRef(f"the repository has no branch, tag or commit {ref}")


async def current_branch(tree: WorkTree) -> str | None:
    """The branch that is checked out; None when HEAD is detached."""
    return await _branch_behind(tree, "HEAD", "refs/heads/")


async def default_branch(tree: WorkTree) -> str | None:
    """What origin calls its default branch, else main or master, else the branch that is checked out."""
    of_origin = await _branch_behind(tree, "refs/remotes/origin/HEAD", "refs/remotes/origin/")
    if of_origin is not None:
        return of_origin
    for name in _USUAL_DEFAULTS:
        if await commit_of(tree, f"refs/heads/{name}") is not None:
            return name
    return await current_branch(tree)


async def origin(tree: WorkTree) -> str | None:
    """Where a push goes, without credentials; a relative path is made absolute."""
    try:
        url = await tree.read("config", "--get", "remote.origin.url")
    except GitFailed:
        return None
    return _without_credentials(url, tree.root) or None


async def is_dirty(tree: WorkTree, commit: str | None) -> bool:
    """Whether index or work tree differ from `commit`, or from nothing; untracked files count unless ignored.

    Raises:
        RepositoryUnreadable: git cannot tell.
    """
    status = ("status", "--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=all", "--no-renames")
    try:
        return await tree.compare(*status, head=commit) != b""
    except GitFailed as error:
        raise RepositoryUnreadable(f"git cannot compare {tree.root}: {error.stderr}") from error


async def commit_of(tree: WorkTree, revision: str) -> str | None:
    """The full id of the commit that a checked revision means; None when there is none."""
    try:
        return await tree.read("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except GitFailed:
        return None


async def _branch_behind(tree: WorkTree, symbolic: str, namespace: str) -> str | None:
    try:
        name = (await tree.read("symbolic-ref", "--quiet", symbolic)).removeprefix(namespace)
        return check_ref(name)
    except (GitFailed, InvalidRef):
        return None


def _without_credentials(url: str, root: Path) -> str:
    if "://" in url:
        parts = urlsplit(url)
        user, _, host = parts.netloc.rpartition("@")
        # Over ssh the user name is an address; a password, or anything before the host over https, is a secret.
        kept = f"{user.partition(':')[0]}@{host}" if user and parts.scheme == "ssh" else host
        return parts._replace(netloc=kept).geturl()
    if "::" in url or re.match(r"[^/]+:", url) or url.startswith(("-", "/")):
        return url
    return os.path.normpath(root / url)
