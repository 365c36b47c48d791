"""Which file leans on which: references by name, resolved to the files of the same language family that define it."""

import json
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, chain, pairwise
from math import isqrt
from typing import NamedTuple, TypeVar

from repowright_tools.index.rank import Links, pagerank

T = TypeVar("T")

MAX_DEFINERS = 20
"""A name that more files define than this (`run`, `main`, `__init__`) says nothing about who uses whom."""

_UNIT = 1000  # the weight of one telling use; whole numbers, so that a sum does not depend on its order
_COLUMNS = (
    "define_starts",
    "definers",
    "refer_starts",
    "referrers",
    "uses",
    "starts",
    "sources",
    "weights",
    "out",
    "shown",
)


class FileNames(NamedTuple):
    """What a file defines for others, name by name, and how often it uses which name."""

    family: str
    defined: Sequence[str]
    used: Mapping[str, int]


@dataclass
class ReferenceGraph:
    """Files as nodes 0 to n-1, in the order of their paths.

    Attributes:
        keys: `family name` of every name that is defined, sorted.
        define_starts, definers: the files that define each of them.
        refer_starts, referrers, uses: the files that use it, and how often.
        starts, sources, weights, out: links, as rows by target (see `rank.Links`).
        shown: how many definitions each file has for others.
        rank: of each file, without preference.
        redefined, reused: what holds instead of the columns for names that changed since they were made (`change.py`).
    """

    keys: list[str]
    define_starts: "array[int]"
    definers: "array[int]"
    refer_starts: "array[int]"
    referrers: "array[int]"
    uses: "array[int]"
    starts: "array[int]"
    sources: "array[int]"
    weights: "array[int]"
    out: "array[int]"
    shown: "array[int]"
    rank: Sequence[float] = field(default_factory=lambda: array("d"))
    redefined: Mapping[str, Sequence[int]] = field(default_factory=dict[str, Sequence[int]])
    reused: Mapping[str, Mapping[int, int]] = field(default_factory=dict[str, Mapping[int, int]])

    def ranked(self, preferred: Sequence[float] | None = None) -> Sequence[float]:
        """The rank of every file, with a preference for some."""
        return self.rank if preferred is None else pagerank(self.links(), preferred)

    def links(self) -> Links:
        return Links(self.starts, self.sources, self.weights, self.out)

    def definers_of(self, key: str) -> Sequence[int]:
        """The files that define a name."""
        if key in self.redefined:
            return self.redefined[key]
        at = self._place(key)
        return () if at is None else self.definers[self.define_starts[at] : self.define_starts[at + 1]]

    def uses_of(self, key: str) -> Mapping[int, int]:
        """How often each file uses a name."""
        return dict(zip(*self._users(key), strict=True))

    def flow_to(self, key: str, share: Sequence[float]) -> float:
        """How much rank flows to each file that defines a name from those that use it.

        Args:
            key: the name.
            share: of each file, the rank that flows along one unit of weight.
        """
        links = weights_of(name_of(key), self.definers_of(key), *self._users(key))
        return sum([share[source] * weight for source, weight in links])

    def row(self, node: int) -> dict[int, int]:
        """Who links to a file, and how strongly."""
        row = slice(self.starts[node], self.starts[node + 1])
        return dict(zip(self.sources[row], self.weights[row], strict=True))

    def dumped(self) -> bytes:
        """As it is kept."""
        columns = [getattr(self, name).tobytes() for name in _COLUMNS] + [array("d", self.rank).tobytes()]
        names = "\n".join(self.keys).encode("utf-8", "surrogatepass")
        head = json.dumps([len(names), *map(len, columns)]).encode()
        return b"".join([head, b"\n", names, *columns])

    def _users(self, key: str) -> tuple[Sequence[int], Sequence[int]]:
        """The files that use a name, and how often each."""
        if key in self.reused:
            return tuple(self.reused[key]), tuple(self.reused[key].values())
        at = self._place(key)
        row = slice(0, 0) if at is None else slice(self.refer_starts[at], self.refer_starts[at + 1])
        return self.referrers[row], self.uses[row]

    def _place(self, key: str) -> int | None:
        at = bisect_left(self.keys, key)
        return at if at < len(self.keys) and self.keys[at] == key else None

    @staticmethod
    def loaded(data: bytes) -> "ReferenceGraph":
        """What was kept. Raises ValueError when it is something else."""
        begin = data.find(b"\n") + 1
        sizes: list[int] = json.loads(data[:begin])
        if len(sizes) != len(_COLUMNS) + 2 or sum(sizes) != len(data) - begin:
            raise ValueError("not a graph")
        ends = list(accumulate(sizes, initial=begin))
        pieces = [data[start:end] for start, end in pairwise(ends)]
        keys = pieces[0].decode("utf-8", "surrogatepass").split("\n") if pieces[0] else []
        graph = reference_graph(())
        graph.keys, graph.rank = keys, array("d", pieces[-1])
        for name, piece in zip(_COLUMNS, pieces[1:-1], strict=True):
            setattr(graph, name, array("I", piece))
        return graph


