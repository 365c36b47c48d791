"""The repository on a page: its files and definitions, the most leaned-on first, inside a budget of tokens."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
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
_DIGITS = 9  # of scores that are compared
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
        graph: over the parsed ones.
        path, family, symbols: of a node of the graph; the symbols are its definitions.
    """

    paths: Callable[[], Sequence[str]]
    files: int
    graph: ReferenceGraph
    path: Callable[[int], str]
    family: Callable[[int], str]
    symbols: Callable[[int], Sequence[Symbol]]


def files_of(token_budget: int) -> int:
    """How many of the best files are looked into: as many as could fill the budget."""
    return max(64, token_budget // _TOKENS_OF_A_FILE)


def lines_of(token_budget: int) -> int:
    """More lines than a map can have."""
    return token_budget // _TOKENS_OF_A_LINE + 1


def map_items(mapped: Mapped, token_budget: int, known: Items | None = None) -> dict[str, Sequence[MapItem]]:
    """What a map without focus could show of its best files, which come in the order of their paths.

    `known` are items of the same ranks, for files that did not change.
    """
    weigh = _weigher(mapped, mapped.graph.rank, {}, set())
    known = known or {}
    items: dict[str, Sequence[MapItem]] = {}
    for node in sorted(_best_files(mapped, files_of(token_budget), mapped.graph.rank, {})):
        path = mapped.path(node)
        items[path] = known[path] if path in known else list(weigh(node))
    return items


def best_items(items: Iterable[MapItem], count: int) -> list[MapItem]:
    """The first ones in the order of a map, in which no more than `lines_of` its budget matter."""
    items = list(items)
    least = _least([item.score for item in items], count)
    chosen = [item for item in items if item.score >= least]
    return sorted(chosen, key=lambda item: (-round(item.score, _DIGITS), item.path, item.line))[:count]


def rendered_map(mapped: Mapped, token_budget: int, items: Sequence[MapItem]) -> RenderedMap:
    """The map of these items, the best first; the same for the same tree."""
    return _render(mapped, items, {}, token_budget)


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
    preferred = [wanted.get(mapped.path(node), 0.0) for node in range(len(mapped.graph.shown))]
    rank = mapped.graph.ranked(preferred if any(preferred) else None)
    weigh = _weigher(mapped, rank, wanted, set(query_words(focus)))
    best = _best_files(mapped, files_of(token_budget), rank, wanted)
    items = best_items(chain.from_iterable(map(weigh, best)), lines_of(token_budget))
    return _render(mapped, items, wanted, token_budget)


def _best_files(mapped: Mapped, count: int, rank: Sequence[float], wanted: Mapping[str, float]) -> list[int]:
    scores = {node: rank[node] for node, shown in enumerate(mapped.graph.shown) if shown}
    if wanted:
        scores = {node: score + wanted.get(mapped.path(node), 0.0) for node, score in scores.items()}
    least = _least(scores.values(), count)
    chosen = [node for node, score in scores.items() if score >= least]
    return sorted(chosen, key=lambda node: (-round(scores[node], _DIGITS), node))[:count]


def _least(scores: Collection[float], count: int) -> float:
    """What no score is below that is, rounded, among the `count` best: the others need not be rounded."""
    return sorted(scores)[-count] - 2 * 10**-_DIGITS if count < len(scores) else 0.0


def _weigher(
    mapped: Mapped, rank: Sequence[float], wanted: Mapping[str, float], asked: set[str]
) -> Callable[[int], Iterator[MapItem]]:
    flows = [value / out if out else 0.0 for value, out in zip(rank, mapped.graph.out, strict=True)]

    @cache  # several files may define a name
    def flow_to(key: str) -> float:
        return mapped.graph.flow_to(key, flows)

    def weigh(node: int) -> Iterator[MapItem]:
        path, family = mapped.path(node), mapped.family(node)
        shown = [symbol for symbol in mapped.symbols(node) if not symbol.local]
        share = _OWN_SHARE * rank[node] / max(len(shown), 1)
        seen: set[str] = set()
        items: list[tuple[int, MapItem]] = []
        for symbol in shown:
            named = len(asked.intersection(words(symbol.name))) if asked else 0
            # The flow belongs to the name: overloads after the first only get their share of the file.
            flow = 0.0 if symbol.name in seen else flow_to(key_of(family, symbol.name))
            seen.add(symbol.name)
            items.append((named, MapItem(path, symbol.line, _line(symbol), flow + (1 + named) * share)))
        fit = wanted.get(path)
        if fit is None:
            return (item for _, item in items)
        # A file that fits is told by the definition that fits best, then by the next ones.
        items.sort(key=lambda pair: (-pair[0], -pair[1].score, pair[1].line))
        return (item._replace(score=item.score + fit / place) for place, (_, item) in enumerate(items, 1))

    return weigh


def _render(mapped: Mapped, items: Sequence[MapItem], wanted: Mapping[str, float], token_budget: int) -> RenderedMap:
    """As many of the best items as fit into the budget."""
    nodes = [node for node, shown in enumerate(mapped.graph.shown) if shown]
    if len(items) < lines_of(token_budget):  # else there is no room for more
        with_symbols = set(map(mapped.path, nodes))
        asked_for = sorted(wanted.keys() - with_symbols, key=lambda path: (-wanted[path], path))
        others = (path for path in mapped.paths() if path not in with_symbols and path not in wanted)
        bare = chain(asked_for, islice(others, token_budget))
        items = [*items, *(MapItem(path, 0, "", 0.0) for path in bare)]
    total = sum(mapped.graph.shown) + mapped.files - len(nodes)
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
