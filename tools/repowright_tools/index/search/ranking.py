"""How the kinds of evidence weigh against each other."""

from collections.abc import Collection, Mapping
from heapq import nlargest
from math import log
from typing import NamedTuple

from repowright_tools.index.search.evidence import Evidence, Scores, Tree
from repowright_tools.index.search.focus import Focus


class Weight(NamedTuple):
    """What a kind of evidence weighs, by the figure itself and by the file's place; each for a request of six words,
    and how much more for each step of a longer one (see `_length`).
    """

    figure: float
    figure_longer: float
    place: float
    place_longer: float


WEIGHTS: Mapping[str, Weight] = {
    "words": Weight(1.87, 0.27, 0.37, 0.46),
    "place": Weight(1.06, 0.71, 0.04, 0.13),
    "defines": Weight(0.47, 0.18, 0.03, 0.11),
    "name": Weight(0.70, -0.14, 0.14, -0.03),
    "folders": Weight(0.70, 0.31, 0.46, -0.01),
    "votes": Weight(0.48, -0.39, -0.03, -0.01),
    "most": Weight(0.18, -0.03, -0.21, 0.25),
    "told": Weight(0.15, 0.25, 0.73, 0.03),
    "lately": Weight(0.61, -0.07, 0.0, 0.0),
    "together": Weight(0.52, -0.24, -0.65, 0.04),
    "near": Weight(0.38, -0.25, 0.61, -0.01),
    "folder": Weight(0.18, 0.40, 0.48, -0.34),
    "size": Weight(0.67, -1.0, 0.0, 0.0),
    "echo": Weight(0.47, -0.24, 0.39, -0.11),
    "kin": Weight(0.10, -0.17, 0.40, 0.11),
}
"""Fitted, not chosen: the linear ranker under which the answers of 895 commits of six projects (scrapy, celery,
django-cms, vitest, prometheus, packer; 150 each at most) are likeliest (softmax over the files of a case, as in ListNet
of Cao et al., 2007, with an L2 penalty of 0.003), each commit a case as in `benchmarks/retrieval.py` in its three
forms. None of the projects that the benchmark reports on had a part in it. With one project left out in turn and then
asked, recall@10 was 0.757 for whole messages and 0.584 for plain requests.
"""

RANK_OFFSET = 20
"""A file at place r of its kind of evidence, counted from 0, has RANK_OFFSET / (RANK_OFFSET + r)."""

LONGEST = 200
"""Words; a longer request is as this long."""

RANKED = 200
"""Places that count."""

NAMED = 50.0
"""More than all other evidence together: a file that the request names comes first."""

ASKED = ("words", "name", "defines", "folders", "votes", "told")
"""Evidence from the request's words. A file without any of it, and without a link to one that has it, is no answer."""


def totals(tree: Tree, focus: Focus, evidence: Evidence, named: Collection[int]) -> Scores:
    """The sum for every file that something of the request speaks for.

    Files that are not among the best by any kind of evidence are left out: none of them could be an answer.
    """
    length = _length(focus)
    kinds = {kind: figures for kind, figures in evidence.figures.items() if kind in WEIGHTS}
    places = {kind: ranks(tree, figures) for kind, figures in kinds.items()}
    found: Scores = dict.fromkeys(named, NAMED)
    for kind in (*ASKED, "near"):
        for file in places.get(kind, ()):
            found.setdefault(file, 0.0)
    for kind, figures in (*kinds.items(), ("size", tree.sizes)):
        weight, ranked = WEIGHTS[kind], places.get(kind, {})
        by_figure = weight.figure + length * weight.figure_longer
        by_place = weight.place + length * weight.place_longer
        for file in found:
            found[file] += by_figure * figures.get(file, 0.0) + by_place * ranked.get(file, 0.0)
    return found


def _length(focus: Focus) -> float:
    """How long the request is: 0 for some six words, 1 for twenty, -1 for two."""
    return log(1 + min(len(focus.text.split()), LONGEST)) - 2


def ranks(tree: Tree, figures: Mapping[int, float]) -> Scores:
    """What the best files of a kind have by their place among program files; another gets the place it would have."""
    least = nlargest(RANKED, figures.values())[-1:]
    best = sorted((-figure, file) for file, figure in figures.items() if least and figure >= least[0])
    found: Scores = {}
    place = 0
    for _, file in best[:RANKED]:
        found[file] = RANK_OFFSET / (RANK_OFFSET + place)
        place += file in tree.programs
    return found
