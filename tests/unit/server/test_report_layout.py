"""Folding, treemaps and graphs: the geometry of the pages."""

import random
from itertools import combinations

import pytest

from repowright_server.report.folding import common_folder, fold
from repowright_server.report.graph_layout import NODE_HEIGHT, NODE_WIDTH, Edge, acyclic, lay_out, reduced
from repowright_server.report.module_graph import MOST_NODES, module_graph
from repowright_server.report.treemap import Box, squarify
from support.analysis import modules_of

# --- folding ------------------------------------------------------------------------------------------------------


def test_folders_that_fit_are_all_shown() -> None:
    groups = fold({"a": 1, "a/b": 2, "c": 3}, 3)

    assert [(group.path, group.weight) for group in groups] == [("a", 1), ("a/b", 2), ("c", 3)]


def test_the_heaviest_folder_is_opened_first() -> None:
    weights = {"light/x": 1, "light/y": 1, "heavy/x": 50, "heavy/y": 50}

    assert [group.path for group in fold(weights, 3)] == ["heavy/x", "heavy/y", "light"]


def test_a_folder_with_too_many_children_is_opened_in_part_and_says_so() -> None:
    weights = {f"big/{number:03}": number + 1 for number in range(100)}
    groups = fold(weights, 5)

    assert [group.path for group in groups if not group.rest] == ["big/096", "big/097", "big/098", "big/099"]
    assert [(group.path, len(group.members)) for group in groups if group.rest] == [("big", 96)]


@pytest.mark.parametrize("most", [1, 2, 7, 40, 1000])
def test_every_folder_is_in_exactly_one_group_however_many_there_may_be(most: int) -> None:
    dice = random.Random(most)
    weights = {"/".join(dice.choices("abcd", k=dice.randint(1, 6))): dice.randint(0, 90) for _ in range(300)}
    groups = fold(weights | {".": 5}, most)

    assert sorted(member for group in groups for member in group.members) == sorted({*weights, "."})
    assert len(groups) <= most
    assert sum(group.weight for group in groups) == sum(weights.values()) + 5


def test_a_common_folder_is_one_of_whole_names() -> None:
    assert common_folder(["a", "a-b", "a/z"]) == "."
    assert common_folder(["src/app/x", "src/app", "src/app/y/z"]) == "src/app"
    assert common_folder([]) == "."


def test_a_very_deep_folder_is_folded_without_recursion() -> None:
    deep = "/".join("d" * 2000)

    assert [group.path for group in fold({deep: 1, f"{deep}/e": 1}, 2)] == [deep, f"{deep}/e"]


# --- treemaps -----------------------------------------------------------------------------------------------------


def test_areas_are_the_weights_and_fill_the_whole() -> None:
    weights = [60.0, 30.0, 6.0, 3.0, 1.0]
    boxes = squarify(weights, Box(0, 0, 200, 100))

    assert [round(box.width * box.height) for box in boxes] == [12000, 6000, 1200, 600, 200]


def test_boxes_of_a_treemap_never_overlap_and_stay_inside() -> None:
    boxes = squarify([float(weight) for weight in range(40, 0, -1)], Box(10, 20, 300, 200))

    assert not any(_overlap(one, other) for one, other in combinations(boxes, 2))
    assert all(box.x >= 9.99 and box.y >= 19.99 for box in boxes)
    assert all(box.x + box.width <= 310.01 and box.y + box.height <= 220.01 for box in boxes)


def test_equal_weights_in_a_square_become_squares() -> None:
    boxes = squarify([1.0] * 4, Box(0, 0, 100, 100))

    assert {(round(box.width), round(box.height)) for box in boxes} == {(50, 50)}


@pytest.mark.parametrize("weights", [[], [0.0], [0.0, 0.0], [5.0, 0.0]])
def test_weights_without_area_are_no_error(weights: list[float]) -> None:
    assert len(squarify(weights, Box(0, 0, 10, 10))) == len(weights)
    assert len(squarify(weights, Box(0, 0, 0, 0))) == len(weights)


# --- graphs -------------------------------------------------------------------------------------------------------


def test_what_imports_stands_above_what_it_imports() -> None:
    edges = [(0, 1), (1, 2), (0, 2), (3, 2)]
    layout = lay_out(4, edges)

    assert all(layout.nodes[source][1] < layout.nodes[target][1] for source, target in edges)


