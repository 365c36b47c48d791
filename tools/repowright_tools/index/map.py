"""The repository on a page: its files and definitions, the most leaned-on first, inside a budget of tokens."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repowright_tools.index.graph import ReferenceGraph, pagerank, symbol_ranks
from repowright_tools.index.parse import ParsedFile, Symbol
from repowright_tools.index.relevance import Relevant, query_words, words
from repowright_tools.secrets import redact, strip_invisible
from repowright_tools.tokens import estimate_tokens

_TOKENS_OF_A_LINE = 4  # no line of a map has fewer
_OWN_SHARE = 0.1  # of a file's rank, what its definitions share whoever refers to them
_FOCUS_SHARE = 1.0  # of the weight of a file that fits the focus, what its definitions share


@dataclass(frozen=True, slots=True)
class RenderedMap:
    """`tokens` is what `estimate_tokens` says of `text`, and never above the budget."""

    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class MapItem:
    """A line that may be in the map: a definition, or with None the bare file."""

    path: str
    symbol: Symbol | None
    score: float


def ranked_items(
    paths: Sequence[str],
    parsed: Mapping[str, ParsedFile],
    graph: ReferenceGraph,
    focus: str | None,
    relevant: Sequence[Relevant],
) -> list[MapItem]:
    """Everything that a map could show, best first; the order is the same for the same tree.

    Args:
        paths: all files; those without definitions come last, by name.
        parsed: what is known of those that were parsed.
        graph: over the parsed ones.
        focus: a request in words, or None.
        relevant: the files that fit it.
    """
    total = sum(hit.score for hit in relevant)
    wanted = {hit.path: hit.score / total for hit in relevant} if total else {}
    rank = pagerank(graph, wanted)
    flows = symbol_ranks(graph, rank)
    asked = set(query_words(focus)) if focus else set[str]()
    items: list[MapItem] = []
    for path, file in parsed.items():
        shown = [symbol for symbol in file.symbols if not symbol.local]
        share = (_OWN_SHARE * rank[path] + _FOCUS_SHARE * wanted.get(path, 0.0)) / max(len(shown), 1)
        first: dict[str, bool] = {}
        for symbol in shown:
            named = 1 + len(asked.intersection(words(symbol.name))) if asked else 1
            # The flow belongs to the name: overloads after the first only get their share of the file.
            flow = flows.get((path, symbol.name), 0.0) if first.setdefault(symbol.name, True) else 0.0
            first[symbol.name] = False
            items.append(MapItem(path, symbol, flow + named * share))
    items.sort(key=lambda item: (-round(item.score, 9), item.path, item.symbol.line if item.symbol else 0))
    with_symbols = {item.path for item in items}
    bare = sorted((path for path in paths if path not in with_symbols), key=lambda path: (-wanted.get(path, 0), path))
    return items + [MapItem(path, None, 0.0) for path in bare]


def render(items: Sequence[MapItem], token_budget: int) -> RenderedMap:
    """As many of the best items as fit into the budget."""
    most = min(len(items), token_budget // _TOKENS_OF_A_LINE)
    fits, low, high = _rendered(items, 0), 1, most
    while low <= high:
        middle = (low + high) // 2
        rendered = _rendered(items, middle)
        if rendered.tokens <= token_budget:
            fits, low = rendered, middle + 1
        else:
            high = middle - 1
    return fits if fits.tokens <= token_budget else RenderedMap("", 0)


def _rendered(items: Sequence[MapItem], count: int) -> RenderedMap:
    by_file: defaultdict[str, list[Symbol]] = defaultdict(list)
    for item in items[:count]:  # the file of the best item comes first
        by_file[item.path] += [item.symbol] if item.symbol else []
    lines: list[str] = []
    for path, symbols in by_file.items():
        lines.append(path)
        lines += [_line(symbol) for symbol in sorted(symbols, key=lambda symbol: symbol.line)]
    if rest := len(items) - count:
        lines.append(f"({rest} more not shown)")
    text = redact(strip_invisible("".join(f"{line}\n" for line in lines)))
    return RenderedMap(text, estimate_tokens(text))


def _line(symbol: Symbol) -> str:
    indent = "  " * (1 + symbol.scope.count(".") + bool(symbol.scope))
    return f"{symbol.line:>5}{indent}{symbol.signature or symbol.name}"