def weights_of(
    name: str, definers: Sequence[int], users: Iterable[int], counts: Iterable[int]
) -> list[tuple[int, int]]:
    """Each file whose uses of a name make links, and the weight of its link to every one of the definers.

    A file that defines the name itself means its own; a name defined in many places says less of each.
    """
    if not 0 < len(definers) <= MAX_DEFINERS:
        return []
    weights = map(_weights(_is_telling(name), len(definers)).__getitem__, counts)
    return [link for link in zip(users, weights, strict=True) if link[0] not in definers]


class _Weights(dict[int, int]):
    """The weight of a link by how often its file uses the name, found at first use."""

    def __init__(self, unit: int, definers: int) -> None:
        self._unit, self._parts = unit, 100 * definers

    def __missing__(self, count: int) -> int:
        self[count] = weight = self._unit * isqrt(count * 10_000) // self._parts or 1
        return weight


@cache  # few and small: all counts of a repository together are less than its size
def _weights(telling: bool, definers: int) -> _Weights:
    return _Weights(_UNIT if telling else _UNIT // 5, definers)


def _is_telling(name: str) -> bool:
    """Whether a use of the name surely means a definition of that name.

    `get` or `text` is often a method of something else, or a variable; `Engine`, `send_request` or `requests` is not.
    """
    return len(name) >= 8 or "_" in name.strip("_") or name != name.lower()


def reference_graph(files: Iterable[FileNames]) -> ReferenceGraph:
    """Link every file to the files that define the names it uses.

    Args:
        files: in the order of their paths. Names of one language family never link to another's.
    """
    definers_by_family: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    uses_by_family: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    shown = array("I")
    for node, names in enumerate(files):
        shown.append(len(names.defined))
        definers_of, uses_of = definers_by_family[names.family], uses_by_family[names.family]
        for name in dict.fromkeys(names.defined):
            definers_of[name].append(node)
        for name, count in names.used.items():
            row = uses_of[name]
            row += (node, count)
    definers, uses = _keyed(definers_by_family), _keyed(uses_by_family)
    keys = sorted({*definers, *uses})
    define_starts, all_definers = _packed([definers.get(key, ()) for key in keys])
    use_starts, pairs = _packed([uses.get(key, ()) for key in keys])
    rows = _rows(len(shown), definers, uses)
    starts, sources = _packed(rows)
    graph = ReferenceGraph(
        keys=keys,
        define_starts=define_starts,
        definers=all_definers,
        refer_starts=array("I", [start // 2 for start in use_starts]),
        referrers=pairs[::2],
        uses=pairs[1::2],
        starts=starts,
        sources=sources,
        weights=array("I", chain.from_iterable([row.values() for row in rows])),
        out=_summed(rows),
        shown=shown,
    )
    graph.rank = array("d", pagerank(graph.links()))
    return graph


def _rows(count: int, definers: Mapping[str, Sequence[int]], uses: Mapping[str, Sequence[int]]) -> list[dict[int, int]]:
    """For each file who links to it, ascending, and how strongly.

    Args:
        count: of files.
        definers: the files that define a name, by its key.
        uses: a file that uses it, how often, the next file, how often, and so on.
    """
    rows: list[defaultdict[int, int]] = [defaultdict(int) for _ in range(count)]
    for key, targets in definers.items():
        used = uses.get(key)
        links = weights_of(name_of(key), targets, used[::2], used[1::2]) if used else ()
        for target in targets if links else ():
            row = rows[target]
            for source, weight in links:
                row[source] += weight
    return [dict(sorted(row.items())) for row in rows]


def _keyed(by_family: Mapping[str, Mapping[str, T]]) -> dict[str, T]:
    return {key_of(family, name): value for family, names in by_family.items() for name, value in names.items()}


def key_of(family: str, name: str) -> str:
    return f"{family} {name}".replace("\n", " ")


def name_of(key: str) -> str:
    return key.partition(" ")[2]


def _summed(rows: Sequence[Mapping[int, int]]) -> "array[int]":
    out = [0] * len(rows)
    for row in rows:
        for source, weight in row.items():
            out[source] += weight
    return array("I", out)


def _packed(rows: Sequence[Collection[int]]) -> tuple["array[int]", "array[int]"]:
    """Rows one after another, and where each begins."""
    return array("I", accumulate(map(len, rows), initial=0)), array("I", chain.from_iterable(rows))
