"""What the code that makes an index is known by: results of other code are not used again."""

import os
import sysconfig
from collections.abc import Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path

_HERE = os.path.dirname(__file__)  # noqa: PTH120 # pathlib takes three times as long, and every first call waits
_BESIDE = ("secrets.py", "git/names.py")
"""What decides of what is kept, too."""


@cache
def code_stamp() -> str:
    """32 hex digits; another release, an edited query, or another set of installed packages gives another one."""
    stamp = blake2b(digest_size=16)
    for file in sorted((*_code(), *(f"../{name}" for name in _BESIDE))):
        stat = os.stat(f"{_HERE}/{file}")  # noqa: PTH116 # as above
        stamp.update(f"{file} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    for folder in sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}):
        # A grammar that is installed, replaced or removed changes the folder it lies in: no need to look at each.
        stamp.update(f"{folder} {_changed_ns(folder)}\n".encode())
    return stamp.hexdigest()


def _code() -> Iterator[str]:
    """Our modules and queries, relative to this folder."""
    for folder, _, names in os.walk(_HERE):
        below = os.path.relpath(folder, _HERE)
        yield from (f"{below}/{name}" for name in names if name.endswith((".py", ".scm")))


def _changed_ns(folder: str) -> int:
    try:
        return Path(folder).stat().st_mtime_ns
    except FileNotFoundError:
        return 0
