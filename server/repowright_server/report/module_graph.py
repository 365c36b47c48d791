"""The modules of a repository as a graph small enough to read, and what it leaves out."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repowright_server.report.folding import Group, fold
from repowright_server.report.graph_layout import Edge, Layout, acyclic, lay_out, reduced

MOST_NODES = 30
"""Boxes in one picture; more cannot be read."""


@dataclass(frozen=True, slots=True)
class Node:
    """A box of the picture: a module, or the modules below a folder.

    Attributes:
        path: the folder.
        members: the modules it stands for; `files` and `lines` are those of all of them.
        in_cycle: how many of them import themselves by way of others.
        rest: whether it is what is left of the folder besides those of its children that have boxes.
    """

    path: str
    members: tuple[str, ...]
    files: int
    lines: int
    in_cycle: int
    rest: bool

    @property
    def modules(self) -> int:
        return len(self.members)


@dataclass(frozen=True, slots=True)
class ModuleGraph:
    """A picture of modules.

    Attributes:
        nodes: the boxes, sorted by path.
        imports: by edge, how many imports between modules it stands for.
        laid: edges from importer to imported that say everything: what is in neither list follows from them, or goes
            against their direction, and is a cycle of boxes only.
        cyclic: edges with an import that closes a cycle of modules.
        layout: of the boxes and of the lines of `laid`.
        alone: modules that import none and are imported by none.
        left_out: connected modules for whose folders there was no room, or that are connected inside their folder only.
    """

    nodes: Sequence[Node]
    imports: Mapping[Edge, int]
    laid: Sequence[Edge]
    cyclic: frozenset[Edge]
    layout: Layout
    alone: int
    left_out: Sequence[Node]


def module_graph(modules: Sequence[Mapping[str, Any]], most: int = MOST_NODES) -> ModuleGraph:
    """The graph of the `modules` of an analysis, folded up to at most `most` boxes."""
    by_path = {str(module["path"]): module for module in modules}
    connected = _connected(by_path)
    groups = fold({path: max(1, int(by_path[path]["lines"])) for path in connected}, most)
    shown = [group for group in groups if not group.rest]
    imports, cyclic = _between(shown, by_path)
    used = sorted({node for edge in imports for node in edge})
    if len(shown) > 1 and used:  # what is connected only to itself, once folded up, says nothing in the picture
        number = {old: new for new, old in enumerate(used)}
        imports = Counter({(number[one], number[other]): count for (one, other), count in imports.items()})
        cyclic = {(number[one], number[other]) for one, other in cyclic}
        shown = [shown[old] for old in used]
    rank = [_mean_layer(group, by_path) for group in shown]
    laid, _ = reduced(acyclic(sorted(imports), rank)[0])
    kept = {group.path for group in shown}
    return ModuleGraph(
        nodes=[_node(group, by_path) for group in shown],
        imports=imports,
        laid=laid,
        cyclic=frozenset(cyclic),
        layout=lay_out(len(shown), laid),
        alone=len(by_path) - len(connected),
        left_out=[_node(group, by_path) for group in groups if group.rest or group.path not in kept],
    )


def _connected(by_path: Mapping[str, Mapping[str, Any]]) -> set[str]:
    importing = {path for path, module in by_path.items() if any(each in by_path for each in module["imports"])}
    return importing | {each for path in importing for each in by_path[path]["imports"] if each in by_path}


def _between(groups: Sequence[Group], by_path: Mapping[str, Mapping[str, Any]]) -> tuple[Counter[Edge], set[Edge]]:
    """How many imports lead from group to group, and which edges have one that closes a cycle of modules."""
    from repowright_tools.index.modules import components

    box = {member: at for at, group in enumerate(groups) for member in group.members}
    following = {path: [each for each in module["imports"] if each in by_path] for path, module in by_path.items()}
    loop = {path: number for number, group in enumerate(components(following)) for path in group}
    counted: Counter[Edge] = Counter()
    cyclic: set[Edge] = set()
    for member, at in box.items():
        for target in following[member]:
            if box.get(target, at) != at:
                counted[at, box[target]] += 1
                if loop[member] == loop[target]:
                    cyclic.add((at, box[target]))
    return counted, cyclic


def _mean_layer(group: Group, by_path: Mapping[str, Mapping[str, Any]]) -> float:
    return sum(int(by_path[member]["layer"]) for member in group.members) / len(group.members)


def _node(group: Group, by_path: Mapping[str, Mapping[str, Any]]) -> Node:
    totals: defaultdict[str, int] = defaultdict(int)
    for member in group.members:
        for what in ("files", "lines", "in_cycle"):
            totals[what] += int(by_path[member][what])
    return Node(group.path, group.members, totals["files"], totals["lines"], totals["in_cycle"], group.rest)
