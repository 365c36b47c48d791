"""Which files a diff changes, from git's NUL-separated listings: names need no unquoting there."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Change = Literal["modified", "added", "deleted", "renamed"]
_CHANGES: dict[str, Change] = {"A": "added", "D": "deleted", "R": "renamed"}


@dataclass(frozen=True)
class FileChange:
    """One changed file. `old_path` differs from `path` for a rename; a binary file has 0 additions and deletions."""

    path: str
    old_path: str
    change: Change
    additions: int
    deletions: int


def parse_changes(name_status: bytes, numstat: bytes) -> list[FileChange]:
    """Join the outputs of `git diff --name-status -z` and `git diff --numstat -z` for the same two commits."""
    counts = {path: (additions, deletions) for path, additions, deletions in _numstat(_fields(numstat))}
    found: list[FileChange] = []
    fields = _fields(name_status)
    for status in fields:
        old = next(fields)
        path = next(fields) if status[0] in "RC" else old
        additions, deletions = counts.get(path, (0, 0))
        found.append(FileChange(path, old, _CHANGES.get(status[0], "modified"), additions, deletions))
    return sorted(found, key=lambda change: change.path)


def _numstat(fields: Iterator[str]) -> Iterator[tuple[str, int, int]]:
    for field in fields:
        additions, deletions, path = field.split("\t", 2)
        if not path:  # a rename: old and new path follow
            next(fields)
            path = next(fields)
        yield path, int(additions) if additions.isdigit() else 0, int(deletions) if deletions.isdigit() else 0


def _fields(output: bytes) -> Iterator[str]:
    return (os.fsdecode(field) for field in output.split(b"\0") if field)
