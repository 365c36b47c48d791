"""Everything that speaks for a file, one figure for each kind of evidence."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from heapq import nlargest, nsmallest
from math import log

from repowright_tools.index.paths import folder_of
from repowright_tools.index.search.bm25 import at_most_one, best_of
from repowright_tools.index.search.focus import Focus
from repowright_tools.index.search.past import Past, PastHits
from repowright_tools.index.search.path_names import PathNames
from repowright_tools.index.search.texts import TextHits, Texts
from repowright_tools.index.search.words import terms

Scores = dict[int, float]
Neighbours = Callable[[str], Mapping[str, float]]

SEEDS = 30
"""Files that speak for others: the best by their own words and history."""

KIN = 8
"""Of the seeds, those whose paths other files may resemble."""

FIRST: Mapping[str, float] = {
    "words": 1.0, "place": 1.0, "name": 0.5, "defines": 0.3, "votes": 0.7, "most": 0.3,
}  # fmt: skip
"""Weights of the first round, which finds the seeds."""

OFTEN_FIRST = 0.15
"""What changing often adds there."""


NAMED_FIRST = 5.0
"""What being named by the request adds in the first round: more than the rest of it comes to."""


@dataclass(frozen=True)
class Tree:
    """The files of one tree, each known by its place in `paths`.

    Attributes:
        paths: sorted; `place_of` is the way back.
        document: the number of each file's document, if it has one; `files_of` is the way back.
        programs: the files that say what is usual; all, when none is program text.
        sizes: logarithms of the lengths of texts, the longest at 1.
    """

    paths: Sequence[str]
    place_of: Mapping[str, int]
    document: Sequence[int | None]
    files_of: Mapping[int, Sequence[int]]
    programs: Set[int]
    sizes: Scores
    texts: Texts

    @cached_property
    def names(self) -> PathNames:
        return PathNames(self.paths, self.programs)

    @cached_property
    def folders(self) -> Sequence[str]:
        return [folder_of(path) for path in self.paths]


@dataclass
class Evidence:
    """`figures` are by kind and file, the best file of each kind at 1; the rest is for explaining."""

    figures: dict[str, Scores]
    seeds: Scores
    text: TextHits
    past: PastHits | None
    through: dict[int, int] = field(default_factory=dict[int, int])


def gather(
    tree: Tree,
    focus: Focus,
    past: Past | None,
    neighbours: Neighbours | None = None,
    named: Collection[int] = (),
) -> Evidence:
    """Ask every source of evidence, then those that start from the best files so far, above all the `named` ones."""
    wanted = weighed(focus.terms, past)
    text = tree.texts.find(wanted)
    name, folders = tree.names.find(wanted)
    hits = past.find(wanted) if past else None
    found = {
        "words": _by_file(tree, text.words),
        "place": _by_file(tree, text.place),
        "defines": _by_file(tree, text.names),
        "name": name,
        "folders": folders,
    }
    if past and hits:
        found |= {"votes": hits.votes, "most": hits.most, "told": hits.told, "often": past.often, "lately": past.lately}
        found["echo"] = _by_file(tree, tree.texts.words(hits.echo))
    evidence = Evidence(_figures(tree, found), {}, text, hits)
    base = _first_round(evidence, named)
    evidence.seeds = _seeds(tree, base)
    found = {"folder": _folders(tree, base), "kin": tree.names.find_stems(_kin(tree, evidence.seeds))}
    if past:
        found["together"] = past.together(evidence.seeds)
    if neighbours:
        found["near"] = _near(tree, evidence, neighbours)
    evidence.figures |= _figures(tree, found)
    return evidence


def weighed(terms: Mapping[str, float], past: Past | None) -> dict[str, float]:
    """The weights of terms; words that commit messages are full of (fix, add, support) say little of where to look."""
    if past is None or len(past.commits) < 100:
        return dict(terms)
    most = log(1 + len(past.commits))
    return {term: weight * min(1.0, (past.rarity(term) / most) / 0.5) for term, weight in terms.items()}


def _figures(tree: Tree, found: Mapping[str, Scores]) -> dict[str, Scores]:
    return {kind: at_most_one(best_of(scores), tree.programs) for kind, scores in found.items()}


def _first_round(evidence: Evidence, named: Collection[int]) -> Scores:
    base = dict.fromkeys(named, NAMED_FIRST)
    for kind, weight in FIRST.items():
        for file, score in evidence.figures.get(kind, {}).items():
            base[file] = base.get(file, 0.0) + weight * score
    for file, score in evidence.figures.get("often", {}).items():
        if file in base:  # what changes often is likelier to be meant, but no answer by that alone
            base[file] += OFTEN_FIRST * score
    return base


def _seeds(tree: Tree, base: Scores) -> Scores:
    some = [file for file in base if file in tree.programs or base[file] >= NAMED_FIRST]
    best = nsmallest(SEEDS, some, key=lambda file: (-round(base[file], 9), file))
    return {file: (base[file] / base[best[0]]) ** 3 for file in best if base[best[0]] > 0}


def _kin(tree: Tree, seeds: Scores) -> dict[str, float]:
    """The words of the paths of the best files."""
    found: dict[str, float] = {}
    for file, weight in list(seeds.items())[:KIN]:
        for term in terms(tree.paths[file].rpartition(".")[0]):
            found[term] = max(found.get(term, 0.0), weight)
    return found


def _near(tree: Tree, evidence: Evidence, neighbours: Neighbours) -> Scores:
    """Files that refer to seeds or are referred to by them."""
    found: Scores = {}
    strongest: Scores = {}
    for file, weight in evidence.seeds.items():
        linked = neighbours(tree.paths[file])
        total = sum(linked.values())
        for path, strength in linked.items():
            other = tree.place_of.get(path)
            if other is None or other == file:
                continue
            share = weight * strength / total
            found[other] = found.get(other, 0.0) + share
            if share > strongest.get(other, 0.0):
                strongest[other], evidence.through[other] = share, file
    return found


def _folders(tree: Tree, base: Mapping[int, float]) -> Scores:
    """What the three best programs of a folder have together speaks for each file in it."""
    inside: defaultdict[str, list[float]] = defaultdict(list)
    for file, score in base.items():
        if file in tree.programs:
            inside[tree.folders[file]].append(score)
    sums = {folder: sum(nlargest(3, scores)) for folder, scores in inside.items()}
    return {file: sums[folder] for file, folder in enumerate(tree.folders) if folder in sums}


def _by_file(tree: Tree, scores: dict[int, float]) -> Scores:
    return {file: score for number, score in best_of(scores).items() for file in tree.files_of[number]}
