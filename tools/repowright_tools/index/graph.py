"""Which file leans on which: references by name, resolved to the files of the same language family that define it."""

import json
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, chain, pairwise
from math import isqrt
from operator import mul
from typing import NamedTuple, TypeAlias

from repowright_tools.index.keys import Keys
from repowright_tools.index.rank import Links, pagerank

MAX_DEFINERS = 20
"""A name that more files define than this (`run`, `main`, `__init__`) says nothing about who uses whom."""

_UNIT = 1000  # the weight of one telling use; whole numbers, so that a sum does not depend on its order
_COLUMNS = (
    "define_starts",
    "definers",
    "use_starts",
    "uses",
    "starts",
    "sources",
    "weights",
    "out",
    "shown",
)


Column: TypeAlias = "array[int] | memoryview[int]"
"""Of unsigned integers, 4 bytes each."""


class FileNames(NamedTuple):
    """What a file defines for others, name by name, and how often it uses which name."""

    family: str
    defined: Sequence[str]
    used: Mapping[str, int]


@dataclass
class ReferenceGraph:
    """Files as nodes 0 to n-1, in the order of their paths.

    Attributes:
        keys: `family name` of every name that is defined, and `unmet` of every other that is used.
        define_starts, definers: the files that define each of them.
        use_starts, uses: a file that uses it, how often, the next file, how often, and so on.
        starts, sources, weights, out: links, as rows by target (see `rank.Links`).
        shown: how many definitions each file has for others.
        rank: of each file, without preference.
        redefined, reused: what holds instead of the columns for names that changed since they were made (`change.py`).
    """

    keys: Keys
    unmet: Keys
    define_starts: "Column"
    definers: "Column"
    use_starts: "Column"
    uses: "Column"
    starts: "Column"
    sources: "Column"
    weights: "Column"
    out: "Column"
    shown: "Column"
    rank: Sequence[float] = field(default_factory=lambda: array("d"))
    redefined: Mapping[str, Sequence[int]] = field(default_factory=dict[str, Sequence[int]])
    reused: Mapping[str, Mapping[int, int]] = field(default_factory=dict[str, Mapping[int, int]])

    def ranked(self, preferred: Sequence[float] | None = None) -> Sequence[float]:
        """The rank of every file, with a preference for some."""
        return self.rank if preferred is None else pagerank(self.links(), preferred)

    def links(self) -> Links:
        columns = (self.starts, self.sources, self.weights, self.out)
        return Links(*(array("I", column.tobytes()) for column in columns))

    def definers_of(self, key: str) -> Sequence[int]:
        """The files that define a name."""
        if key in self.redefined:
            return self.redefined[key]
        return self._definers(key, self.keys.place(key))

    def uses_of(self, key: str) -> Mapping[int, int]:
        """How often each file uses a name."""
        return dict(zip(*self._users(key, self.keys.place(key)), strict=True))

    def flow_to(self, key: str, share: Sequence[float]) -> float:
        """How much rank flows to each file that defines a name from those that use it.

        Args:
            key: the name.
            share: of each file, the rank that flows along one unit of weight.
        """
        at = self.keys.place(key)
        links = weights_of(name_of(key), self._definers(key, at), *self._users(key, at))
        flows: Iterable[float] = map(mul, map(share.__getitem__, links), links.values())
        return sum(flows)

    def row(self, node: int) -> dict[int, int]:
        """Who links to a file, and how strongly."""
        row = slice(self.starts[node], self.starts[node + 1])
        return dict(zip(self.sources[row], self.weights[row], strict=True))

    def dumped(self) -> bytes:
        """As it is kept."""
        pieces = [self.keys.dumped(), self.unmet.dumped(), *(getattr(self, name).tobytes() for name in _COLUMNS)]
        pieces.append(array("d", self.rank).tobytes())
        return b"".join([json.dumps([*map(len, pieces)]).encode(), b"\n", *pieces])

    def _definers(self, key: str, at: int | None) -> Sequence[int]:
        if key in self.redefined:
            return self.redefined[key]
        return () if at is None else self.definers[self.define_starts[at] : self.define_starts[at + 1]]

    def _users(self, key: str, at: int | None) -> tuple[Sequence[int], Sequence[int]]:
        """The files that use a name, and how often each."""
        if key in self.reused:
            return tuple(self.reused[key]), tuple(self.reused[key].values())
        if at is None:
            return (), ()
        row = self.uses[self.use_starts[at] : self.use_starts[at + 1]]
        return row[::2], row[1::2]

    @staticmethod
    def loaded(data: bytes) -> "ReferenceGraph":
        """What was kept, of which little is looked at before it is asked for. Raises ValueError when it is something
        else.
        """
        begin = data.find(b"\n") + 1
        sizes: list[int] = json.loads(data[:begin])
        if len(sizes) != len(_COLUMNS) + 3 or sum(sizes) != len(data) - begin:
            raise ValueError("not a graph")
        ends = list(accumulate(sizes, initial=begin))
        keys, unmet, *columns, rank = [memoryview(data)[start:end] for start, end in pairwise(ends)]
        graph = reference_graph(())
        graph.keys, graph.unmet = Keys.loaded(bytes(keys)), Keys.loaded(bytes(unmet))
        try:
            graph.rank = rank.cast("d")
            for name, column in zip(_COLUMNS, columns, strict=True):
                setattr(graph, name, column.cast("I"))
        except TypeError as error:  # a size that is none of whole numbers
            raise ValueError("not a graph") from error
        return graph


