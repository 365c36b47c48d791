"""Reading files of a hostile tree: no link is followed, nothing but regular files is opened, nothing blocks."""

import os
import stat
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from repowright_tools.git.names import is_tree_path

if TYPE_CHECKING:
    from pathlib import Path  # the process that parses does without: it costs more than a small file

Refusal = Literal["symlink", "submodule", "special_file", "unreadable", "missing", "oversized"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class FileRefused(Exception):
    """A path that is not read, and why."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason)
        self.reason: Refusal = reason


class TreeReader:
    """Opens files below one folder, each step of the path relative to the open folder above it.

    A path checked first and opened by name later could change in between, and a link in the middle of a path would
    lead out of the tree; opening step by step with O_NOFOLLOW leaves no such gap. Not for use by several threads.
    """

    def __init__(self, root: "Path | str") -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._folder: bytes = b""
        self._folder_fd = self._root  # of the last file: neighbours in a sorted list share it

    def __enter__(self) -> "TreeReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave_folder()
        os.close(self._root)

    def read(self, path: bytes, limit: int) -> bytes:
        """The file's bytes. Raises FileRefused, with `oversized` when they are more than `limit`."""
        file, size = self.open(path)
        try:
            if size > limit:
                raise FileRefused("oversized")
            return read_up_to(file, size or limit)  # some file systems say 0 of files that have something
        finally:
            os.close(file)

    def open(self, path: bytes) -> tuple[int, int]:
        """Descriptor, for the caller to close, and size of a regular file. Raises FileRefused."""
        folder, _, name = path.rpartition(b"/")
        if not name:
            raise FileRefused("submodule")  # git lists a repository inside the tree as `folder/`
        if not is_tree_path(os.fsdecode(path)):
            raise FileRefused("missing")  # only a forged index of git's names `..` or the inside of `.git`
        try:
            self._enter(folder)
            self._require_regular(name)
            file = os.open(name, _FILE, dir_fd=self._folder_fd)
        except FileNotFoundError as error:
            raise FileRefused("missing") from error
        except OSError as error:
            raise FileRefused("unreadable") from error
        try:
            found = os.fstat(file)
        except OSError as error:
            os.close(file)
            raise FileRefused("unreadable") from error
        if not stat.S_ISREG(found.st_mode):
            os.close(file)
            raise FileRefused("special_file")
        return file, found.st_size

    def _require_regular(self, name: bytes) -> None:
        # Asked before opening, because opening a device can have effects of its own.
        mode = os.stat(name, dir_fd=self._folder_fd, follow_symlinks=False).st_mode
        if stat.S_ISREG(mode):
            return
        if stat.S_ISLNK(mode):
            raise FileRefused("symlink")
        raise FileRefused("submodule" if stat.S_ISDIR(mode) else "special_file")

    def _enter(self, folder: bytes) -> None:
        if folder == self._folder:
            return
        self._leave_folder()
        with ExitStack() as opened:
            here = self._root
            for step in folder.split(b"/") if folder else []:
                below = _open_folder(step, here)
                opened.callback(os.close, below)
                here = below
            self._folder_fd = os.dup(here) if folder else self._root
        self._folder = folder

    def _leave_folder(self) -> None:
        if self._folder_fd != self._root:
            os.close(self._folder_fd)
        self._folder_fd, self._folder = self._root, b""


def read_up_to(file: int, limit: int) -> bytes:
    """The next `limit` bytes of the file, or all that is left of it. Raises FileRefused.

    Asked for no more than a file has, it saves the question whether there is more.
    """
    parts: list[bytes] = []
    left = limit
    try:
        while left > 0 and (part := os.read(file, min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
    except OSError as error:
        raise FileRefused("unreadable") from error
    return b"".join(parts)


def _open_folder(name: bytes, above: int) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=above)
    except NotADirectoryError as error:
        is_link = stat.S_ISLNK(os.stat(name, dir_fd=above, follow_symlinks=False).st_mode)
        raise FileRefused("symlink" if is_link else "missing") from error
