"""Rectangles whose areas are weights: squarified treemaps (Bruls, Huizing and van Wijk, 2000)."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, in the units of the picture."""

    x: float
    y: float
    width: float
    height: float

    def inset(self, by: float, top: float = 0.0) -> "Box":
        """The box without a margin, and without `top` more at its upper side; never of negative size."""
        width, height = max(0.0, self.width - 2 * by), max(0.0, self.height - 2 * by - top)
        return Box(self.x + by, self.y + by + top, width, height)


def squarify(weights: Sequence[float], area: Box) -> list[Box]:
    """A box for each weight, in the order given, which must be from heavy to light for boxes near to squares.

    Weights of zero or less get a box without area.
    """
    total = sum(weight for weight in weights if weight > 0)
    scale = area.width * area.height / total if total > 0 else 0.0
    sizes = [max(0.0, weight) * scale for weight in weights]
    boxes: list[Box] = []
    left = area
    start = 0
    while start < len(sizes):
        end = _row_end(sizes, start, min(left.width, left.height))
        placed, left = _placed(sizes[start:end], left)
        boxes += placed
        start = end
    return boxes


def _row_end(sizes: Sequence[float], start: int, side: float) -> int:
    """Where the row that begins at `start` ends: it grows while that makes its worst box no slimmer."""
    end = start + 1
    total = smallest = largest = sizes[start]
    worst = _slimness(total, smallest, largest, side)
    while end < len(sizes):
        size = sizes[end]
        grown = _slimness(total + size, min(smallest, size), max(largest, size), side)
        if grown > worst:
            break
        total, smallest, largest, worst = total + size, min(smallest, size), max(largest, size), grown
        end += 1
    return end


def _slimness(total: float, smallest: float, largest: float, side: float) -> float:
    """The worst ratio of a box's sides in a row of this total area along a side of this length; 1 is a square."""
    if total <= 0 or smallest <= 0 or side <= 0:
        return float("inf")
    return max(side * side * largest / (total * total), total * total / (side * side * smallest))


def _placed(sizes: Sequence[float], area: Box) -> tuple[list[Box], Box]:
    """A row along the shorter side of the area, and what is left of the area."""
    total = sum(sizes)
    upright = area.width >= area.height
    side = area.height if upright else area.width
    depth = min(total / side, area.width if upright else area.height) if side > 0 else 0.0
    boxes: list[Box] = []
    at = 0.0
    for size in sizes:
        length = size / depth if depth > 0 else 0.0
        boxes.append(Box(area.x, area.y + at, depth, length) if upright else Box(area.x + at, area.y, length, depth))
        at += length
    left = (
        Box(area.x + depth, area.y, area.width - depth, area.height)
        if upright
        else Box(area.x, area.y + depth, area.width, area.height - depth)
    )
    return boxes, left
