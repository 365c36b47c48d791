"""Files of a commit or a work tree as plain bytes: no filter, attribute, symbolic link or special file is followed."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from repowright_tools.errors import RepositoryUnreadable, UnknownRef, WorkspaceTooLarge
from repowright_tools.git.guard import GitFailed
from repowright_tools.git.names import check_ref, is_tree_path
from repowright_tools.git.shadow import ANYWHERE, WorkTree, find_work_tree
from repowright_tools.threads import in_thread

LINK = 0o120000
"""Git's mode of a symbolic link."""


@dataclass(frozen=True)
class TreeFile:
    """One file.

    Attributes:
        path: relative, with `/`; bytes that are not UTF-8 stand as surrogates, as `os.fsdecode` makes them.
        mode: git's: 0o100644, 0o100755, or 0o120000 for a symbolic link.
        data: the content; a link's target.
    """

    path: str
    mode: int
    data: bytes

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return self.mode == LINK


async def commit_files(repository: Path, commit: str, max_bytes: int) -> list[TreeFile]:
    """The files of a commit (a full id), as committed. Submodules are left out, and names that mean `.git`.

    Args:
        repository: top of a work tree whose place has been approved.
        commit: full commit id.
        max_bytes: of all contents together.

    Raises:
        UnknownRef: there is no such commit.
        WorkspaceTooLarge: more than `max_bytes`.
        RepositoryUnreadable: git does not get through it.
    """
    tree = find_work_tree(repository, ANYWHERE)
    try:
        listed = await tree.read_bytes("ls-tree", "-r", "-l", "-z", "--full-tree", check_ref(commit), "--")
        entries = [_entry(line) for line in listed.split(b"\0") if line]
        wanted = [(path, mode, name) for path, mode, name, _ in entries if mode & 0o170000 != 0o160000]
        if sum(size for *_, size in entries) > max_bytes:
            raise WorkspaceTooLarge(f"the files of {commit} are larger than {max_bytes} bytes")
        names = "".join(f"{name}\n" for _, _, name in wanted)
        blobs = await tree.read_bytes("cat-file", "--batch", stdin=names.encode(), max_output=max_bytes * 2 + 2**20)
    except GitFailed as error:
        raise UnknownRef(f"git does not read the commit {commit}: {error.stderr}") from error
    return [file for file in _blobs(wanted, blobs) if is_tree_path(file.path)]


def _entry(line: bytes) -> tuple[str, int, str, int]:
    mode, _, name, size = line.partition(b"\t")[0].split()
    return os.fsdecode(line.partition(b"\t")[2]), int(mode, 8), name.decode(), int(size) if size.isdigit() else 0


def _blobs(wanted: list[tuple[str, int, str]], output: bytes) -> list[TreeFile]:
    """Cut the output of `cat-file --batch` (a header line, the content, a newline, for each) into files."""
    files: list[TreeFile] = []
    at = 0
    for path, mode, name in wanted:
        end = output.index(b"\n", at)
        header = output[at:end].split()
        if len(header) != 3:
            raise RepositoryUnreadable(f"the object {name} is missing")
        start, at = end + 1, end + 2 + int(header[2])
        files.append(TreeFile(path, mode, output[start : at - 1]))
    return files


async def work_tree_files(root: Path, max_bytes: int) -> list[TreeFile]:
    """The files of a work tree as they are now: tracked ones and those that are neither tracked nor ignored.

    A symbolic link is listed as such and never followed, nor is one in the middle of a path. FIFOs, sockets, devices,
    submodules and files that vanished are left out.

    Args:
        root: top of a work tree whose place has been approved.
        max_bytes: of all contents together.

    Raises:
        WorkspaceTooLarge: more than `max_bytes`.
        RepositoryUnreadable: git does not get through it.
    """
    tree = find_work_tree(root, ANYWHERE)
    paths = await work_tree_paths(tree)
    return await in_thread(_read_all, tree.root, paths, max_bytes)


async def work_tree_paths(tree: WorkTree) -> list[str]:
    """What `git ls-files` lists of the work tree, each path once, sorted; `os.fsdecode`d."""
    try:
        # `--sparse`: to unfold a sparse index git writes to the user's objects, and what is folded is not on disk.
        listed = await tree.compare("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--sparse")
    except GitFailed as error:
        raise RepositoryUnreadable(f"git cannot list {tree.root}: {error.stderr}") from error
    return sorted({os.fsdecode(path) for path in listed.split(b"\0") if path})


def _read_all(root: Path, paths: list[str], max_bytes: int) -> list[TreeFile]:
    files: list[TreeFile] = []
    left = max_bytes
    plain: dict[Path, bool] = {}  # folders, and whether no link leads there
    for path in paths:
        full = root / path
        if full.parent not in plain:
            plain[full.parent] = os.path.realpath(full.parent) == str(full.parent)
        if not plain[full.parent] or not is_tree_path(path):
            continue
        file = _read(full, path, left + 1)
        if file is None:
            continue
        left -= len(file.data)
        if left < 0:
            raise WorkspaceTooLarge(f"the files of {root} are larger than {max_bytes} bytes")
        files.append(file)
    return files


def _read(full: Path, path: str, limit: int) -> TreeFile | None:
    try:
        mode = full.lstat().st_mode
        if stat.S_ISLNK(mode):
            return TreeFile(path, LINK, os.fsencode(full.readlink()))
        if not stat.S_ISREG(mode):
            return None
        # Between the two looks it may have become anything; without O_NONBLOCK a FIFO would hold us up.
        descriptor = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return TreeFile(path, 0o100755 if mode & 0o100 else 0o100644, file.read(limit))
