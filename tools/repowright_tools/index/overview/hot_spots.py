"""Where work goes on: files that change often, and lately, and are large."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repowright_tools.index.history import Commit

HALF_LIFE_S = 180 * 86_400
"""A commit counts half as much as one this much younger, in seconds."""
MOST_PATHS = 50
"""A commit of more files is a sweep (a rename, a formatter) that says nothing about any one of them."""

_MOST = 20


@dataclass(frozen=True, slots=True)
class HotSpot:
    """A file and how hot it is.

    Attributes:
        commits: how many touched it, sweeps left out.
        lines: its length today.
        score: its recent commits (each weighed by its age) times its length, 1 for the hottest.
        last: when it was last touched, in Unix seconds.
    """

    path: str
    commits: int
    lines: int
    score: float
    last: int


def hot_spots(commits: Sequence[Commit], lines: Mapping[str, int]) -> list[HotSpot]:
    """The hottest files first, at most twenty.

    Change frequency times size is Adam Tornhill's measure ("Your Code as a Crime Scene", 2015); the weight by age is
    exponential. Ages are counted from the newest commit, so that the same history gives the same answer on any day.

    Args:
        commits: the history, in any order.
        lines: the files that may be hot and how long they are: source files that exist.
    """
    newest = max((commit.time for commit in commits), default=0)
    weights: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, int] = defaultdict(int)
    last: dict[str, int] = {}
    for commit in commits:
        if len(commit.paths) > MOST_PATHS:
            continue
        weight = 0.5 ** ((newest - commit.time) / HALF_LIFE_S)
        for path in commit.paths:
            if path in lines:
                weights[path] += weight
                counts[path] += 1
                last[path] = max(last.get(path, commit.time), commit.time)
    scores = {path: weight * lines[path] for path, weight in weights.items()}
    highest = max(scores.values(), default=0.0) or 1.0
    best = sorted(scores, key=lambda path: (-scores[path], path))[:_MOST]
    return [HotSpot(path, counts[path], lines[path], round(scores[path] / highest, 4), last[path]) for path in best]
