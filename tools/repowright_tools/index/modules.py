"""The folders of a repository as modules: what imports what, and in which layers."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from repowright_tools.index.imports import ImportResolver
from repowright_tools.index.parse import ParsedFile
from repowright_tools.index.paths import folder_of


@dataclass(frozen=True, slots=True)
class Module:
    """A folder with source files.

    Attributes:
        path: the folder; `.` is the root.
        imports: other modules, sorted.
        layer: 0 imports no other module; else one more than the highest layer it imports, cycles taken as one.
        in_cycle: whether it imports itself by way of others.
    """

    path: str
    files: int
    lines: int
    imports: tuple[str, ...]
    layer: int
    in_cycle: bool


def find_modules(
    files: Mapping[str, tuple[str, ParsedFile]], lines: Mapping[str, int], resolver: ImportResolver
) -> list[Module]:
    """All modules, sorted by path. `lines` is lines by path."""
    members: defaultdict[str, list[str]] = defaultdict(list)
    imports: defaultdict[str, set[str]] = defaultdict(set)
    for path, (grammar, parsed) in files.items():
        here = folder_of(path) or "."
        members[here].append(path)
        for item in parsed.imports:
            imports[here].update(folder_of(found) or "." for found in resolver.resolve(path, grammar, item.target))
    edges = {module: sorted(imports[module] - {module}) for module in sorted(members)}
    groups = components(edges)
    layers = _layers(edges, groups)
    size = {module: len(group) for group in groups for module in group}
    return [
        Module(
            path=module,
            files=len(members[module]),
            lines=sum(lines[path] for path in members[module]),
            imports=tuple(edges[module]),
            layer=layers[module],
            in_cycle=size[module] > 1,
        )
        for module in edges
    ]


def components(edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Strongly connected components, each after those it leads to (Tarjan, 1972; without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for root in edges:
        if root in index:
            continue
        path = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while path:
            node, following = path[-1]
            for target in following:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    path.append((target, iter(edges[target])))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == index[node]:
                    found.append(_popped(stack, on_stack, node))
    return found


def _popped(stack: list[str], on_stack: set[str], root: str) -> list[str]:
    group: list[str] = []
    while not group or group[-1] != root:
        group.append(stack.pop())
        on_stack.discard(group[-1])
    return group


def _layers(edges: Mapping[str, Iterable[str]], groups: Iterable[list[str]]) -> dict[str, int]:
    layers: dict[str, int] = {}
    for group in groups:  # what a group imports comes before it
        below = {target for module in group for target in edges[module]} - set(group)
        layer = 1 + max((layers[target] for target in below), default=-1)
        layers.update(dict.fromkeys(group, layer))
    return layers
