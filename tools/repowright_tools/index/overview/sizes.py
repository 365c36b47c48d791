"""How large the parts of a repository are, in bytes and in tokens."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

BYTES_OF_A_TOKEN = 3.3
"""Mean over the text files of four projects (10 MB of Go, Python, TypeScript, documents and data), by
`tokens.estimate_tokens`: 3.2 to 3.5 by project, 2.7 (JSON, CSS) to 3.6 (Python) by language. Counting the tokens of a
whole tree would take longer than parsing it."""

_MOST_FOLDERS = 200


class Sized(Protocol):
    """A text file: where it is, and its bytes."""

    @property
    def path(self) -> str: ...

    @property
    def size(self) -> int: ...


@dataclass(frozen=True, slots=True)
class FolderSize:
    """A folder with all that is below it; `tokens` is bytes by `BYTES_OF_A_TOKEN`, within a fifth or so."""

    path: str
    files: int
    bytes: int
    tokens: int


def folder_sizes(files: Iterable[Sized], depth: int = 2) -> list[FolderSize]:
    """Folders down to `depth` with the text files below them, the largest first; `.` is the whole repository."""
    sizes: defaultdict[str, int] = defaultdict(int)
    counts: Counter[str] = Counter()
    for file in files:
        steps = file.path.split("/")[:-1]
        for folder in (".", *("/".join(steps[:length]) for length in range(1, min(depth, len(steps)) + 1))):
            sizes[folder] += file.size
            counts[folder] += 1
    largest = sorted(sizes, key=lambda folder: (-sizes[folder], folder))[:_MOST_FOLDERS]
    return [FolderSize(path, counts[path], sizes[path], round(sizes[path] / BYTES_OF_A_TOKEN)) for path in largest]
