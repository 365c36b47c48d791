"""The smaller pictures as inline SVG: languages as a bar, tokens as a treemap, hot spots as points."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from repowright_server.report.folding import Group, fold
from repowright_server.report.markup import Markup, element, plain, shortened
from repowright_server.report.treemap import Box, squarify

if TYPE_CHECKING:
    from repowright_tools.index.overview.hot_spots import HotSpot

MOST_LANGUAGES = 8
"""Languages with a colour of their own; the others share one."""
MOST_CELLS = 48
MOST_SPOTS = 25
WIDTH = 1100.0

_TICKS = [step * 10**power for power in range(7) for step in (1, 2, 5)]
_NAME_WIDTH = 7.3  # of a character of a name, in the units of a picture


@dataclass(frozen=True, slots=True)
class Share:
    """A language, or several as one, with its part of all bytes and the number of its colour."""

    name: str
    files: int
    lines: int
    size: int
    part: float
    colour: int


def language_shares(languages: Sequence[Mapping[str, Any]]) -> list[Share]:
    """The languages of a result, the largest first, and the small ones as one."""
    total = sum(int(each["bytes"]) for each in languages) or 1
    ordered = sorted(languages, key=lambda each: (-int(each["bytes"]), str(each["name"])))
    most = MOST_LANGUAGES if len(ordered) > MOST_LANGUAGES + 1 else len(ordered)
    parts = [(str(each["name"]), [each]) for each in ordered[:most]]
    if ordered[most:]:
        parts.append((f"{len(ordered) - most} others", ordered[most:]))
    shares: list[Share] = []
    for colour, (name, members) in enumerate(parts):
        files, lines, size = (sum(int(each[what]) for each in members) for what in ("files", "lines", "bytes"))
        shares.append(Share(name, files, lines, size, size / total, colour))
    return shares


def draw_languages(languages: Sequence[Mapping[str, Any]]) -> Markup:
    """A bar of all languages by bytes."""
    at = 0.0
    parts: list[Markup] = []
    for each in language_shares(languages):
        width = each.part * WIDTH
        said = f"{each.name}: {each.part:.1%} of all bytes, {each.lines:,} lines"
        parts.append(
            element(
                "rect",
                element("title", said),
                x=at,
                y=0,
                width=max(1.0, width - 2),
                height=34,
                class_=f"hue{each.colour}",
            )
        )
        if width > 90:
            label = shortened(plain(each.name), int(width / 9))
            parts.append(element("text", label, x=at + 9, y=22, class_="on-hue"))
        at += width
    return element("svg", *parts, class_="bar", view_box=f"0 0 {WIDTH:.0f} 34", role="img", aria_label="Languages")


def draw_tokens(folder_tokens: Mapping[str, int]) -> Markup:
    """A treemap of the tokens of each folder: frames are folders at the top, cells what lies in them."""
    groups = [group for group in fold(folder_tokens, MOST_CELLS) if group.weight > 0]
    tops: dict[str, list[Group]] = {}
    for group in groups:
        tops.setdefault("." if group.path == "." else group.path.split("/", 1)[0], []).append(group)
    frames = sorted(tops.items(), key=lambda item: (-sum(group.weight for group in item[1]), item[0]))
    area = Box(0, 0, WIDTH, 380)
    boxes = squarify([sum(group.weight for group in inner) for _, inner in frames], area)
    total = sum(folder_tokens.values()) or 1
    drawn = [
        _frame(top, inner, box, at, total) for at, ((top, inner), box) in enumerate(zip(frames, boxes, strict=True))
    ]
    return element(
        "svg", *drawn, class_="treemap", view_box=f"0 0 {WIDTH:.0f} 380", role="img", aria_label="Tokens per folder"
    )


def _frame(top: str, inner: Sequence[Group], box: Box, at: int, total: int) -> Markup:
    box = box.inset(1.5)
    titled = len(inner) > 1 and box.height > 44 and box.width > 60
    weight = sum(group.weight for group in inner)
    parts = [element("rect", x=box.x, y=box.y, width=box.width, height=box.height, class_=f"frame hue{min(at, 8)}")]
    if titled:
        label = f"{shortened(plain(top), max(1, int(box.width / 8) - 8))} {weight / total:.0%}"
        parts.append(element("text", label, x=box.x + 6, y=box.y + 14, class_="frame-name"))
    ordered = sorted(inner, key=lambda group: (-group.weight, group.path, group.rest))
    area = box.inset(2, top=17 if titled else 0)
    cells = squarify([group.weight for group in ordered], area)
    parts += [_cell(group, cell, total, top) for group, cell in zip(ordered, cells, strict=True)]
    return element("g", *parts)


def _cell(group: Group, box: Box, total: int, top: str) -> Markup:
    box = box.inset(1)
    where = f"the rest of {group.path}" if group.rest else group.path
    said = f"{where}: {group.weight:,} tokens, {group.weight / total:.1%}"
    below = group.path.removeprefix(f"{top}/") if group.path != top else group.path
    name = f"{below} (rest)" if group.rest else below
    parts = [
        element("title", said),
        element("rect", x=box.x, y=box.y, width=box.width, height=box.height, rx="2", class_="cell"),
    ]
    if box.width > 46 and box.height > 17:
        parts.append(
            element(
                "text",
                shortened(plain(name), int((box.width - 8) / _NAME_WIDTH)),
                x=box.x + 5,
                y=box.y + 14,
                class_="name",
            )
        )
    if box.width > 60 and box.height > 34:
        parts.append(element("text", short_count(group.weight), x=box.x + 5, y=box.y + 28, class_="small"))
    return element("g", *parts)


def draw_hot_spots(spots: Sequence["HotSpot"]) -> Markup:
    """Files as numbered points: to the right the longer, upwards the more often changed."""
    left, bottom, right, top = 56.0, 330.0, WIDTH - 24, 24.0
    spots = spots[:MOST_SPOTS]
    low, high = _nice_range([max(1, spot.lines) for spot in spots])
    most = _nice_top(max((spot.commits for spot in spots), default=1))
    parts = _grid(low, high, most, Box(left, top, right - left, bottom - top))
    points: list[tuple[float, float]] = []
    for number, spot in enumerate(spots, 1):
        x = left + (right - left) * math.log(max(1, spot.lines) / low) / math.log(high / low)
        y = bottom - (bottom - top) * spot.commits / most
        x, y = _free(x, y, points)
        points.append((x, y))
        said = f"{number}. {spot.path}: {spot.lines:,} lines, changed in {spot.commits} commits"
        dot = element("circle", cx=x, cy=y, r="11", class_="spot" if number > 5 else "spot worst")
        parts.append(element("g", element("title", said), dot, element("text", number, x=x, y=y + 4, class_="number")))
    return element(
        "svg", *parts, class_="spots", view_box=f"0 0 {WIDTH:.0f} 372", role="img", aria_label="Hot spots",
    )  # fmt: skip


def _grid(low: int, high: int, most: int, area: Box) -> list[Markup]:
    parts: list[Markup] = []
    for tick in (tick for tick in _TICKS if low <= tick <= high):
        x = area.x + area.width * math.log(tick / low) / math.log(high / low)
        parts.append(element("line", x1=x, x2=x, y1=area.y, y2=area.y + area.height, class_="grid"))
        parts.append(element("text", f"{tick:,}", x=x, y=area.y + area.height + 18, class_="tick middle"))
    for step in range(5):
        y = area.y + area.height * (1 - step / 4)
        parts.append(element("line", x1=area.x, x2=area.x + area.width, y1=y, y2=y, class_="grid"))
        parts.append(element("text", f"{most * step / 4:g}", x=area.x - 8, y=y + 4, class_="tick end"))
    parts.append(element("text", "lines →", x=area.x + area.width, y=area.y + area.height + 36, class_="tick end"))
    parts.append(element("text", "↑ commits", x=area.x - 48, y=area.y - 8, class_="tick"))
    return parts


def _free(x: float, y: float, taken: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """A place near by where a point covers no other: a few steps to the right, then as it is."""
    for step in range(6):
        if all(math.hypot(x + 12 * step - other_x, y - other_y) > 17 for other_x, other_y in taken):
            return x + 12 * step, y
    return x, y


def _nice_range(values: Sequence[int]) -> tuple[int, int]:
    """The ticks just below and just above all values."""
    low = max(tick for tick in _TICKS if tick <= min(values, default=1))
    high = min((tick for tick in _TICKS if tick > max(low, *values)), default=_TICKS[-1] * 10)
    return low, high


def _nice_top(value: int) -> int:
    """The next number that four steps of an axis divide well."""
    scale = 1
    while value > 80 * scale:
        scale *= 10
    return next(each * scale for each in (4, 8, 12, 20, 28, 40, 60, 80) if each * scale >= value)


def short_count(count: int) -> str:
    """A count in at most five characters: 950, 12.3k, 4.1M."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if count >= size:
            return f"{count / size:.1f}{unit}" if count < 100 * size else f"{count / size:.0f}{unit}"
    return str(count)
