"""A reference graph after some files changed, without looking at the others; exactly what a new one would be."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from repowright_tools.index.graph import FileNames, ReferenceGraph, key_of, name_of, weights_of
from repowright_tools.index.rank import pagerank


def changed(graph: ReferenceGraph, files: Mapping[int, tuple[FileNames, FileNames]]) -> ReferenceGraph:
    """The graph after files (by node) went from the first of their names to the second."""
    redefined: dict[str, list[int]] = {}
    reused: dict[str, dict[int, int]] = {}
    shown = graph.shown[:]
    for node, (before, after) in files.items():
        shown[node] = len(after.defined)
        for key in _keys(before.family, before.defined) ^ _keys(after.family, after.defined):
            nodes = redefined.setdefault(key, list(graph.definers_of(key)))
            redefined[key] = sorted({*nodes} ^ {node})
        for key, count in _differing(before, after).items():
            users = reused.setdefault(key, dict(graph.uses_of(key)))
            users.pop(node, None)
            if count:
                users[node] = count
    moved: defaultdict[int, Counter[int]] = defaultdict(Counter)  # target: source: how much more
    for key in sorted({*redefined, *reused}):
        definers: Sequence[int] = graph.definers_of(key)
        uses: Mapping[int, int] = graph.uses_of(key)
        _move(moved, -1, key, definers, uses)
        _move(moved, 1, key, redefined.get(key, definers), reused.get(key, uses))
    after_all = replace(graph, shown=shown, redefined=redefined, reused=reused)
    if not any(any(row.values()) for row in moved.values()):
        return after_all
    starts, sources, weights = _respliced(graph, moved)
    out = graph.out[:]
    for row in moved.values():
        for source, weight in row.items():
            out[source] += weight
    linked = replace(after_all, starts=starts, sources=sources, weights=weights, out=out)
    return replace(linked, rank=array("d", pagerank(linked.links())))


def _move(
    moved: Mapping[int, Counter[int]], sign: int, key: str, definers: Sequence[int], uses: Mapping[int, int]
) -> None:
    links = weights_of(name_of(key), definers, uses, uses.values())
    for target in definers if links else ():
        for source, weight in links:
            moved[target][source] += sign * weight


def _keys(family: str, names: Sequence[str]) -> set[str]:
    return {key_of(family, name) for name in names}


def _differing(before: FileNames, after: FileNames) -> dict[str, int]:
    """How often names are used now, of those that are used more or less often than before."""
    old = {key_of(before.family, name): count for name, count in before.used.items()}
    new = {key_of(after.family, name): count for name, count in after.used.items()}
    return {key: new.get(key, 0) for key in {*old, *new} if old.get(key, 0) != new.get(key, 0)}


def _respliced(
    graph: ReferenceGraph, moved: Mapping[int, Mapping[int, int]]
) -> tuple["array[int]", "array[int]", "array[int]"]:
    starts, sources, weights = array("I"), array("I"), array("I")
    copied = 0  # up to which node, and with it which link, the columns are made
    for node in [*sorted(moved), len(graph.shown)]:
        begin, end = graph.starts[copied], graph.starts[node]
        shift = len(sources) - begin
        starts.extend([start + shift for start in graph.starts[copied:node]] if shift else graph.starts[copied:node])
        sources.extend(graph.sources[begin:end])
        weights.extend(graph.weights[begin:end])
        if node == len(graph.shown):
            break
        starts.append(len(sources))
        row = Counter(graph.row(node))
        row.update(moved[node])
        for source in sorted(source for source, weight in row.items() if weight):
            sources.append(source)
            weights.append(row[source])
        copied = node + 1
    starts.append(len(sources))
    return starts, sources, weights
