"""The module graph as inline SVG: boxes in rows, an arrow from each box to what it imports."""

from collections.abc import Sequence

from repowright_server.report.graph_layout import NODE_HEIGHT, NODE_WIDTH, Edge, Point
from repowright_server.report.markup import Markup, element, plain, shortened
from repowright_server.report.module_graph import ModuleGraph, Node
from repowright_server.report.pictures import short_count

_MARGIN = 26.0
_FITTING = range(720, 1_400)  # widths that are scaled to the page; a wider picture would be too small, and scrolls
_LABEL_CHARS = 22
_BACK_BEND = 46.0  # how far a line that goes back leaves the boxes aside


def draw_graph(graph: ModuleGraph, name: str, inside: str = ".") -> Markup:
    """The picture, in which every box is a link to itself: the keyboard reaches it, and a click keeps it lit.

    Args:
        graph: what to draw.
        name: prefix of the ids in the picture.
        inside: the folder that all boxes have in common; labels leave it out.
    """
    most_lines = max((node.lines for node in graph.nodes), default=1) or 1
    width, height = graph.layout.width + 2 * _MARGIN, graph.layout.height + 2 * _MARGIN
    edges = [_edge(graph, edge, "edge", f"{name}-plain") for edge in graph.laid if edge not in graph.cyclic]
    edges += [_edge(graph, edge, "edge back", f"{name}-back") for edge in sorted(graph.cyclic)]
    boxes = [_box(graph, number, name, most_lines, inside) for number in range(len(graph.nodes))]
    said = f"{len(graph.nodes)} boxes and {len(graph.imports)} arrows; the table below says the same in words."
    return element(
        "svg",
        element("title", "Which modules import which"),
        element("desc", said),
        _arrowheads(name),
        element("g", *edges, class_="edges"),
        element("g", *boxes),
        class_="graph fitting" if int(width) in _FITTING else "graph",
        view_box=f"0 0 {width:.0f} {height:.0f}",
        width=f"{width:.0f}",
        height=f"{height:.0f}",
        role="group",
        aria_label="Module graph",
    )


def _arrowheads(name: str) -> Markup:
    heads = [
        element(
            "marker",
            element("path", d="M0 0 L8 4 L0 8 z", class_=f"head {kind}"),
            id=f"{name}-{kind}",
            viewBox="0 0 8 8", refX="7", refY="4", markerWidth="7", markerHeight="7", orient="auto",
        )
        for kind in ("plain", "back", "lit")
    ]  # fmt: skip
    return element("defs", *heads)


def _box(graph: ModuleGraph, number: int, name: str, most_lines: int, inside: str) -> Markup:
    node = graph.nodes[number]
    x, y = graph.layout.nodes[number]
    x, y = x + _MARGIN, y + _MARGIN
    many = f"{node.modules} modules, " if node.modules > 1 else ""
    cycle = f", {node.in_cycle} in cycles" if node.in_cycle and node.modules > 1 else ", in a cycle"
    label = f"{node.path}: {many}{node.files} files, {node.lines} lines{cycle if node.in_cycle else ''}"
    room = _LABEL_CHARS - (4 if node.in_cycle else 0)
    name_shown = shortened(plain(node.path.removeprefix(f"{inside}/")), room)
    own = [edge for edge in graph.imports if number in edge]
    lit = element(
        "g", *[_edge(graph, edge, "edge lit" if edge[0] == number else "edge lit to", f"{name}-lit") for edge in own]
    )
    classes = ["box", "many" if node.modules > 1 else "", "cycle" if node.in_cycle else ""]
    return element(
        "a",
        element("title", f"{label}. {_neighbours(graph, number)}"),
        element("g", lit, class_="links"),
        element("rect", x=x, y=y, width=NODE_WIDTH, height=NODE_HEIGHT, rx="7"),
        element(
            "rect", class_="size", x=x + 10, y=y + NODE_HEIGHT - 6, height="2.5", rx="1",
            width=max(2.0, (NODE_WIDTH - 20) * node.lines / most_lines),
        ),
        element("text", name_shown, x=x + 10, y=y + 16, class_="name"),
        element("text", f"⟳{_counted(node)}", x=x + NODE_WIDTH - 8, y=y + 16, class_="loop") if node.in_cycle else None,
        element("text", _small_print(node), x=x + 10, y=y + 30, class_="small"),
        href=f"#{name}-{number}",
        id=f"{name}-{number}",
        class_=" ".join(each for each in classes if each),
        aria_label=label,
    )  # fmt: skip


