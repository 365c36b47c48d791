"""Rules files in the user's own work tree: read and replaced inside it, never through a link."""

import os
from pathlib import Path
from secrets import token_hex

from repowright_tools.generate_cursor_rules.blocks import NotOurs
from repowright_tools.git.guard import PathRefused, inside
from repowright_tools.index.reading import FileRefused, TreeReader

_MOST_BYTES = 1024 * 1024


def read(root: Path, path: str) -> str | None:
    """The file's text, any bytes in it kept (`surrogateescape`); None when there is none.

    Raises:
        NotOurs: it is a link, behind one, no regular file, no text in UTF-8, or too large for a rules file.
    """
    try:
        inside(root, path)
        with TreeReader(root) as reader:
            data = reader.read(path.encode(), _MOST_BYTES)
    except PathRefused as error:
        raise NotOurs(error.reason) from error
    except FileRefused as error:
        if error.reason == "missing":
            return None
        raise NotOurs(f"it is not read: {error.reason}") from error
    if b"\0" in data:  # UTF-16, as some shells write it: our lines would not be of the same encoding
        raise NotOurs("it is not UTF-8 text; save it as UTF-8")
    return data.decode("utf-8", "surrogateescape")


def replace(root: Path, path: str, text: str) -> None:
    """Make the file have this text, at once or not at all.

    Raises:
        NotOurs: the path leads out of the tree or through a link, or the system refuses the write.
    """
    try:
        target = inside(root, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        inside(root, path)  # what was missing before may be a link by now
        _write(target, text.encode("utf-8", "surrogateescape"))
    except PathRefused as error:
        raise NotOurs(error.reason) from error
    except OSError as error:
        raise NotOurs(f"it cannot be written: {error.strerror}") from error


def _write(target: Path, data: bytes) -> None:
    fresh = target.with_name(f".{target.name}.{token_hex(4)}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666), "wb") as file:
            if target.exists():
                os.fchmod(file.fileno(), target.stat().st_mode & 0o777)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
