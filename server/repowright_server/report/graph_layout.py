"""Where the nodes and lines of a directed graph go: in rows, what imports above what is imported.

The steps of Sugiyama, Tagawa and Toda (1981): rows by longest path, points for lines to pass the rows in between,
an order inside the rows by barycentres, and positions that pull neighbours together.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Edge = tuple[int, int]
Point = tuple[float, float]

NODE_WIDTH = 172.0
NODE_HEIGHT = 42.0
GAP = 18.0
ROW_GAP = 52.0
MOST_IN_A_ROW = 5
_LINE_GAP = 9.0  # between lines that pass a row, and to the boxes of it
_SWEEPS = 12


@dataclass(frozen=True, slots=True)
class Layout:
    """A drawn graph, in the units of the picture.

    Attributes:
        nodes: the upper left corner of each node.
        lines: by edge, the points that its line goes through, from the importing node's lower side to the upper side
            of the imported one.
        width, height: of the whole.
    """

    nodes: Sequence[Point]
    lines: Mapping[Edge, Sequence[Point]]
    width: float
    height: float


def lay_out(count: int, edges: Sequence[Edge]) -> Layout:
    """Place `count` nodes.

    Args:
        count: the nodes are 0 to count - 1.
        edges: from importer to imported, without cycles (`acyclic`).
    """
    rows = _rows(count, edges)
    places, chains = _with_passing_lines(rows, edges)
    _order(places, chains)
    x = _positions(places, chains, count)
    shift = min((x[place] - _width(place, count) / 2 for row in places for place in row), default=0.0)
    for place in x:
        x[place] -= shift
    row_of = {place: number for number, row in enumerate(places) for place in row}
    corners = [(x[node] - NODE_WIDTH / 2, row_of[node] * (NODE_HEIGHT + ROW_GAP)) for node in range(count)]
    lines = {edge: _line(chain, x, row_of, count) for edge, chain in chains.items()}
    width = max((x[place] + _width(place, count) / 2 for row in places for place in row), default=0.0)
    height = len(places) * (NODE_HEIGHT + ROW_GAP) - ROW_GAP if places else 0.0
    return Layout(corners, lines, width, height)


def acyclic(edges: Sequence[Edge], rank: Sequence[float]) -> tuple[list[Edge], list[Edge]]:
    """Edges that make no cycle, and those that go back: inside of a cycle, from a lower rank to a higher one."""
    component = _components(edges)
    forward: list[Edge] = []
    back: list[Edge] = []
    for source, target in edges:
        goes_back = component[source] == component[target] and (rank[source], source) <= (rank[target], target)
        (back if goes_back else forward).append((source, target))
    return forward, back


def reduced(edges: Sequence[Edge]) -> tuple[list[Edge], list[Edge]]:
    """Edges of an acyclic graph that no longer way replaces, and those that one does (the transitive reduction)."""
    following: defaultdict[int, set[int]] = defaultdict(set)
    for source, target in edges:
        following[source].add(target)
    reached: dict[int, set[int]] = {}
    for node in _from_the_last(edges):
        reached[node] = set[int]().union(*({each} | reached.get(each, set()) for each in following[node]))
    kept: list[Edge] = []
    implied: list[Edge] = []
    for source, target in edges:
        detour = any(target in reached.get(each, ()) for each in following[source] if each != target)
        (implied if detour else kept).append((source, target))
    return kept, implied


# --- rows ---------------------------------------------------------------------------------------------------------


def _rows(count: int, edges: Sequence[Edge]) -> list[list[int]]:
    """The nodes in rows, top row first: each stands one above the highest of what it imports; wide rows are split."""
    following: defaultdict[int, list[int]] = defaultdict(list)
    for source, target in edges:
        following[source].append(target)
    level: dict[int, int] = {}
    for node in _from_the_last(edges):
        level[node] = 1 + max((level[each] for each in following[node]), default=-1)
    by_level: defaultdict[int, list[int]] = defaultdict(list)
    for node in range(count):
        by_level[level.get(node, 0)].append(node)
    rows: list[list[int]] = []
    for number in sorted(by_level, reverse=True):
        row = by_level[number]
        parts = -(-len(row) // MOST_IN_A_ROW)
        rows += [row[part::parts] for part in range(parts)]
    return rows


def _from_the_last(edges: Sequence[Edge]) -> list[int]:
    """The nodes of an acyclic graph, each after all that it leads to (Kahn, 1962, from the sinks)."""
    leading: defaultdict[int, list[int]] = defaultdict(list)
    left: defaultdict[int, int] = defaultdict(int)
    for source, target in edges:
        leading[target].append(source)
        left[source] += 1
        left[target] += 0
    ready = sorted(node for node, count in left.items() if count == 0)
    for node in ready:  # grows while it is walked
        for source in leading[node]:
            left[source] -= 1
            if left[source] == 0:
                ready.append(source)
    return ready


def _components(edges: Sequence[Edge]) -> dict[int, int]:
    from repowright_tools.index.modules import components

    following: defaultdict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        following[str(source)].append(str(target))
        following[str(target)] += []
    found = components(following)
    return {int(node): number for number, group in enumerate(found) for node in group}


# --- order and positions ------------------------------------------------------------------------------------------


def _with_passing_lines(
    rows: Sequence[Sequence[int]], edges: Sequence[Edge]
) -> tuple[list[list[int]], dict[Edge, list[int]]]:
    """The rows with a place for each line in each row that it passes, and the places along each line."""
    places = [list(row) for row in rows]
    row_of = {node: number for number, row in enumerate(rows) for node in row}
    chains: dict[Edge, list[int]] = {}
    free = sum(len(row) for row in rows)
    for edge in edges:
        source, target = edge
        between = range(row_of[source] + 1, row_of[target])
        chain = [source]
        for row in between:
            places[row].append(free)
            chain.append(free)
            free += 1
        chains[edge] = [*chain, target]
    return places, chains


def _neighbours(chains: Mapping[Edge, Sequence[int]]) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    above: defaultdict[int, list[int]] = defaultdict(list)
    below: defaultdict[int, list[int]] = defaultdict(list)
    for chain in chains.values():
        for upper, lower in pairwise(chain):
            below[upper].append(lower)
            above[lower].append(upper)
    return above, below


def _order(places: list[list[int]], chains: Mapping[Edge, Sequence[int]]) -> None:
    """Order each row by the mean place of its neighbours in the row before, down and up again."""
    above, below = _neighbours(chains)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        at = {place: spot / max(1, len(row)) for row in places for spot, place in enumerate(row)}
        for row in places if down else reversed(places):
            near = above if down else below
            mean = {place: _mean([at[each] for each in near.get(place, ())], at[place]) for place in row}
            row.sort(key=lambda place: (mean[place], place))
            at.update({place: spot / max(1, len(row)) for spot, place in enumerate(row)})


def _positions(places: Sequence[Sequence[int]], chains: Mapping[Edge, Sequence[int]], count: int) -> dict[int, float]:
    """The middle of each place: as near to its neighbours' as the order and the widths allow."""
    above, below = _neighbours(chains)
    x: dict[int, float] = {}
    for row in places:
        x.update(_packed(row, dict.fromkeys(row, 0.0), count))
    for sweep in range(_SWEEPS):
        for row in places if sweep % 2 == 0 else reversed(places):
            wanted = {
                place: _mean([x[each] for each in (*above.get(place, ()), *below.get(place, ()))], x[place])
                for place in row
            }
            x.update(_packed(row, wanted, count))
    return x


