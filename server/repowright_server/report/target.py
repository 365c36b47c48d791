"""The file that a page goes to: checked before the work, written in one step after it."""

import os
import secrets
import stat
from pathlib import Path


class Unwritable(Exception):
    """Why no page can be written there, in words for the operator."""


class Target:
    """A file to be written as a whole.

    Raises, at once:
        Unwritable: it is a folder, a link or no regular file, or nothing can be written there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.expanduser().absolute()
        try:
            mode = self._path.lstat().st_mode
        except FileNotFoundError:
            mode = stat.S_IFREG
        except OSError as error:
            raise self._refusal(error) from error
        if stat.S_ISDIR(mode):
            raise Unwritable(f"{path} is a folder; give the name of a file, such as {path / 'analysis.html'}")
        if not stat.S_ISREG(mode):  # a link may be the repository's, and lead to any file of yours
            raise Unwritable(f"{path} is a link or a device, not a file; give another name")
        self._write(b"").unlink()

    def write(self, text: str) -> Path:
        """Write it, replacing the file only when all of the text is on disk (Unwritable if it cannot be)."""
        beside = self._write(text.encode("utf-8", "replace"))
        try:
            beside.replace(self._path)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise self._refusal(error) from error
        return self._path

    def _write(self, data: bytes) -> Path:
        """A new file beside the target with this content."""
        beside = self._path.with_name(f".{secrets.token_hex(8)}.repowright")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError:
                beside.unlink()
                raise
        except OSError as error:
            raise self._refusal(error) from error
        return beside

    def _refusal(self, error: OSError) -> Unwritable:
        return Unwritable(f"{self._path} cannot be written: {error.strerror or error}")
