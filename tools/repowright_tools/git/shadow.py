"""Reading a user's repository without its configuration ever naming a program.

Two ways, by what git would run:

- `WorkTree.read`: git reads the user's `.git` directly, for refs, objects and single settings. Such commands run
  nothing, given `guard.HARDENED`.
- `WorkTree.compare`: whatever looks at the work tree's files, where git may run `filter.*.clean` (even in diff-files,
  for a file no older than the index) and, in submodules, `git status`. Git is given a `.git` folder of ours without
  the user's configuration, and reads the user's index and objects in place.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from repowright_tools.errors import NotARepository, PathNotAllowed, RepositoryUnreadable
from repowright_tools.git.guard import (
    MAX_OUTPUT_BYTES,
    GitFailed,
    GitFlooded,
    GitLate,
    config_environment,
    run_git,
)

ANYWHERE = (Path("/"),)
"""The allowed roots for a repository whose place was judged before, when it was bound."""

_DEADLINE_S = 30.0
_MAX_SMALL_FILE_BYTES = 1024 * 1024
_HARMLESS_SETTINGS = (
    r"^(core\.(filemode|ignorecase|precomposeunicode|autocrlf|eol|sparsecheckout|sparsecheckoutcone)|index\.sparse)$"
)
"""What the user's configuration says of the file system, line ends and what is checked out: words, not programs."""


@dataclass(frozen=True)
class WorkTree:
    """A user's work tree and where git keeps its state, found without running git."""

    root: Path
    git_folder: Path
    common_folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Git reads the user's `.git`; whatever its `core.worktree` says, the work tree is this one."""
        return {"GIT_DIR": str(self.git_folder), "GIT_WORK_TREE": str(self.root)}

    async def read(self, *arguments: str) -> str:
        """What git says about refs, objects or settings; never for commands that look at the work tree's files.

        Raises:
            GitFailed: git says no.
            RepositoryUnreadable: it does not answer in time.
        """
        return (await self.read_bytes(*arguments)).decode(errors="replace").strip()

    async def read_bytes(
        self, *arguments: str, stdin: bytes | None = None, max_output: int = MAX_OUTPUT_BYTES
    ) -> bytes:
        environment = self.environment
        return await _bounded(self.root, *arguments, environment=environment, stdin=stdin, max_output=max_output)

    async def compare(self, *arguments: str, head: str | None = None) -> bytes:
        """What git says when it looks at the work tree's files, in a shadow whose HEAD is the commit `head`.

        Raises:
            GitFailed: git says no.
            RepositoryUnreadable: it does not answer in time.
        """
        settings = await self._harmless_settings()
        object_format = await self.read("rev-parse", "--show-object-format")
        with tempfile.TemporaryDirectory(prefix="repowright-") as folder:
            shadow = Path(folder)
            _make_shadow(shadow, self, head or "ref: refs/heads/unborn", object_format)
            environment = {
                **config_environment({"core.symlinks": "true", **settings}),
                "GIT_DIR": str(shadow),
                "GIT_WORK_TREE": str(self.root),
                "GIT_INDEX_FILE": str(self.git_folder / "index"),
                "GIT_OBJECT_DIRECTORY": str(self.common_folder / "objects"),
            }
            return await _bounded(self.root, *arguments, environment=environment)

    async def _harmless_settings(self) -> dict[str, str]:
        try:
            listed = await self.read_bytes("config", "-z", "--get-regexp", _HARMLESS_SETTINGS)
        except GitFailed:  # none of them is set
            return {}
        pairs = (entry.partition("\n") for entry in listed.decode(errors="replace").split("\0") if entry)
        return {key: value or "true" for key, _, value in pairs}


async def _bounded(
    folder: Path,
    *arguments: str,
    environment: dict[str, str],
    stdin: bytes | None = None,
    max_output: int = MAX_OUTPUT_BYTES,
) -> bytes:
    try:
        return await run_git(
            folder, *arguments, environment=environment, stdin=stdin, max_output=max_output, deadline_s=_DEADLINE_S
        )
    except (GitLate, GitFlooded) as error:
        raise RepositoryUnreadable(error.stderr) from error


def make_empty_shadow(shadow: Path, head: str = "ref: refs/heads/unborn", object_format: str = "sha1") -> None:
    """Make an empty folder what git takes for a `.git` folder, with nothing in it."""
    for name in ("refs", "info", "objects"):
        (shadow / name).mkdir()
    (shadow / "HEAD").write_text(f"{head}\n")
    (shadow / "config").write_text(
        f"[core]\n\trepositoryformatversion = 1\n\tbare = false\n[extensions]\n\tobjectFormat = {object_format}\n"
    )