def _packed(row: Sequence[int], wanted: Mapping[int, float], count: int) -> dict[int, float]:
    """Middles in the order of the row, no two closer than their widths allow, as near as can be to what is wanted.

    Places that would overlap join into one block, which goes where its members want on average (the pooling of
    adjacent violators, Ayer et al., 1955).
    """
    blocks: list[tuple[float, list[int]]] = []  # where the first member would be, and the members
    for place in row:
        block = (wanted[place], [place])
        while blocks and block[0] < blocks[-1][0] + _span([*blocks[-1][1], block[1][0]], count):
            start, members = blocks.pop()
            offset = _span([*members, block[1][0]], count)
            total = start * len(members) + (block[0] - offset) * len(block[1])
            block = (total / (len(members) + len(block[1])), members + block[1])
        blocks.append(block)
    x: dict[int, float] = {}
    for start, members in blocks:
        x.update({place: start + _span(members[: spot + 1], count) for spot, place in enumerate(members)})
    return x


def _span(members: Sequence[int], count: int) -> float:
    """From the middle of the first to the middle of the last of places side by side."""
    return sum(_step(one, other, count) for one, other in pairwise(members))


def _step(one: int, other: int, count: int) -> float:
    gap = GAP if one < count and other < count else _LINE_GAP
    return (_width(one, count) + _width(other, count)) / 2 + gap


def _width(place: int, count: int) -> float:
    return NODE_WIDTH if place < count else 0.0


def _line(chain: Sequence[int], x: Mapping[int, float], row_of: Mapping[int, int], count: int) -> list[Point]:
    points: list[Point] = []
    for place in chain:
        top = row_of[place] * (NODE_HEIGHT + ROW_GAP)
        if place >= count:
            points += [(x[place], top), (x[place], top + NODE_HEIGHT)]
        else:
            points.append((x[place], top + NODE_HEIGHT if place == chain[0] else top))
    return points


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
