"""Which file leans on which, and which files and symbols the rest of the repository leans on most."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from repowright_tools.index.languages import family_of
from repowright_tools.index.parse import ParsedFile

MAX_DEFINERS = 20
"""A name that more files define than this (`run`, `main`, `__init__`) says nothing about who uses whom."""

_DAMPING = 0.85
_ITERATIONS = 30


@dataclass(frozen=True)
class ReferenceGraph:
    """Files as nodes; who refers to whom, and by which name.

    Attributes:
        paths: all nodes, sorted.
        links: for each file, how strongly it refers to another one.
        uses: for a file that defines a name, who refers to it by that name, and how strongly.
    """

    paths: Sequence[str]
    links: Mapping[str, Mapping[str, float]]
    uses: Mapping[tuple[str, str], Mapping[str, float]]


def reference_graph(files: Mapping[str, tuple[str, ParsedFile]]) -> ReferenceGraph:
    """Link every file to the files that define the names it uses.

    Args:
        files: grammar and parse result by path. Names of one language family never link to another's.
    """
    definers: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for path, (grammar, parsed) in files.items():
        for symbol in parsed.symbols:
            if not symbol.local:
                definers[family_of(grammar), symbol.name].add(path)
    links: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    uses: defaultdict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for path in sorted(files):
        grammar, parsed = files[path]
        for name, lines in parsed.references.items():
            targets = definers.get((family_of(grammar), name))
            if targets is None or path in targets or len(targets) > MAX_DEFINERS:
                continue
            weight = _telling(name) * sqrt(len(lines)) / len(targets)
            for target in sorted(targets):
                links[path][target] += weight
                uses[target, name][path] = weight
    return ReferenceGraph(sorted(files), links, uses)


def _telling(name: str) -> float:
    """How sure it is that a use of the name means a definition of that name, as a weight.

    `get` or `text` is often a method of something else, or a variable; `Engine`, `send_request` or `requests` is not.
    """
    return 1.0 if len(name) >= 8 or "_" in name.strip("_") or name != name.lower() else 0.2


def pagerank(graph: ReferenceGraph, preferred: Mapping[str, float] | None = None) -> dict[str, float]:
    """Rank of every file, all together 1: how likely a reader who follows references is to be in it.

    PageRank (Brin and Page, 1998) with damping 0.85 and 30 iterations; a reader who stops, or reaches a file that
    refers to nothing, goes on at a file drawn by `preferred` (all alike when it is None or empty). Sums run in a
    fixed order, so that the same graph gives the same figures.
    """
    if not graph.paths:
        return {}
    weights = {path: (preferred or {}).get(path, 0.0) for path in graph.paths}
    total = sum(weights.values())
    start = {path: weights[path] / total if total else 1 / len(weights) for path in graph.paths}
    out = {path: sum(links.values()) for path, links in graph.links.items()}
    rank = start
    for _ in range(_ITERATIONS):
        loose = sum(value for path, value in rank.items() if path not in out)
        following = {path: (1 - _DAMPING + _DAMPING * loose) * share for path, share in start.items()}
        for path, links in graph.links.items():
            share = _DAMPING * rank[path] / out[path]
            for target, weight in links.items():
                following[target] += share * weight
        rank = following
    return rank


def symbol_ranks(graph: ReferenceGraph, rank: Mapping[str, float]) -> dict[tuple[str, str], float]:
    """How much of the rank that flows along references flows to each (path, name)."""
    out = {path: sum(links.values()) for path, links in graph.links.items()}
    flows: dict[tuple[str, str], float] = {}
    for place, users in graph.uses.items():
        flows[place] = sum(rank[user] * weight / out[user] for user, weight in users.items())
    return flows