def _make_shadow(shadow: Path, tree: WorkTree, head: str, object_format: str) -> None:
    make_empty_shadow(shadow, head, object_format)
    (shadow / "info" / "exclude").write_bytes(_read_small(tree.common_folder / "info" / "exclude"))
    # Without these git unfolds a sparse index, and writes the folders it unfolds into the user's objects.
    (shadow / "info" / "sparse-checkout").write_bytes(_read_small(tree.git_folder / "info" / "sparse-checkout"))
    for shared in tree.git_folder.glob("sharedindex.*"):  # a split index keeps its larger part beside it
        (shadow / shared.name).symlink_to(shared)


def _read_small(path: Path) -> bytes:
    """The start of a regular file; nothing when it is something else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_MAX_SMALL_FILE_BYTES) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""


def find_work_tree(start: Path, allowed_roots: Sequence[Path]) -> WorkTree:
    """Like `enclosing_work_tree`, where there has to be one (NotARepository)."""
    tree = enclosing_work_tree(start, allowed_roots)
    if tree is None:
        raise NotARepository(f"{start} is not inside a git work tree")
    return tree


def enclosing_work_tree(start: Path, allowed_roots: Sequence[Path]) -> WorkTree | None:
    """The work tree that `start` lies in, if all that git would read of it lies in an allowed root.

    A planted `.git` file, link or list of alternates would otherwise make another repository of the machine readable.

    Args:
        start: an absolute path.
        allowed_roots: absolute paths.

    Returns:
        None for a folder without git.

    Raises:
        NotARepository: a bare repository, the inside of a `.git` folder, or a `.git` that names none.
        PathNotAllowed: the work tree, or the folder its history is kept in, lies outside.
    """
    start = Path(os.path.realpath(start))
    for folder in (start, *start.parents):
        marker = folder / ".git"
        if marker.exists():
            git_folder = _pointed_at(marker)
            common = _read_linked(git_folder / "commondir").rstrip("\r\n")
            tree = WorkTree(folder, git_folder, Path(os.path.realpath(git_folder / common)) if common else git_folder)
            _jail(tree, allowed_roots)
            return tree
        if (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir():
            raise NotARepository(f"{folder} is a bare repository or the inside of a .git folder, not a work tree")
    return None


def _pointed_at(marker: Path) -> Path:
    """The folder that `.git` is, or names when it is a file (linked work trees and submodules)."""
    if marker.is_dir():
        return Path(os.path.realpath(marker))
    text = _read_small(marker).decode(errors="replace").rstrip("\r\n")
    if not text.startswith("gitdir: ") or "\0" in text:
        raise NotARepository(f"{marker} is not a git folder")
    return Path(os.path.realpath(marker.parent / text.removeprefix("gitdir: ")))


def _jail(tree: WorkTree, allowed_roots: Sequence[Path]) -> None:
    """Refuse a repository of which git would read a part outside the roots."""
    if any(os.path.realpath(root) == "/" for root in allowed_roots):
        return
    waiting = [tree.root / ".git", tree.git_folder, tree.common_folder, tree.common_folder / "objects"]
    seen = set[Path]()
    while waiting:
        place = waiting.pop()
        if not is_within(tree.root, allowed_roots) or not is_within(place, allowed_roots):
            raise PathNotAllowed(f"{tree.root} keeps part of its repository at {place}, outside the allowed roots")
        real = Path(os.path.realpath(place))
        if real not in seen and real.is_dir():
            seen.add(real)
            waiting += [*_entries(real), *_alternates(real)]


def _entries(folder: Path) -> list[Path]:
    """The folders and symbolic links in a folder: where else git may go from there."""
    try:
        with os.scandir(folder) as entries:
            return [Path(entry) for entry in entries if entry.is_symlink() or entry.is_dir(follow_symlinks=False)]
    except OSError:  # what we cannot read, git cannot read either
        return []


def _alternates(objects: Path) -> list[Path]:
    """The folders that `objects` borrows from; git takes `..` off the text, not off where a link leads."""
    lines = _read_linked(objects / "info" / "alternates").split("\n")
    if any(line.startswith('"') for line in lines):  # quoted, as git writes it for names that are not plain
        raise PathNotAllowed(f"{objects} borrows from a folder whose name is not plain")
    borrowed = [line for line in lines if line and not line.startswith("#")]
    return [Path(os.path.normpath(objects / line)) for line in borrowed]


def _read_linked(path: Path) -> str:
    """The whole text of a small regular file, also through a link, as git follows one; empty for anything else.

    Raises:
        NotARepository: git would read something else in it than we do.
    """
    data = _read_small(Path(os.path.realpath(path)))
    if b"\0" in data or len(data) == _MAX_SMALL_FILE_BYTES:
        raise NotARepository(f"{path} is not as git writes it")
    return os.fsdecode(data)


def is_within(path: Path, roots: Sequence[Path]) -> bool:
    """Whether the real path lies in one of the roots (or is one)."""
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(os.path.realpath(root)) for root in roots)
