"""The part of a page that shows what imports what: the whole folded up, then the larger folders from the inside."""

from collections.abc import Mapping, Sequence
from typing import Any

from repowright_server.report.facts import Facts
from repowright_server.report.graph_picture import draw_graph
from repowright_server.report.markup import Markup, element
from repowright_server.report.module_graph import ModuleGraph, Node, module_graph
from repowright_server.report.tables import folded, place, section, table

MOST_CLOSE_UPS = 12
_FEW_MODULES = 12  # lists of modules that short are open from the start

Modules = Sequence[Mapping[str, Any]]


def modules(result: Mapping[str, Any], facts: Facts) -> Markup | None:
    """The picture, close-ups of folders that it shows as one box, and all modules as a table."""
    found: Modules = result["modules"]
    if not found:
        return None
    graph = module_graph(found)
    rows = [_row(each) for each in sorted(found, key=lambda each: (-int(each["layer"]), str(each["path"])))]
    listing = table(("Module", "#Layer", "#Files", "#Lines", "In a cycle", "Imports"), rows, "Modules")
    return section(
        "modules", "Modules",
        element("p", _what_is_shown(graph, len(found)), class_="soft"),
        *(_picture(graph, "m") if graph.imports else ()),
        _cycles(facts.overview.graph.cycles),
        *_close_ups(graph, found),
        folded(f"{len(found):,} modules as a table", listing, open_=len(found) <= _FEW_MODULES),
    )  # fmt: skip


def _picture(graph: ModuleGraph, name: str, inside: str = ".") -> list[Markup | None]:
    cycles = any(node.in_cycle for node in graph.nodes)
    hidden = len(set(graph.imports) - set(graph.laid) - graph.cyclic)
    legend = [
        "An arrow leads from a module to what it imports",
        "Point at a box, or reach it by Tab, to see all its imports (dotted: by whom it is imported)",
        "The blue line in a box: its share of lines",
        "Dashed box: a folder of several modules" if any(node.modules > 1 for node in graph.nodes) else "",
        "Red: modules in an import cycle (⟳ how many), and the imports that close it" if cycles else "",
        f"{hidden} imports are drawn on pointing only: a longer way shows them, or only the folding makes them go up"
        if hidden else "",
    ]  # fmt: skip
    return [
        element("ul", *[element("li", each) for each in legend if each], class_="legend"),
        element("div", draw_graph(graph, name, inside), class_="frame-of-graph", tabindex="0", role="region",
                aria_label="Module graph; scrolls"),
    ]  # fmt: skip


def _what_is_shown(graph: ModuleGraph, count: int) -> str:
    said = [f"{count:,} folders with source files."]
    if graph.imports:
        boxes = sum(node.modules for node in graph.nodes)
        said.append(f"The picture has {len(graph.nodes)} boxes for {boxes:,} of them.")
    if graph.alone:
        said.append(f"{graph.alone:,} import no other and are imported by none: they are in the table only.")
    if graph.left_out:
        rest = sum(node.modules for node in graph.left_out)
        folders = ", ".join(_where(node) for node in graph.left_out[:4])
        more = f" and {len(graph.left_out) - 4} more" if len(graph.left_out) > 4 else ""
        said.append(f"{rest:,} are left out, small or connected inside their own folder only: {folders}{more}.")
    if not graph.imports:
        said.append("None imports another one, as far as imports could be followed.")
    return " ".join(said)


def _where(node: Node) -> str:
    if not node.rest:
        return node.path
    return "the smaller folders" if node.path == "." else f"the smaller folders below {node.path}"


def _close_ups(graph: ModuleGraph, found: Modules) -> list[Markup]:
    """Folders of several modules, the largest first, each as a picture of its own."""
    wanted = sorted(
        (node for node in (*graph.nodes, *graph.left_out) if node.modules > 1),
        key=lambda node: (-node.modules, -node.lines, node.path),
    )
    shown: list[Markup] = []
    by_path = {str(each["path"]): each for each in found}
    for node in wanted[: 4 * MOST_CLOSE_UPS]:
        if len(shown) == MOST_CLOSE_UPS:
            break
        close = module_graph([by_path[member] for member in node.members])
        if close.imports:
            title = f"Inside {_where(node)}: {node.modules} modules"
            shown.append(
                folded(
                    title,
                    element("p", _what_is_shown(close, node.modules), class_="soft"),
                    *_picture(close, f"c{len(shown)}", node.path),
                )
            )
    return shown


def _cycles(cycles: Sequence[Sequence[str]]) -> Markup | None:
    """Each group of modules that import each other, whole."""
    if not cycles:
        return None
    rows = [(len(group), element("span", ", ".join(group), class_="path")) for group in cycles]
    return folded(f"{len(cycles)} import cycles", table(("#Modules", "Which import each other"), rows, "Import cycles"))


def _row(module: Mapping[str, Any]) -> tuple[Markup | str | int, ...]:
    imports = [str(each) for each in module["imports"]]
    listed = ", ".join(imports[:12]) + (f" and {len(imports) - 12} more" if len(imports) > 12 else "")
    return (
        place(module["path"]),
        int(module["layer"]),
        int(module["files"]),
        int(module["lines"]),
        "⟳ yes" if module["in_cycle"] else "",
        element("span", listed, class_="path"),
    )