def test_boxes_of_a_graph_never_overlap_and_lines_begin_and_end_at_them() -> None:
    dice = random.Random(1)
    edges = sorted({tuple(sorted(dice.sample(range(40), 2))) for _ in range(90)})
    layout = lay_out(40, [(one, other) for one, other in edges])
    boxes = [Box(x, y, NODE_WIDTH, NODE_HEIGHT) for x, y in layout.nodes]

    assert not any(_overlap(one, other) for one, other in combinations(boxes, 2))
    assert min(box.x for box in boxes) >= 0
    assert max(box.x + box.width for box in boxes) <= layout.width + 0.01
    for (source, target), points in layout.lines.items():
        assert points[0] == (boxes[source].x + NODE_WIDTH / 2, boxes[source].y + NODE_HEIGHT)
        assert points[-1] == (boxes[target].x + NODE_WIDTH / 2, boxes[target].y)


def test_a_line_passes_rows_between_their_boxes() -> None:
    layout = lay_out(5, [(0, 1), (1, 2), (2, 3), (0, 3), (0, 4), (4, 3)])
    boxes = [Box(x, y, NODE_WIDTH, NODE_HEIGHT) for x, y in layout.nodes]
    inner = layout.lines[0, 3][1:-1]

    assert len(inner) == 4
    assert not any(box.x < x < box.x + box.width and box.y < y < box.y + box.height for x, y in inner for box in boxes)


def test_a_picture_of_nothing_is_empty() -> None:
    layout = lay_out(0, [])

    assert (layout.nodes, layout.width, layout.height) == ([], 0.0, 0.0)


def test_edges_of_a_cycle_that_go_up_are_told_from_the_others() -> None:
    edges: list[Edge] = [(0, 1), (1, 2), (2, 0), (2, 3)]
    forward, back = acyclic(edges, rank=[3.0, 2.0, 1.0, 9.0])

    assert (forward, back) == ([(0, 1), (1, 2), (2, 3)], [(2, 0)])


def test_an_edge_that_a_longer_way_replaces_is_left_out_of_the_picture() -> None:
    assert reduced([(0, 1), (1, 2), (0, 2)]) == ([(0, 1), (1, 2)], [(0, 2)])


# --- modules ------------------------------------------------------------------------------------------------------


def test_ten_modules_are_ten_boxes() -> None:
    graph = module_graph(modules_of({f"m{number}": [f"m{number + 1}"] for number in range(9)}))

    assert [node.path for node in graph.nodes] == [f"m{number}" for number in range(10)]
    assert len(graph.laid) == 9
    assert (graph.alone, graph.left_out) == (0, [])


def test_eight_hundred_modules_are_folded_and_none_is_forgotten() -> None:
    dice = random.Random(3)
    names = [f"p{number % 40}/s{number % 7}/m{number}" for number in range(800)]
    modules = modules_of({name: dice.sample(names, 3) for name in names[:700]} | {name: [] for name in names[700:]})
    graph = module_graph(modules)

    shown = sum(node.modules for node in graph.nodes) + sum(node.modules for node in graph.left_out) + graph.alone
    assert shown == 800
    assert 2 <= len(graph.nodes) <= MOST_NODES


def test_imports_that_close_a_cycle_of_modules_are_marked_and_those_that_folding_makes_are_not() -> None:
    real = module_graph(modules_of({"a": ["b"], "b": ["a"], "c": ["a"]}))
    folded = module_graph(modules_of({"a/1": ["b/1"], "b/2": ["a/2"]}), most=2)

    assert real.cyclic == {(0, 1), (1, 0)}
    assert [node.path for node in folded.nodes] == ["a", "b"]
    assert sorted(folded.imports) == [(0, 1), (1, 0)]
    assert folded.cyclic == frozenset()


def test_modules_that_import_nothing_are_counted_not_drawn() -> None:
    graph = module_graph(modules_of({"a": ["b"], "c": []}))

    assert [node.path for node in graph.nodes] == ["a", "b"]
    assert graph.alone == 1


def _overlap(one: Box, other: Box) -> bool:
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return across > 0.01 and down > 0.01
