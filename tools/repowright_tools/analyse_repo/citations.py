"""Whether the lines that a model cites exist: at the commit that was analysed, inside the file, and not blank."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from repowright_tools.git.guard import GitFailed, run_git
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from repowright_tools.index.index import RepositoryIndex
    from repowright_tools.stage import BoundRepository

_MOST_FILES = 400
"""Files that are looked up for one answer; a citation of any further file does not resolve."""
_MOST_BYTES = 8 * 1024 * 1024


class Citations:
    """Looks cited lines up. Of a dirty tree, a line must be there both as it is now and at the commit."""

    def __init__(self, index: RepositoryIndex, repository: BoundRepository) -> None:
        self._index = index
        self._commit = repository.commit if repository.dirty else None
        self._raw = {file.path: file.raw for file in index.files} if self._commit else {}
        self._lines: dict[str, Sequence[Sequence[str]]] = {}

    async def look_up(self, paths: Iterable[str]) -> None:
        """Read the files that are going to be asked for."""
        for path in dict.fromkeys(paths):
            if path not in self._lines and len(self._lines) < _MOST_FILES:
                self._lines[path] = await self._read(path)

    def problem(self, path: str, line: int) -> str | None:
        """What is wrong with the citation, in words that help to mend it; None when it resolves."""
        texts = self._lines.get(path, ())
        if not texts:
            near = self._index.nearest_paths(path)
            meant = f"; did you mean {', '.join(near)}?" if near else ""
            return f"{path}:{line}: no such text file{meant}"
        for lines in texts:
            if not 1 <= line <= len(lines):
                return f"{path}:{line}: the file ends with line {len(lines)}"
            if not lines[line - 1].strip():
                return f"{path}:{line}: the line is blank"
        return None

    async def _read(self, path: str) -> Sequence[Sequence[str]]:
        """The file's lines in each tree that counts; nothing when it is missing in one of them."""
        now = await in_thread(self._index.text, path)
        if now is None:
            return ()
        if self._commit is None:
            return (lines_of(now),)
        name = os.fsdecode(self._raw[path])
        try:
            then = await run_git(Path(self._index.root), "show", f"{self._commit}:./{name}", max_output=_MOST_BYTES)
        except GitFailed:
            return ()
        return lines_of(now), lines_of(then.decode("utf-8", "replace"))


def lines_of(text: str) -> list[str]:
    """Lines as git and editors count them: a form feed or another separator of Unicode's does not end one."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines
