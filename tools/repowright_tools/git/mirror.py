"""One mirror: a bare repository of ours that follows a remote, with the whole history and as few files as possible."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from repowright_tools.errors import EmptyRepository, UnknownRef
from repowright_tools.git import facts
from repowright_tools.git.guard import GitFailed, run_git
from repowright_tools.git.names import is_object_id
from repowright_tools.git.remote import Remote, RemoteState
from repowright_tools.git.shadow import WorkTree
from repowright_tools.threads import in_thread

_REFS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
_NO_DEFAULT = "refs/heads/repowright-none"
"""What HEAD names when the remote's names nothing; no remote's branch of that name would be taken for its default."""
_PARTIAL = "\tpromisor = true\n\tpartialclonefilter = blob:none\n[extensions]\n\tpartialClone = origin\n"


class Mirror:
    """A blob-less partial clone: all commits and trees, and the files of those commits that were asked for.

    A remote that cannot leave files out (no `uploadpack.allowFilter`) sends them all; then the mirror is `whole`.
    Nothing but the two methods that say so contacts the remote: git never fetches a missing file by itself, since
    every git process runs with GIT_NO_LAZY_FETCH and, for a git that does not know it, without any protocol allowed.
    Git's configuration here holds the URL and no credentials.
    """

    def __init__(self, folder: Path, remote: Remote, keep_open: Sequence[int], deadline_s: float) -> None:
        self.folder = folder
        self._remote = remote
        self._keep_open = keep_open
        self._deadline_s = deadline_s

    @property
    def is_whole(self) -> bool:
        """Whether every file of every commit is here."""
        return "promisor" not in (self.folder / "config").read_text()

    async def create(self, object_format: str, *, whole: bool) -> None:
        """Make the empty folder a repository that follows the remote. Contacts nobody."""
        await self._git("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}")
        self._configure(object_format, whole=whole)

    def _configure(self, object_format: str, *, whole: bool) -> None:
        extensions = f"[extensions]\n\tobjectFormat = {object_format}\n"
        origin = f'[remote "origin"]\n\turl = "{self._remote.url}"\n' + ("" if whole else _PARTIAL)
        # A pack for each fetch: no object is ever changed in place, which is what lets readers have links to them.
        rest = "[fetch]\n\tunpackLimit = 1\n[core]\n\trepositoryformatversion = 1\n\tbare = true\n"
        (self.folder / "config").write_text(f"{rest}{extensions}{origin}", encoding="ascii")

    async def follows(self, state: RemoteState) -> bool:
        """Whether branches, tags and HEAD are those of the remote, so that there is nothing to fetch."""
        if await self._refs() != dict(state.refs):
            return False
        head = (self.folder / "HEAD").read_text().strip()
        return head == (f"ref: {state.head}" if state.head else state.head_commit or f"ref: {_NO_DEFAULT}")

    async def _refs(self) -> dict[str, str]:
        """Branches and tags; GitFailed if one of them leads nowhere."""
        form = "--format=%(objectname) %(objecttype) %(refname)"  # the type is the object's: git has to look
        listed = await self._git("for-each-ref", form, "refs/heads", "refs/tags")
        lines = (line.split(" ", 2) for line in listed.decode(errors="surrogateescape").splitlines())
        return {name: value for value, _, name in lines}

    async def fetch(self, state: RemoteState, ref: str | None) -> None:
        """Bring branches, tags and HEAD up to date, and a commit that none of them leads to. Contacts the remote.

        Raises:
            GitFailed: the remote does not deliver, or the mirror is damaged.
        """
        if not await self.follows(state):
            detached = [state.head_commit] if state.head is None and state.head_commit is not None else []
            await self._fetch("--prune", "origin", *_REFS, *(f"+{each}:refs/repowright/head" for each in detached))
            for commit in detached:
                await self._git("update-ref", "--no-deref", "HEAD", commit)
            if not detached:
                await self._git("symbolic-ref", "HEAD", state.head or _NO_DEFAULT)
        if ref is not None and is_object_id(ref) and await facts.commit_of(self._tree, ref) is None:
            try:
                await self._fetch("origin", f"+{ref}:refs/repowright/kept/{ref}")
            except GitFailed as error:
                raise UnknownRef(f"the repository has no branch, tag or commit {ref}") from error

    async def resolve(self, ref: str | None) -> tuple[str, str | None]:
        """The commit of `ref`, or of HEAD, and the branch that `ref` names.

        Raises:
            EmptyRepository, UnknownRef: there is none.
        """
        if ref is not None:
            return await facts.resolve(self._tree, ref, ("refs/heads/", "refs/tags/"))
        commit = await facts.commit_of(self._tree, "HEAD")
        if commit is None:
            raise EmptyRepository(f"the default branch of {self._remote.url} has no commit yet")
        return commit, None

    async def missing(self, commit: str) -> list[str]:
        """The ids of the files of a commit that are not here."""
        listed = await self._git("rev-list", "--objects", "--missing=print", "--no-object-names", f"{commit}^{{tree}}")
        return [line[1:] for line in listed.decode().splitlines() if line.startswith("?")]

    async def fetch_files(self, commit: str) -> None:
        """Bring the missing files of a commit here, all in one request. Contacts the remote if there are any.

        Raises:
            GitFailed: the remote does not deliver, or the mirror is damaged.
        """
        missing = await self.missing(commit)
        if missing:
            # As git itself fetches what a partial clone lacks: no history is compared, exactly these objects are sent.
            names = "".join(f"{each}\n" for each in missing).encode()
            await self._fetch("--stdin", "origin", stdin=names, negotiation="noop")

    async def note_whole(self, commit: str, object_format: str) -> None:
        """After the first fetch: if the remote has sent files nobody asked for, it sends all, and this is no partial
        clone.
        """
        if not self.is_whole and not await self.missing(commit) and b" blob " in await self._git(*_TREE, commit):
            self._configure(object_format, whole=True)

    async def is_sound(self) -> bool:
        """Whether all commits and trees can be read."""
        if not await in_thread(self.has_whole_packs):
            return False
        try:
            await self._refs()
            await self._git("rev-list", "--objects", "--all", "--missing=allow-any", "--quiet")
        except GitFailed:
            return False
        return True

    def has_whole_packs(self) -> bool:
        """Whether each pack ends as its index says: git may search for ever for an object of one that was cut off."""
        length = 32 if "sha256" in (self.folder / "config").read_text() else 20
        packs = self.folder / "objects" / "pack"
        return all(
            _end_of(path.with_suffix(".pack"), length) == _end_of(path, 2 * length)[:length]
            for path in packs.glob("*.idx")
        )

    async def tidy(self) -> None:
        """Remove what a killed git left: for whoever has the mirror alone."""
        await in_thread(_remove_remains, self.folder)

    @property
    def packs(self) -> int:
        return sum(1 for _ in (self.folder / "objects" / "pack").glob("*.pack"))

    @property
    def _tree(self) -> WorkTree:
        return WorkTree(self.folder, self.folder, self.folder)

    async def _fetch(self, *arguments: str, stdin: bytes | None = None, negotiation: str = "default") -> None:
        how = "--no-filter" if self.is_whole else "--filter=blob:none"
        quiet = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance")
        options = ("fetch", *quiet, how)
        environment = {**self._remote.environment, "GIT_DIR": str(self.folder)}
        await run_git(
            self.folder,
            *(("-c", "fetch.negotiationAlgorithm=noop", *options) if negotiation == "noop" else options),
            *arguments,
            environment=environment,
            deadline_s=self._deadline_s,
            stdin=stdin,
            keep_open=self._keep_open,
        )

    async def _git(self, *arguments: str) -> bytes:
        return await run_git(
            self.folder,
            *arguments,
            environment={"GIT_DIR": str(self.folder)},
            deadline_s=self._deadline_s,
            keep_open=self._keep_open,
        )


_TREE = ("ls-tree", "-r", "--full-tree")


def _end_of(path: Path, length: int) -> bytes:
    """The last bytes of a file; fewer if it is shorter, none if it is not there."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - length))
            return file.read(length)
    except OSError:
        return b""


def _remove_remains(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".lock") or name.startswith("tmp_"):
                Path(parent, name).unlink(missing_ok=True)
