"""Files into a box and out of it, as tar archives made from bytes: no path of the host is ever followed."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from repowright_tools.errors import SandboxBroken, WorkspaceTooLarge

if TYPE_CHECKING:
    from repowright_tools.git.tree import TreeFile

USER = 65534
"""User and group of everything in a box: nobody."""

_MODIFIED = 1577836800  # 2020-01-01; zip files, and so wheels, cannot hold the time 0
_EXECUTABLE = 0o100755


def pack(folder: str, files: Sequence[TreeFile], *, max_bytes: int, beside: Sequence[str] = ()) -> io.BytesIO:
    """A tar archive with the files below `folder` and the empty folders `beside` it (relative), owned by `USER`.

    Raises:
        WorkspaceTooLarge: the files hold more than `max_bytes`.
        SandboxBroken: a path leaves the folder.
    """
    size = sum(len(file.data) for file in files)
    if size > max_bytes:
        raise WorkspaceTooLarge(f"the files hold {size} bytes, the sandbox takes {max_bytes}")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        known = set[PurePosixPath]()
        for empty in (folder, *beside):
            _add_folders(archive, PurePosixPath(empty), known)
        for file in files:
            path = _inside(folder, file.path)
            _add_folders(archive, path.parent, known)
            archive.addfile(*_entry(path, file))
    buffer.seek(0)
    return buffer


def _inside(folder: str, name: str) -> PurePosixPath:
    parts = name.split("/")
    if not name or name.startswith("/") or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise SandboxBroken(f"refused to copy a file named {name!r} into the sandbox")
    return PurePosixPath(folder, name)


def _add_folders(archive: tarfile.TarFile, folder: PurePosixPath, known: set[PurePosixPath]) -> None:
    for path in (*reversed(folder.parents), folder):
        if path.name and path not in known:
            known.add(path)
            entry = _owned(tarfile.TarInfo(str(path)), 0o755)
            entry.type = tarfile.DIRTYPE
            archive.addfile(entry)


def _entry(path: PurePosixPath, file: TreeFile) -> tuple[tarfile.TarInfo, io.BytesIO | None]:
    entry = _owned(tarfile.TarInfo(str(path)), 0o755 if file.mode == _EXECUTABLE else 0o644)
    if file.is_link:
        entry.type = tarfile.SYMTYPE
        entry.linkname = file.data.decode("utf-8", errors="surrogateescape")
        return entry, None
    entry.size = len(file.data)
    return entry, io.BytesIO(file.data)


def _owned(entry: tarfile.TarInfo, mode: int) -> tarfile.TarInfo:
    entry.uid = entry.gid = USER
    entry.mode = mode
    entry.mtime = _MODIFIED
    return entry


def unpack_file(chunks: Iterable[bytes], *, max_bytes: int) -> bytes | None:
    """The content of the one regular file in an archive that comes from a box; None for anything else.

    The archive is hostile: links, devices, several entries and more than `max_bytes` are refused.
    """
    held = bytearray()
    for chunk in chunks:
        held += chunk
        if len(held) > max_bytes + 64 * 1024:  # headers and padding
            return None
    try:
        with tarfile.open(fileobj=io.BytesIO(held), mode="r:") as archive:
            entries = archive.getmembers()
            if len(entries) != 1 or entries[0].type != tarfile.REGTYPE or entries[0].size > max_bytes:
                return None
            content = archive.extractfile(entries[0])
            return None if content is None else content.read(max_bytes)
    except (tarfile.TarError, ValueError, OverflowError):
        return None
