"""The view of a repository that the readers of manifests need."""

import re
from collections.abc import Sequence
from typing import Protocol


class Tree(Protocol):
    """Files by path. `paths` are the text files, sorted; `has_path` knows of every file."""

    @property
    def paths(self) -> Sequence[str]: ...

    def has_path(self, path: str) -> bool: ...

    def text(self, path: str) -> str | None: ...


def line_of(text: str, pattern: str, start: int = 0) -> int | None:
    """The number of the first line in which the pattern matches, from 1; `^` and `$` are a line's ends."""
    match = re.compile(pattern, re.MULTILINE).search(text, start)
    return None if match is None else text.count("\n", 0, match.start()) + 1
