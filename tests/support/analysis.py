"""Results of analyse_repo as a page or a summary takes them, made up for tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from repowright_server.report.facts import Facts
from repowright_tools.index.modules import Module, components
from repowright_tools.index.overview import Overview
from repowright_tools.index.overview.hot_spots import HotSpot
from repowright_tools.index.overview.layers import module_graph
from repowright_tools.index.overview.place import Place
from repowright_tools.index.overview.services import Service
from repowright_tools.index.overview.test_layout import TestLayout


def modules_of(edges: Mapping[str, Sequence[str]], lines: int = 100) -> list[dict[str, Any]]:
    """Modules as a result has them; `edges` is what each imports."""
    names = sorted({*edges, *(target for targets in edges.values() for target in targets)})
    imports = {name: sorted(edges.get(name, ())) for name in names}
    layers: dict[str, int] = {}
    looped: set[str] = set()
    for group in components(imports):
        below = [layers[target] for name in group for target in imports[name] if target not in group]
        layers.update(dict.fromkeys(group, 1 + max(below, default=-1)))
        looped |= set(group) if len(group) > 1 else set()
    return [
        {"path": name, "files": 2, "lines": lines, "imports": imports[name], "layer": layers[name],
         "in_cycle": name in looped}
        for name in names
    ]  # fmt: skip


def result_of(name: str = "shop", modules: Sequence[dict[str, Any]] = (), **changes: Any) -> dict[str, Any]:
    """A whole result in which every text of the repository is `name`."""
    evidence = {"path": name, "line": 3}
    return {
        "commit": "a" * 40,
        "dirty": False,
        "root": f"/repositories/{name}",
        "languages": [
            {"name": "Python", "files": 3, "lines": 300, "bytes": 9000},
            {"name": "TypeScript", "files": 1, "lines": 100, "bytes": 1000},
        ],
        "files": {
            "listed": 9, "analysed": 7, "excluded": [{"reason": "lock_file", "count": 2, "examples": [name]}],
        },
        "map": f"{name}\n  3  def {name}()",
        "map_tokens": 12,
        "entry_points": [{"name": name, "kind": "console_script", "path": name, "line": 1}],
        "commands": {
            "install": [], "test": [{"command": name, "evidence": evidence}], "lint": [], "build": [], "run": [],
        },
        "modules": list(modules),
        "relevant": [{"path": name, "score": 1.5, "why": name}],
        "features": [{"id": "F1", "title": name, "evidence": [evidence]}],
        "stories": [
            {"id": "S1", "feature": "F1", "story": name, "acceptance": [name], "evidence": [evidence]},
        ],
        "warnings": [{"code": "unparsed", "message": name}],
    } | changes  # fmt: skip


def facts_of(name: str = "shop", modules: Sequence[dict[str, Any]] = ()) -> Facts:
    """Facts in which every text of the repository is `name`."""
    place = Place(name, 2)
    known = [
        Module(each["path"], each["files"], each["lines"], tuple(each["imports"]), each["layer"], each["in_cycle"])
        for each in modules
    ]
    overview = Overview(
        languages=(),
        runtimes=(),
        commands={},
        services=(Service(name, name, (place,)),),
        tests=TestLayout(((name, place),), 4, ((name, 4),), ((name, 4),), 5, 3, (name,)),
        entry_points=(),
        graph=module_graph(known),
        hot_spots=tuple(HotSpot(f"{name}{number}", 40 - number, 100 * number, 1.0, 0) for number in range(1, 8)),
        folders=(),
        ci=((name, (name,)),),
    )
    return Facts(overview, {".": 100, name: 2000, f"{name}/core": 5000, "docs": 700})
