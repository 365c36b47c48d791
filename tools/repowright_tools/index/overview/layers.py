"""The graph of modules in a few figures: how many layers, which cycles, what most of it leans on."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from repowright_tools.index.modules import Module, components

_MOST = 20


@dataclass(frozen=True, slots=True)
class ModuleGraph:
    """What the imports between folders amount to.

    Attributes:
        modules: every folder with source files.
        layers: how many layers there are; the lowest imports nothing of the repository.
        cycles: modules that import each other, the largest group first; each group sorted.
        leaned_on: modules and how many others import them, the most first.
    """

    modules: tuple[Module, ...]
    layers: int
    cycles: tuple[tuple[str, ...], ...]
    leaned_on: tuple[tuple[str, int], ...]


def module_graph(modules: Sequence[Module]) -> ModuleGraph:
    """The figures of these modules."""
    edges = {module.path: module.imports for module in modules}
    groups = [tuple(sorted(group)) for group in components(edges) if len(group) > 1]
    importers = Counter(target for module in modules for target in module.imports)
    return ModuleGraph(
        modules=tuple(modules),
        layers=max((module.layer for module in modules), default=-1) + 1,
        cycles=tuple(sorted(groups, key=lambda group: (-len(group), group))[:_MOST]),
        leaned_on=tuple(sorted(importers.items(), key=lambda item: (-item[1], item[0]))[:_MOST]),
    )
