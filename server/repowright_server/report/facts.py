"""What the page and the terminal show beside the stage's result."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repowright_tools.index.overview import Overview
    from repowright_tools.index.overview.sizes import Sized


@dataclass(frozen=True, slots=True)
class Facts:
    """What a newcomer asks next.

    Attributes:
        overview: services, tests, runtimes, hot spots and more.
        folder_tokens: tokens of the text files directly in each folder, estimated; `.` is the root.
    """

    overview: "Overview"
    folder_tokens: Mapping[str, int]


def folder_tokens(files: "Iterable[Sized]") -> dict[str, int]:
    """Tokens by folder, from the sizes of the files in it."""
    from repowright_tools.index.overview.sizes import BYTES_OF_A_TOKEN

    sizes: Counter[str] = Counter()
    for file in files:
        sizes[file.path.rpartition("/")[0] or "."] += file.size
    return {folder: round(size / BYTES_OF_A_TOKEN) for folder, size in sizes.items()}
