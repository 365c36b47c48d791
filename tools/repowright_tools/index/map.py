"""The repository on a page: its files and definitions, the most leaned-on first, inside a budget of tokens."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from repowright_tools.index.graph import ReferenceGraph, key_of
from repowright_tools.index.parse import Symbol
from repowright_tools.index.search.focus import query_words
from repowright_tools.index.search.words import words
from repowright_tools.secrets import redact, strip_invisible
from repowright_tools.tokens import count_pieces, estimate_tokens, tokens_of

if TYPE_CHECKING:
    from repowright_tools.index.search.search import Relevant

_TOKENS_OF_A_FILE = 24  # a path and two lines have rarely fewer
_TOKENS_OF_A_LINE = 3  # no line of a map has fewer
_OWN_SHARE = 0.1  # of a file's rank, what its definitions share whoever refers to them
_HALF = 3  # the fourth hit weighs half as much as the first: scores of one answer do not say how much more it fits


@dataclass(frozen=True, slots=True)
class RenderedMap:
    """`tokens` is what `estimate_tokens` says of `text`, and never above the budget."""

    text: str
    tokens: int


class MapItem(NamedTuple):
    """A line that may be in the map: a definition at a line of a file, or, without text, the bare file."""

    path: str
    line: int
    text: str
    score: float


Items = Mapping[str, Sequence[MapItem]]
"""By file."""


@dataclass(frozen=True)
class Mapped:
    """What a map is made from.

    Attributes:
        paths: all files, sorted; those without definitions come last, by name. `files` is how many there are.
        nodes: the parsed ones, in the order of the graph; `families` are theirs.
        graph: over the nodes.
        symbols: the definitions of a file.
    """

    paths: Callable[[], Sequence[str]]
    files: int
    nodes: Sequence[str]
    families: Sequence[str]
    graph: ReferenceGraph
    symbols: Callable[[str], Sequence[Symbol]]


def files_of(token_budget: int) -> int:
    """How many of the best files are looked into: as many as could fill the budget."""
    return max(64, token_budget // _TOKENS_OF_A_FILE)


def map_items(mapped: Mapped, token_budget: int, known: Items | None = None) -> dict[str, Sequence[MapItem]]:
    """What a map without focus could show of its best files, which come in the order of their paths.

    `known` are items of the same ranks, for files that did not change.
    """
    weigh = _weigher(mapped, mapped.graph.rank, {}, set())
    best = sorted(_best_files(mapped, files_of(token_budget), mapped.graph.rank, {}))
    known = known or {}
    return {(path := mapped.nodes[node]): known.get(path) or list(weigh(node)) for node in best}


def rendered_map(mapped: Mapped, token_budget: int, items: Items) -> RenderedMap:
    """The map of these items; the same for the same tree."""
    return _render(mapped, [item for some in items.values() for item in some], {}, token_budget)


def focused_map(mapped: Mapped, token_budget: int, focus: str, relevant: "Sequence[Relevant]") -> RenderedMap:
    """The map in which what fits a request comes first.

    Args:
        mapped: the repository.
        token_budget: tokens the text may have.
        focus: the request.
        relevant: the files that fit it.
    """
    total = sum(1 / (_HALF + place) for place in range(len(relevant)))
    wanted = {hit.path: 1 / (_HALF + place) / total for place, hit in enumerate(relevant)}
    preferred = [wanted.get(path, 0.0) for path in mapped.nodes]
    rank = mapped.graph.ranked(preferred if any(preferred) else None)
    weigh = _weigher(mapped, rank, wanted, set(query_words(focus)))
    best = _best_files(mapped, files_of(token_budget), rank, wanted)
    return _render(mapped, [item for node in best for item in weigh(node)], wanted, token_budget)


def _best_files(mapped: Mapped, count: int, rank: Sequence[float], wanted: Mapping[str, float]) -> list[int]:
    return nlargest(
        count,
        (node for node, shown in enumerate(mapped.graph.shown) if shown),
        key=lambda node: (round(rank[node] + wanted.get(mapped.nodes[node], 0.0), 9), -node),
    )


def _weigher(
    mapped: Mapped, rank: Sequence[float], wanted: Mapping[str, float], asked: set[str]
) -> Callable[[int], Iterator[MapItem]]:
    flows = [value / out if out else 0.0 for value, out in zip(rank, mapped.graph.out, strict=True)]

    def weigh(node: int) -> Iterator[MapItem]:
        path = mapped.nodes[node]
        shown = [symbol for symbol in mapped.symbols(path) if not symbol.local]
        share = _OWN_SHARE * rank[node] / max(len(shown), 1)
        seen: set[str] = set()
        items: list[tuple[int, MapItem]] = []
        for symbol in shown:
            named = len(asked.intersection(words(symbol.name))) if asked else 0
            # The flow belongs to the name: overloads after the first only get their share of the file.
            key = key_of(mapped.families[node], symbol.name)
            flow = 0.0 if symbol.name in seen else mapped.graph.flow_to(key, flows)
            seen.add(symbol.name)
            items.append((named, MapItem(path, symbol.line, _line(symbol), flow + (1 + named) * share)))
        fit = wanted.get(path)
        if fit is None:
            return (item for _, item in items)
        # A file that fits is told by the definition that fits best, then by the next ones.
        items.sort(key=lambda pair: (-pair[0], -pair[1].score, pair[1].line))
        return (item._replace(score=item.score + fit / place) for place, (_, item) in enumerate(items, 1))

    return weigh


def _render(mapped: Mapped, found: Sequence[MapItem], wanted: Mapping[str, float], token_budget: int) -> RenderedMap:
    """As many of the best items as fit into the budget."""
    with_symbols = {path for path, shown in zip(mapped.nodes, mapped.graph.shown, strict=True) if shown}
    items = sorted(found, key=lambda item: (-round(item.score, 9), item.path, item.line))
    if len(items) * _TOKENS_OF_A_LINE < token_budget:  # else there is no room for more
        asked_for = sorted(wanted.keys() - with_symbols, key=lambda path: (-wanted[path], path))
        others = (path for path in mapped.paths() if path not in with_symbols and path not in wanted)
        items += [MapItem(path, 0, "", 0.0) for path in chain(asked_for, islice(others, token_budget))]
    total = sum(mapped.graph.shown) + mapped.files - len(with_symbols)
    count = _fitting(items, total, token_budget)
    fits = _rendered(items, count, total)
    while fits.tokens > token_budget and count:  # hiding a secret made a line longer
        count -= 1
        fits = _rendered(items, count, total)
    return fits if fits.tokens <= token_budget else RenderedMap("", 0)


def _fitting(items: Sequence[MapItem], total: int, token_budget: int) -> int:
    """How many of the items have, line by line, no more tokens than the budget."""
    rest = count_pieces(_rest(total))
    pieces, fitting = 0, 0
    opened: set[str] = set()
    for count, item in enumerate(items, 1):
        if item.path not in opened:
            opened.add(item.path)
            pieces += count_pieces(f"{item.path}\n")
        pieces += count_pieces(f"{item.text}\n") if item.text else 0
        if tokens_of(pieces + (rest if count < total else 0)) <= token_budget:
            fitting = count
        elif tokens_of(pieces) > token_budget:
            break
    return fitting


def _rendered(items: Sequence[MapItem], count: int, total: int) -> RenderedMap:
    by_file: defaultdict[str, list[MapItem]] = defaultdict(list)
    for item in items[:count]:  # the file of the best item comes first
        by_file[item.path] += [item] if item.text else []
    lines: list[str] = []
    for path, some in by_file.items():
        lines.append(path)
        lines += [item.text for item in sorted(some, key=lambda item: item.line)]
    text = "".join(f"{line}\n" for line in lines) + (_rest(total - count) if total > count else "")
    text = redact(strip_invisible(text))
    return RenderedMap(text, estimate_tokens(text))


def _rest(count: int) -> str:
    return f"({count} more not shown)\n"


def _line(symbol: Symbol) -> str:
    indent = "  " * (1 + symbol.scope.count(".") + bool(symbol.scope))
    return f"{symbol.line:>5}{indent}{symbol.signature or symbol.name}"
