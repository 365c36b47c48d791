"""A reference graph after some files changed, without looking at the others; exactly what a new one would be."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from repowright_tools.index.graph import FileNames, ReferenceGraph, key_of, name_of, weights_of
from repowright_tools.index.rank import Links, pagerank


def changed(graph: ReferenceGraph, files: Mapping[int, tuple[FileNames, FileNames]]) -> ReferenceGraph | None:
    """The graph after files (by node) went from the first of their names to the second.

    None when a name is defined now that was used before anything defined it: nobody wrote down by whom.
    """
    redefined: dict[str, list[int]] = {}
    reused: dict[str, dict[int, int]] = {}
    shown = array("I", graph.shown.tobytes())
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
    # In the order of a new graph: a sum of floats depends on it.
    reused = {key: dict(sorted(users.items())) for key, users in reused.items()}
    if any(nodes and graph.unmet.place(key) is not None for key, nodes in redefined.items()):
        return None
    moved: defaultdict[int, Counter[int]] = defaultdict(Counter)  # target: source: how much more
    for key in sorted({*redefined, *reused}):
        definers: Sequence[int] = graph.definers_of(key)
        uses: Mapping[int, int] = graph.uses_of(key)
        _move(moved, -1, key, definers, uses)
        _move(moved, 1, key, redefined.get(key, definers), reused.get(key, uses))
    after_all = replace(graph, shown=shown, redefined=redefined, reused=reused)
    if not any(any(row.values()) for row in moved.values()):
        return after_all
    links = _respliced(graph.links(), moved)
    linked = replace(after_all, starts=links.starts, sources=links.sources, weights=links.weights, out=links.out)
    return replace(linked, rank=array("d", pagerank(links)))


def _move(
    moved: Mapping[int, Counter[int]], sign: int, key: str, definers: Sequence[int], uses: Mapping[int, int]
) -> None:
    links = weights_of(name_of(key), definers, uses, uses.values()).items()
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


def _respliced(links: Links, moved: Mapping[int, Mapping[int, int]]) -> Links:
    starts, sources, weights, out = array("I"), array("I"), array("I"), links.out[:]
    copied = 0  # up to which node, and with it which link, the columns are made
    for node in [*sorted(moved), len(out)]:
        begin, end = links.starts[copied], links.starts[node]
        shift = len(sources) - begin
        starts.extend([start + shift for start in links.starts[copied:node]] if shift else links.starts[copied:node])
        sources.extend(links.sources[begin:end])
        weights.extend(links.weights[begin:end])
        if node == len(out):
            break
        starts.append(len(sources))
        until = links.starts[node + 1]
        row = Counter(dict(zip(links.sources[end:until], links.weights[end:until], strict=True)))
        for source, weight in moved[node].items():
            row[source] += weight
            out[source] += weight
        for source in sorted(source for source, weight in row.items() if weight):
            sources.append(source)
            weights.append(row[source])
        copied = node + 1
    starts.append(len(sources))
    return Links(starts, sources, weights, out)
