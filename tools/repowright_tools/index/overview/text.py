"""The overview as a few dense lines, each statement with the place that proves it."""

from collections.abc import Callable, Iterable, Sequence

from repowright_tools.index.overview.build import Overview
from repowright_tools.index.overview.place import Place
from repowright_tools.secrets import redact, strip_invisible
from repowright_tools.tokens import estimate_tokens

_MOST_ITEMS = 12  # of a line
_ITEMS_FOR_MORE = 4  # of other lines, before a line of commands has more than the most authoritative one

_Lines = Callable[[Overview, int], Sequence[str]]


def overview_text(overview: Overview, token_budget: int) -> str:
    """The overview in at most `token_budget` tokens (`estimate_tokens`); empty when not even its first line fits.

    Each subject gets its line, the most asked for first, and then what room is left goes round, an item a turn.
    Secrets are hidden. The same overview gives the same text.
    """
    left = token_budget
    taken: dict[_Lines, tuple[Sequence[str], int]] = {}
    for items in range(1, _MOST_ITEMS + 1):
        for subject in _SUBJECTS if items == 1 else list(taken):
            lines = [_safe(line) for line in subject(overview, items)]
            cost = sum(estimate_tokens(f"{line}\n") for line in lines)
            more = cost - (taken[subject][1] if subject in taken else 0)
            if more <= left:
                taken[subject] = lines, cost
                left -= more
    kept = [line for lines, _ in taken.values() for line in lines]
    while kept and estimate_tokens(_text(kept)) > token_budget:  # what is hidden may go over several lines
        kept.pop()
    return _text(kept)


def _text(lines: Iterable[str]) -> str:
    return _safe("".join(f"{line}\n" for line in lines))


def _safe(text: str) -> str:
    return redact(strip_invisible(text))


def _command(kind: str) -> _Lines:
    def lines(overview: Overview, items: int) -> list[str]:
        found = overview.commands[kind][: 1 if items < _ITEMS_FOR_MORE else 2]
        told = (f"`{it.command}` ({it.evidence.path}:{it.evidence.line})" for it in found)
        return [f"{kind}: " + "; ".join(told)] if found else []

    return lines


def _runtimes(overview: Overview, items: int) -> list[str]:
    return _line("runtimes", (_cited(f"{it.name} {it.version}".rstrip(), it.place) for it in overview.runtimes), items)


def _services(overview: Overview, items: int) -> list[str]:
    return _line("services", (_cited(it.name, it.places[0]) for it in overview.services), items)


def _languages(overview: Overview, items: int) -> list[str]:
    total = sum(size for _, _, _, size in overview.languages) or 1
    shown = (f"{name} {100 * size / total:.0f}% ({lines} lines)" for name, _, lines, size in overview.languages)
    return _line("languages", shown, min(items, 8))


def _tests(overview: Overview, items: int) -> list[str]:
    tests = overview.tests
    if not tests.files and not tests.frameworks:
        return ["tests: none found"]
    parts = [
        ", ".join(_cited(name, place) for name, place in tests.frameworks[: min(items, 4)]),
        f"{_count(tests.files, 'file')} named " + ", ".join(name for name, _ in tests.naming[: min(items, 4)])
        if tests.files
        else "",
        "in " + ", ".join(f"{folder} ({count})" for folder, count in tests.folders[: min(items, 5)])
        if tests.files
        else "",
        f"{tests.tested} of {tests.sources} sources have a test of their name" if tests.files and tests.sources else "",
    ]
    return ["tests: " + "; ".join(part for part in parts if part)]


def _starts(overview: Overview, items: int) -> list[str]:
    shown = (f"{it.name} ({it.kind}, {it.path}:{it.line})" for it in overview.entry_points)
    return _line("starts", shown, min(items, 6))


def _modules(overview: Overview, items: int) -> list[str]:
    graph = overview.graph
    if len(graph.modules) < 2:
        return []
    heads = [f"{len(graph.modules)} in {_count(graph.layers, 'layer')}"]
    if graph.leaned_on:
        used = ", ".join(f"{path} (by {count})" for path, count in graph.leaned_on[: min(items, 6)])
        heads.append(f"most used: {used}")
    if graph.cycles:
        first = graph.cycles[0]
        more = f" and {len(first) - 3} more" if len(first) > 3 else ""
        heads.append(f"{_count(len(graph.cycles), 'cycle')}, the largest {' <-> '.join(first[:3])}{more}")
    return ["modules: " + "; ".join(heads)]


def _hot_spots(overview: Overview, items: int) -> list[str]:
    shown = (f"{it.path} ({_count(it.commits, 'commit')}, {_count(it.lines, 'line')})" for it in overview.hot_spots)
    return _line("hot spots", list(shown)[: min(items, 8)], items)


def _folders(overview: Overview, items: int) -> list[str]:
    below = [folder for folder in overview.folders if folder.path != "." and "/" not in folder.path]
    shown = (f"{folder.path} ~{_short(folder.tokens)}" for folder in below)
    whole = next((folder for folder in overview.folders if folder.path == "."), None)
    total = [f"all ~{_short(whole.tokens)}"] if whole else []
    return _line("tokens by size", [*total, *shown], min(items, 8) + 1)


def _ci(overview: Overview, items: int) -> list[str]:
    shown = (f"{name} ({', '.join(files[: min(items, 4)])})" for name, files in overview.ci)
    return _line("CI", shown, 3)


def _line(subject: str, shown: Iterable[str], items: int) -> list[str]:
    every = list(shown)
    rest = f", and {len(every) - items} more" if len(every) > items else ""
    return [f"{subject}: " + ", ".join(every[:items]) + rest] if every else []


def _cited(text: str, place: Place) -> str:
    return f"{text} ({place})"


def _count(number: int, of: str) -> str:
    return f"{number} {of}" if number == 1 else f"{number} {of}s"


def _short(count: int) -> str:
    if count < 1000:
        return str(count)
    return f"{count / 1000:.0f}k" if count < 1_000_000 else f"{count / 1_000_000:.1f}M"


_SUBJECTS: tuple[_Lines, ...] = (
    *(_command(kind) for kind in ("test", "install", "run", "lint", "build")),
    _runtimes, _services, _tests, _hot_spots, _starts, _modules, _languages, _folders, _ci,
)  # fmt: skip