def weights_of(name: str, definers: Sequence[int], users: Iterable[int], counts: Iterable[int]) -> dict[int, int]:
    """Each file whose uses of a name make links, and the weight of its link to every one of the definers.

    A file that defines the name itself means its own; a name defined in many places says less of each.
    """
    if not 0 < len(definers) <= MAX_DEFINERS:
        return {}
    weights = _weights(_is_telling(name), len(definers))
    links = dict(zip(users, map(weights.__getitem__, counts), strict=True))
    for definer in definers:
        links.pop(definer, None)
    return links


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


def reference_graph(files: Sequence[FileNames]) -> ReferenceGraph:
    """Link every file to the files that define the names it uses.

    Args:
        files: in the order of their paths. Names of one language family never link to another's.
    """
    keys: list[str] = []
    unmet: list[str] = []
    definers: list[list[int]] = []
    uses: list[list[int]] = []
    rows: list[defaultdict[int, int]] = [defaultdict(int) for _ in files]
    for family, known in sorted(_gathered(files).items(), key=lambda item: key_of(item[0], "")):
        _link(rows, known)
        names = sorted(known.definers)
        keys += [key_of(family, name) for name in names]
        unmet += [key_of(family, name) for name in sorted(known.unmet)]
        definers += map(known.definers.__getitem__, names)
        uses += map(known.uses.__getitem__, names)
    define_starts, all_definers = _packed(definers)
    use_starts, all_uses = _packed(uses)
    orders = [sorted(row) for row in rows]
    starts, sources = _packed(orders)
    weights = array("I")
    for row, order in zip(rows, orders, strict=True):
        weights.extend(map(row.__getitem__, order))
    graph = ReferenceGraph(
        keys=Keys.of(keys),
        unmet=Keys.of(unmet),
        define_starts=define_starts,
        definers=all_definers,
        use_starts=use_starts,
        uses=all_uses,
        starts=starts,
        sources=sources,
        weights=weights,
        out=_summed(len(files), sources, weights),
        shown=array("I", [len(names.defined) for names in files]),
    )
    graph.rank = array("d", pagerank(graph.links()))
    return graph


@dataclass
class _Family:
    """The names of a language family.

    Attributes:
        definers: the files that define a name.
        uses: of each name that is defined, a file that uses it, how often, the next file, how often, and so on.
        unmet: the other names that are used, which are most of them: those of libraries.
    """

    definers: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict[str, list[int]](list))
    uses: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    unmet: set[str] = field(default_factory=set[str])


def _gathered(files: Sequence[FileNames]) -> dict[str, _Family]:
    families = {family: _Family() for family in {names.family for names in files}}
    for node, names in enumerate(files):
        definers = families[names.family].definers
        for name in dict.fromkeys(names.defined):
            definers[name].append(node)
    for family in families.values():
        family.uses = {name: [] for name in family.definers}
    for node, names in enumerate(files):
        uses, unmet = families[names.family].uses, families[names.family].unmet
        for name, count in names.used.items():
            if name in uses:
                row = uses[name]
                row += (node, count)
            else:
                unmet.add(name)
    return families


def _link(rows: Sequence[defaultdict[int, int]], known: _Family) -> None:
    """Add to the row of each file who links to it, and how strongly."""
    for name, targets in known.definers.items():
        used = known.uses[name]
        users = used[::2]
        if users and users != targets and len(targets) <= MAX_DEFINERS:  # many names are used where they are defined
            links = weights_of(name, targets, users, used[1::2]).items()
            for target in targets:
                row = rows[target]
                for source, weight in links:
                    row[source] += weight


def key_of(family: str, name: str) -> str:
    return f"{family} {name}"


def name_of(key: str) -> str:
    return key.partition(" ")[2]


def _summed(count: int, sources: Iterable[int], weights: Iterable[int]) -> "array[int]":
    out = [0] * count
    for source, weight in zip(sources, weights, strict=True):
        out[source] += weight
    return array("I", out)


def _packed(rows: Sequence[Collection[int]]) -> tuple["array[int]", "array[int]"]:
    """Rows one after another, and where each begins."""
    return array("I", accumulate(map(len, rows), initial=0)), array("I", chain.from_iterable(rows))
