"""How well the paths of files fit a request."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

from repowright_tools.index.paths import folder_of, stem_of
from repowright_tools.index.search.bm25 import K1, norms, rarity
from repowright_tools.index.search.words import terms


class _Text(NamedTuple):
    """A name that files have in common; `usual` is how many of those count when it is said what is usual."""

    files: list[int]
    usual: int
    norm: float


class _Names:
    """BM25 over names, each of which may be that of many files: `__init__`, or a folder."""

    def __init__(self, files_of: Mapping[str, list[int]], usual: Set[int]) -> None:
        self._postings: defaultdict[str, dict[int, int]] = defaultdict(dict)
        lengths: dict[int, int] = {}
        weights = [sum(file in usual for file in files) for files in files_of.values()]
        for number, name in enumerate(files_of):
            found = terms(name)
            lengths[number] = found.total()
            for term, count in found.items():
                self._postings[term][number] = count
        norm = norms(lengths, weights)
        self._texts = [_Text(files, weights[n], norm[n]) for n, files in enumerate(files_of.values())]
        self._usual = len(usual)

    def find(self, wanted: Mapping[str, float]) -> dict[int, float]:
        found: dict[int, float] = {}
        for term, weight in wanted.items():
            having = self._postings.get(term, {})
            worth = weight * rarity(self._usual, sum(self._texts[number].usual for number in having)) * (K1 + 1)
            for number, count in having.items():
                found[number] = found.get(number, 0.0) + worth * count / (count + self._texts[number].norm)
        return {file: score for number, score in found.items() for file in self._texts[number].files}


class PathNames:
    """The paths of one tree, files known by their place in `paths`. A file's own name and its folders are apart.

    Args:
        paths: of all files.
        usual: the files among which it is counted how rare a word is.
    """

    def __init__(self, paths: Sequence[str], usual: Set[int]) -> None:
        stems: defaultdict[str, list[int]] = defaultdict(list)
        folders: defaultdict[str, list[int]] = defaultdict(list)
        for file, path in enumerate(paths):
            stems[stem_of(path)].append(file)
            folders[folder_of(path)].append(file)
        self._stems, self._folders = _Names(stems, usual), _Names(folders, usual)

    def find(self, wanted: Mapping[str, float]) -> tuple[dict[int, float], dict[int, float]]:
        """BM25 of the file's own name, and of its folders."""
        return self._stems.find(wanted), self._folders.find(wanted)

    def find_stems(self, wanted: Mapping[str, float]) -> dict[int, float]:
        """BM25 of the file's own name alone."""
        return self._stems.find(wanted)
