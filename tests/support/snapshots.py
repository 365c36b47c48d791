"""A folder as it is on disk, to show that nothing of it was touched."""

import os
from pathlib import Path

Entry = tuple[int, int, int, int, bytes | str]


def snapshot(folder: Path) -> dict[str, Entry]:
    """Mode, owner, size, time of change and content of everything below, the `.git` folder and its index included."""
    found: dict[str, Entry] = {}
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(parent, name)
            told = path.lstat()
            content: bytes | str = b""
            if path.is_symlink():
                content = str(path.readlink())
            elif path.is_file():
                content = path.read_bytes()
            size = 0 if path.is_dir() else told.st_size
            found[str(path.relative_to(folder))] = (told.st_mode, told.st_uid, size, told.st_mtime_ns, content)
    return found