def _counted(node: Node) -> str:
    return str(node.in_cycle) if node.modules > 1 else ""


def _small_print(node: Node) -> str:
    many = f"{node.modules} modules · " if node.modules > 1 else ""
    return f"{many}{short_count(node.lines)} lines"


def _neighbours(graph: ModuleGraph, number: int) -> str:
    imports = [graph.nodes[target].path for source, target in sorted(graph.imports) if source == number]
    importers = [graph.nodes[source].path for source, target in sorted(graph.imports) if target == number]
    return f"Imports: {', '.join(imports) or 'nothing'}. Imported by: {', '.join(importers) or 'nothing'}."


def _edge(graph: ModuleGraph, edge: Edge, classes: str, head: str) -> Markup:
    points = graph.layout.lines.get(edge)
    shape = _curve(points) if points is not None else _direct(graph, edge)
    source, target = (graph.nodes[end].path for end in edge)
    count = graph.imports[edge]
    said = f"{source} imports {target}" + (f" ({count} imports between their modules)" if count > 1 else "")
    return element("path", element("title", said), d=Markup(shape), class_=classes, marker_end=f"url(#{head})")


def _curve(points: Sequence[Point]) -> str:
    (x, y), *rest = points
    parts = [f"M{x + _MARGIN:.0f} {y + _MARGIN:.0f}"]
    before = (x, y)
    for x, y in rest:
        half = (y - before[1]) / 2
        parts.append(
            f"C{before[0] + _MARGIN:.0f} {before[1] + half + _MARGIN:.0f} {x + _MARGIN:.0f} "
            f"{y - half + _MARGIN:.0f} {x + _MARGIN:.0f} {y + _MARGIN:.0f}"
        )
        before = (x, y)
    return " ".join(parts)


def _direct(graph: ModuleGraph, edge: Edge) -> str:
    """A line that no way was laid for: down to what lies lower, else out at the side and back up."""
    (from_x, from_y), (to_x, to_y) = (graph.layout.nodes[end] for end in edge)
    if to_y > from_y:
        middle = NODE_WIDTH / 2
        return _curve([(from_x + middle, from_y + NODE_HEIGHT), (to_x + middle, to_y)])
    rightwards = to_x >= from_x
    start = from_x + (NODE_WIDTH if rightwards else 0) + _MARGIN
    end = to_x + (NODE_WIDTH if rightwards else 0) + _MARGIN
    if to_y == from_y:  # side by side: from side to side
        end = to_x + (0 if rightwards else NODE_WIDTH) + _MARGIN
        y = from_y + NODE_HEIGHT / 2 + _MARGIN
        dip = 0 if abs(end - start) < NODE_WIDTH else NODE_HEIGHT * 1.4
        return f"M{start:.0f} {y:.0f} C{start:.0f} {y + dip:.0f} {end:.0f} {y + dip:.0f} {end:.0f} {y:.0f}"
    bend = (max(start, end) + _BACK_BEND) if rightwards else (min(start, end) - _BACK_BEND)
    first, last = from_y + NODE_HEIGHT / 2 + _MARGIN, to_y + NODE_HEIGHT / 2 + _MARGIN
    return f"M{start:.0f} {first:.0f} C{bend:.0f} {first:.0f} {bend:.0f} {last:.0f} {end:.0f} {last:.0f}"
