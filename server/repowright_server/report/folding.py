"""Many folders shown as a few: the heaviest are opened, the rest stays folded up inside its parents."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LEAST_ROOM = 3
"""Boxes that must be left for it to be worth opening a folder only in part."""


@dataclass(frozen=True, slots=True)
class Group:
    """Folders shown as one.

    Attributes:
        path: the folder that all of them lie in or are; `.` is the root.
        members: the folders, sorted.
        weight: the sum of theirs.
        rest: whether they are what is left of `path` besides its children that have groups of their own.
    """

    path: str
    members: tuple[str, ...]
    weight: int
    rest: bool = False


def fold(weights: Mapping[str, int], most: int) -> list[Group]:
    """At most `most` groups that hold every folder exactly once, sorted by path.

    The heaviest group is opened, one level at a time, as long as there is room. One with more children than room is
    opened in part: its heaviest children come out and the others stay together as its rest.
    """
    if not weights or most < 1:
        return []
    closed = [_group(".", sorted(weights), weights)]
    done: list[Group] = []
    while closed:
        heaviest = max(closed, key=lambda group: (group.weight, len(group.members), group.path))
        closed.remove(heaviest)
        children = _children(heaviest, weights)
        room = most - len(closed) - len(done)
        if len(children) < 2 or (len(children) > room and room < LEAST_ROOM):
            done.append(heaviest)
            continue
        if len(children) > room:
            children.sort(key=lambda group: (-group.weight, group.path))
            left = sorted(member for group in children[room - 1 :] for member in group.members)
            done.append(_group(common_folder(heaviest.members), left, weights, rest=True))
            children = children[: room - 1]
        closed += children
    return sorted(done, key=lambda group: (group.path, group.rest))


def common_folder(paths: Sequence[str]) -> str:
    """The deepest folder that all folders lie in or are; `.` if there is none but the root."""
    if not paths:
        return "."
    split = [_parts(path) for path in paths]
    first, last = min(split), max(split)  # what the first and the last in order share, all between them share
    shared = 0
    for one, other in zip(first, last, strict=False):
        if one != other:
            break
        shared += 1
    return "/".join(first[:shared]) or "."


def _children(group: Group, weights: Mapping[str, int]) -> list[Group]:
    """The group by the next part of the paths below what its members share; a folder itself is one, by its own path."""
    if len(group.members) < 2:
        return []
    depth = len(_parts(common_folder(group.members)))
    by_child: defaultdict[str, list[str]] = defaultdict(list)
    for member in group.members:
        by_child["/".join(_parts(member)[: depth + 1]) or "."].append(member)
    return [_group(common_folder(members), members, weights) for members in by_child.values()]


def _group(path: str, members: Sequence[str], weights: Mapping[str, int], *, rest: bool = False) -> Group:
    return Group(path, tuple(members), sum(weights[member] for member in members), rest)


def _parts(path: str) -> list[str]:
    return [] if path == "." else path.split("/")
