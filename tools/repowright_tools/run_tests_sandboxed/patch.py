"""A caller's patch on a tree, in an index of our own: no file is written where a link could lead away."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import anyio

from repowright_tools.errors import PatchRejected
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from repowright_tools.git.tree import TreeFile

_GIT_BYTES = 256 * 1024 * 1024
_NOBODY = "Repowright <repowright@localhost>"
_WHEN = "1577836800 +0000"
_NEXT_FILE = re.compile(r"^([ +\\-].*\n|\n)(?=--- .*\n\+\+\+ .*\n@@ -)", re.MULTILINE)
"""The last line of a file's changes where the next file comes without a `diff` line, as `diff -u a b` leaves it."""
_IDENTITY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in {"NAME": "Repowright", "EMAIL": "repowright@localhost", "DATE": _WHEN}.items()
}


async def apply_patch(files: Sequence[TreeFile], patch: str, scratch: Path, *, max_bytes: int) -> list[TreeFile]:
    """The files with the patch applied, all of it.

    Args:
        files: the tree that the patch is against.
        patch: a unified diff. It may add, change, rename and delete files.
        scratch: folder in which a repository is made and removed again.
        max_bytes: of all contents together.

    Raises:
        PatchRejected: it is no diff, or does not apply.
        WorkspaceTooLarge: the result is larger than `max_bytes`.
    """
    from repowright_tools.git.guard import GitFailed, run_git
    from repowright_tools.git.tree import commit_files

    folder = scratch / f"patch-{uuid4().hex}"
    await in_thread(partial(folder.mkdir, parents=True, mode=0o700))
    try:
        await run_git(folder, "init", "-q", "--initial-branch=main")
        await run_git(folder, "fast-import", "--quiet", stdin=_stream(files))
        await run_git(folder, "read-tree", "refs/heads/main")
        text = patch if patch.endswith("\n") else f"{patch}\n"
        text = _NEXT_FILE.sub(r"\1diff -u\n", text)  # else --recount takes the next file's name for a removed line
        # --cached changes the index alone, and refuses the whole patch when a part does not apply
        apply = ("apply", "--cached", "--recount", "--whitespace=nowarn", "-")
        # A few bytes of a binary patch can stand for a file of any size, which git makes in memory
        memory = _GIT_BYTES + 2 * max_bytes
        await run_git(folder, *apply, stdin=text.encode("utf-8", errors="surrogateescape"), max_memory=memory)
        tree = (await run_git(folder, "write-tree")).decode().strip()
        commit = await run_git(folder, "commit-tree", "-m", "patched", tree, environment=_IDENTITY)
        return await commit_files(folder, commit.decode().strip(), max_bytes)
    except GitFailed as error:
        raise PatchRejected(f"the patch does not apply: {error.stderr}") from error
    finally:
        with anyio.CancelScope(shield=True):
            await in_thread(partial(shutil.rmtree, folder, ignore_errors=True))


def _stream(files: Sequence[TreeFile]) -> bytes:
    """The tree as one commit in the language of `git fast-import`."""
    parts = [f"commit refs/heads/main\ncommitter {_NOBODY} {_WHEN}\ndata 0\n".encode()]
    for file in files:
        parts.append(b"M %o inline %s\ndata %d\n" % (file.mode, _quoted(file.path), len(file.data)))
        parts += [file.data, b"\n"]
    return b"".join([*parts, b"\n"])


def _quoted(path: str) -> bytes:
    data = path.encode("utf-8", errors="surrogateescape")
    return b'"%s"' % b"".join(bytes([byte]) if _is_plain(byte) else b"\\%03o" % byte for byte in data)


def _is_plain(byte: int) -> bool:
    return 0x20 <= byte < 0x7F and byte not in b'"\\'
