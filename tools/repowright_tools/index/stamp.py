"""What the code that makes an index is known by: results of other code are not used again."""

import os
import sysconfig
from functools import cache
from hashlib import blake2b
from pathlib import Path

_BESIDE = ("secrets.py", "git/names.py")
"""What decides of what is kept, too."""


@cache
def code_stamp() -> str:
    """32 hex digits; another release, an edited query, or another set of installed packages gives another one."""
    here = Path(__file__).parent
    stamp = blake2b(digest_size=16)
    for file in sorted((*here.rglob("*.py"), *here.rglob("*.scm"), *(here.parent / name for name in _BESIDE))):
        stat = file.stat()
        stamp.update(f"{os.path.relpath(file, here)} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    for folder in sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}):
        # A grammar that is installed, replaced or removed changes the folder it lies in: no need to look at each.
        stamp.update(f"{folder} {_changed_ns(folder)}\n".encode())
    return stamp.hexdigest()


def _changed_ns(folder: str) -> int:
    try:
        return Path(folder).stat().st_mtime_ns
    except FileNotFoundError:
        return 0
