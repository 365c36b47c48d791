"""A run's own folder on disk: the checkout that is read, and the clean clone that is written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from repowright_tools.errors import BranchMissing, CloneFailed, EmptyRepository, NothingToChange, UnknownRef
from repowright_tools.git import facts
from repowright_tools.git.changes import FileChange, parse_changes
from repowright_tools.git.clone import (
    CLONE_DEADLINE_S,
    PARTIAL_CLONE,
    clone_whole,
    is_partial,
    link_clone,
    put_work_tree,
    whole_or_absent,
)
from repowright_tools.git.guard import GitFailed, run_git
from repowright_tools.git.names import check_ref, is_object_id
from repowright_tools.git.remote import remote_at
from repowright_tools.git.shadow import find_work_tree
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from repowright_tools.git.mirrors import Found
    from repowright_tools.git.policy import SourcePolicy
    from repowright_tools.stage import BoundRepository

FIRST_BRANCH = "repowright/base"


@dataclass(frozen=True)
class Identity:
    """Who our commits are by."""

    name: str
    email: str


class Workspace:
    """The folder of one run. At most one attempt of the run uses it at a time, so a lock found in it is stale.

    The user's own repository is only ever read.
    """

    def __init__(self, root: Path, identity: Identity, max_bytes: int, sources: SourcePolicy | None = None) -> None:
        """`sources` is needed for what is cloned without the files of its history: see `clone`."""
        self._root = root
        self._identity = identity
        self._max_bytes = max_bytes
        self._sources = sources

    @property
    def root(self) -> Path:
        """The run's folder; created with mode 0700 on first use."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._root

    @property
    def clone_path(self) -> Path:
        """Where the clean clone is once `clone` has returned."""
        return self.root / "clone"

    async def check_out(
        self,
        location: str,
        ref: str | None,
        *,
        environment: Mapping[str, str] | None = None,
        deadline_s: float = CLONE_DEADLINE_S,
    ) -> Path:
        """A fresh checkout of a repository, to read from, in `root`/source.

        Args:
            location: checked clone URL, or absolute path.
            ref: checked branch, tag or commit; None for what the repository has as HEAD.
            environment: for a URL its protocol and credentials; by default a path is meant.
            deadline_s: seconds the clone may take.

        Raises:
            SourceError: EmptyRepository, UnknownRef, CloneFailed, CloneTimeout, WorkspaceTooLarge.
        """
        destination = await self.without_checkout()
        await self._clone(location, ref, destination, "--detach", environment=environment, deadline_s=deadline_s)
        return destination

    async def without_checkout(self) -> Path:
        """Remove the checkout of an earlier attempt; returns its place."""
        destination = self.root / "source"
        await in_thread(shutil.rmtree, destination, ignore_errors=True)
        return destination

    async def check_out_mirror(self, found: Found, url: str, *, deadline_s: float = CLONE_DEADLINE_S) -> Path:
        """A fresh checkout of a commit that a mirror has, to read from, in `root`/source. Contacts nobody.

        Args:
            found: the mirror and the commit.
            url: what the checkout calls its origin.
            deadline_s: seconds it may take.

        Raises:
            SourceError: CloneFailed, CloneTimeout, WorkspaceTooLarge.
        """
        destination = await self.without_checkout()
        settings = {"remote.origin.url": url}
        if not found.mirror.is_whole:
            settings |= PARTIAL_CLONE

        async def fill(folder: Path) -> None:
            await link_clone(found.mirror.folder, folder, settings, deadline_s)
            await put_work_tree(folder, found.commit, "--detach", max_bytes=self._max_bytes)

        await whole_or_absent(destination, fill, deadline_s)
        return destination

    async def clone(self, repository: BoundRepository) -> Path:
        """The clean clone, made at the pinned commit unless it is there already; stale locks in it are removed.

        It is a whole clone that borrows nothing, since its branch is compared with any base, pushed, and fetched by
        the user. A checkout of a remote that lacks the files of its history is not enough for that; then the remote's
        mirror is completed, and cloned.

        Raises:
            SourceError: NotARepository, EmptyRepository, UnknownRef, CloneFailed, CloneTimeout, WorkspaceTooLarge.
        """
        folder, commit = self.clone_path, repository.pinned()
        if folder.exists():
            await in_thread(_remove_locks, folder / ".git")
            if await self.has_commit(commit):
                return folder
            await in_thread(shutil.rmtree, folder)
        if repository.kind == "remote" and self._sources is not None and is_partial(Path(repository.root)):
            await self._clone_mirror(repository, self._sources, folder)
        else:
            await self._clone(repository.root, commit, folder, "-B", FIRST_BRANCH)
        return folder

    async def _clone_mirror(self, repository: BoundRepository, sources: SourcePolicy, folder: Path) -> None:
        from repowright_tools.git.mirrors import Wanted, mirrors_of

        url = repository.origin or repository.source

        async def clone(found: Found) -> None:
            location = str(found.mirror.folder)
            await self._clone(location, found.commit, folder, "-B", FIRST_BRANCH)
            await run_git(folder, "config", "remote.origin.url", url)

        wanted = Wanted(remote_at(url, sources), repository.pinned(), whole=True)
        async with mirrors_of(sources, self.root) as mirrors:
            await mirrors.lend(wanted, clone)

    async def _clone(
        self,
        location: str,
        ref: str | None,
        destination: Path,
        *checkout: str,
        environment: Mapping[str, str] | None = None,
        deadline_s: float = CLONE_DEADLINE_S,
    ) -> None:
        environment = environment or self._local_environment()

        async def finish(folder: Path) -> None:
            commit = await _pinned(folder, ref, environment)
            await put_work_tree(folder, commit, *checkout, max_bytes=self._max_bytes)

        await clone_whole(
            location,
            destination,
            environment=environment,
            deadline_s=deadline_s,
            max_bytes=self._max_bytes,
            finish=finish,
        )

    def _local_environment(self) -> dict[str, str]:
        """For reading a repository on disk, also one that another user owns, as in a container with a bind mount.

        Git refuses those because their configuration may name programs; upload-pack takes none from it.
        """
        settings = self.root / "gitconfig"
        settings.write_text("[safe]\n\tdirectory = *\n", encoding="utf-8")
        return {"GIT_ALLOW_PROTOCOL": "file", "GIT_CONFIG_GLOBAL": str(settings)}

    async def has_commit(self, commit: str) -> bool:
        """Whether the clone has this commit (a full id)."""
        try:
            await self._git("cat-file", "-e", f"{check_ref(commit)}^{{commit}}")
        except (GitFailed, FileNotFoundError):
            return False
        return True

    async def start_branch(self, name: str, commit: str) -> None:
        """Check out a branch at `commit`, also when it exists; whatever the work tree held is gone.

        Raises:
            InvalidRef: the name is none for a branch.
            CloneFailed: git cannot check it out.
        """
        try:
            await self._git("checkout", "--quiet", "--force", "-B", check_ref(name), check_ref(commit), "--")
            await self._git("clean", "--quiet", "-ffdx")
        except GitFailed as error:
            raise CloneFailed(f"git cannot start the branch {name}: {error.stderr}") from error

    async def commit(self, message: str, trailers: Sequence[tuple[str, str]], *, when: datetime) -> str:
        """Commit everything in the clone's work tree and return the commit id.

        The id depends on nothing but the arguments, the identity, the tree and the parent, so that a repetition
        after a crash makes the same commit. Neither hooks nor signing programs run.

        Args:
            message: subject, and a body after an empty line.
            trailers: lines such as ("Task", "T1").
            when: author and committer date, timezone-aware.

        Raises:
            NothingToChange: the work tree is what is committed already.
        """
        await self._git("add", "--all", "--force", "--", ".")
        if await self._git("diff", "--cached", "--name-only", "-z") == b"":
            raise NothingToChange("the work tree does not differ from its commit")
        lines = [f"{key}: {' '.join(value.split())}" for key, value in trailers]
        text = "\n\n".join(part for part in (message.strip(), "\n".join(lines)) if part)
        date = f"{int(when.timestamp())} +0000"
        environment = {
            "GIT_AUTHOR_NAME": self._identity.name,
            "GIT_AUTHOR_EMAIL": self._identity.email,
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_NAME": self._identity.name,
            "GIT_COMMITTER_EMAIL": self._identity.email,
            "GIT_COMMITTER_DATE": date,
        }
        arguments = ("commit", "--quiet", "--no-verify", "--no-gpg-sign", "--cleanup=whitespace", "--file=-")
        await self._git(*arguments, environment=environment, stdin=f"{text}\n".encode())
        return await self.head()

    async def tracked(self) -> dict[str, int]:
        """Paths and git modes of what is tracked in the clone's work tree."""
        listed = await self._git("ls-files", "--stage", "-z")
        entries = (entry.partition(b"\t") for entry in listed.split(b"\0") if entry)
        return {os.fsdecode(path): int(meta.split()[0], 8) for meta, _, path in entries}

    async def head(self) -> str:
        """The commit that is checked out in the clone."""
        return (await self._git("rev-parse", "HEAD")).decode().strip()

    async def reset(self, commit: str) -> None:
        """Put branch and work tree of the clone back to `commit`, and remove what git does not know."""
        await self._git("reset", "--quiet", "--hard", check_ref(commit), "--")
        await self._git("clean", "--quiet", "-ffdx")

    async def diff(self, base: str, head: str) -> str:
        """The unified diff between two commits of the clone, as `git apply` takes it."""
        return (await self._diff("--binary", base, head)).decode(errors="replace")

    async def changes(self, base: str, head: str) -> list[FileChange]:
        """The files that differ between two commits of the clone, with renames found, in order of path."""
        return parse_changes(
            await self._diff("--name-status", "-z", base, head), await self._diff("--numstat", "-z", base, head)
        )

    async def fetch_branch(self, repository: BoundRepository, branch: str) -> str:
        """Bring a branch of the bound repository into the clone, as it is there now, and return its commit.

        Raises:
            BranchMissing: the repository has no such branch.
        """
        check_ref(branch)
        kept = f"refs/repowright/fetched/{branch}"
        for namespace in ("refs/heads/", "refs/remotes/origin/"):
            fetch = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", repository.root)
            try:
                await self._git(*fetch, f"+{namespace}{branch}:{kept}", environment=self._local_environment())
            except GitFailed:
                continue
            return (await self._git("rev-parse", "--verify", f"{kept}^{{commit}}")).decode().strip()
        raise BranchMissing(f"the repository has no branch {branch}")

    async def _diff(self, *arguments: str) -> bytes:
        *options, base, head = arguments
        plain = ("--no-ext-diff", "--no-textconv", "--no-color", "--find-renames", "--no-relative", "--full-index")
        return await self._git("diff", *plain, *options, check_ref(base), check_ref(head), "--")

    async def _git(
        self, *arguments: str, environment: Mapping[str, str] | None = None, stdin: bytes | None = None
    ) -> bytes:
        folder = self.clone_path
        # An explicit folder, so that git never looks for another repository further up.
        own = {"GIT_DIR": str(folder / ".git"), "GIT_WORK_TREE": str(folder)}
        return await run_git(folder, *arguments, environment={**own, **(environment or {})}, stdin=stdin)


async def _pinned(folder: Path, ref: str | None, environment: Mapping[str, str]) -> str:
    """The commit of `ref` in a fresh clone; a commit that no branch or tag leads to is fetched by its id."""
    tree = find_work_tree(folder, (folder,))
    if ref is None:
        commit = await facts.head_commit(tree)
        if commit is None:
            raise EmptyRepository("the repository has no commit yet")
        return commit
    try:
        return (await facts.resolve(tree, ref, ("refs/remotes/origin/", "refs/tags/")))[0]
    except UnknownRef as unknown:
        if not is_object_id(ref):
            raise
        try:
            await run_git(folder, "fetch", "--quiet", "--no-tags", "origin", ref, environment=environment)
        except GitFailed:
            raise unknown from None
        return ref


def _remove_locks(git_folder: Path) -> None:
    for parent, folders, names in os.walk(git_folder):
        folders[:] = [name for name in folders if name != "objects"]
        for name in names:
            if name.endswith(".lock"):
                Path(parent, name).unlink(missing_ok=True)
