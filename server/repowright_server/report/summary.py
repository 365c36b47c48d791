"""An analysis as text for a terminal, or for a file when it goes there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repowright_server.report.facts import Facts
from repowright_server.report.folding import fold
from repowright_server.report.markup import plain, shortened
from repowright_server.report.pictures import language_shares, short_count
from repowright_server.report.words import kind, reason

Result = Mapping[str, Any]

_BAR = 20
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Look:
    """How text may look: columns (None: lines are never cut), whether in colour, and whether beyond ASCII."""

    width: int | None = None
    colour: bool = False
    blocks: bool = True

    def title(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.colour else text

    def soft(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self.colour else text

    def bar(self, share: float) -> str:
        """A share as a bar of `_BAR` columns."""
        if not self.blocks:
            return ("#" * max(1, round(share * _BAR))).ljust(_BAR)
        eighths = max(1, round(share * _BAR * 8))
        return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()).ljust(_BAR)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a section: what it says, and what stands behind it in a softer tone, such as its evidence."""

    text: str
    aside: str = ""


def summary(result: Result, facts: Facts, look: Look) -> str:
    """The whole text. Every part of it that comes from the repository is made harmless for a terminal."""
    sections: list[tuple[str, Iterable[Line]]] = [
        ("Languages", _languages(result, look)),
        ("Left out", _excluded(result)),
        ("Commands", _commands(result)),
        ("Entry points", _entry_points(result)),
        ("Services", _services(facts)),
        ("Tests", _tests(facts)),
        ("Hot spots (commits, lines)", _hot_spots(facts)),
        ("Modules", _modules(result, facts)),
        ("Tokens per folder", _tokens(facts, look)),
        ("Relevant", _relevant(result)),
    ]
    lines = [look.title(_head(result, look.width)), _counts(result)]
    for title, content in sections:
        shown = [_fitted(line, look) for line in content]
        if shown:
            lines += ["", look.title(title), *shown]
    lines += ["", look.title(f"Map ({result['map_tokens']} tokens)"), "", *map(_harmless, result["map"].splitlines())]
    lines += [f"note: {_harmless(each['message'])}" for each in result["warnings"]]
    return "\n".join(lines) + "\n"


def _head(result: Result, width: int | None) -> str:
    root, dirty = _harmless(result["root"]), " with uncommitted changes" if result["dirty"] else ""
    at = f" at {(result['commit'] or 'no commit')[:12]}{dirty}"
    return (root if width is None else shortened(root, max(8, width - len(at) - 1))) + at


def _counts(result: Result) -> str:
    files = result["files"]
    return f"{files['listed']:,} files, {files['analysed']:,} analysed"


def _languages(result: Result, look: Look) -> Iterable[Line]:
    for each in language_shares(result["languages"]):
        bar = f"{look.bar(each.part)} {each.part:>4.0%}"
        yield Line(f"{each.name:<16} {bar}", f"{each.lines:>10,} lines in {each.files:,} files")


def _excluded(result: Result) -> Iterable[Line]:
    for each in sorted(result["files"]["excluded"], key=lambda each: (-each["count"], each["reason"])):
        yield Line(f"{each['count']:>7,}  {reason(each['reason'])}", ", ".join(each["examples"][:2]))


def _commands(result: Result) -> Iterable[Line]:
    for what, found in result["commands"].items():
        for each in found[:3]:
            yield Line(f"{what:<8}{each['command']}", f"{each['evidence']['path']}:{each['evidence']['line']}")


def _entry_points(result: Result) -> Iterable[Line]:
    found = result["entry_points"]
    for each in found[:10]:
        yield Line(each["name"], f"{kind(each['kind'])}, {each['path']}:{each['line']}")
    yield from _more(len(found) - 10)


def _services(facts: Facts) -> Iterable[Line]:
    for each in facts.overview.services[:10]:
        yield Line(each.name, ", ".join(str(place) for place in each.places[:2]))
    yield from _more(len(facts.overview.services) - 10)


def _tests(facts: Facts) -> Iterable[Line]:
    tests = facts.overview.tests
    if not tests.files and not tests.frameworks:
        return
    named = f", {tests.tested:,} of {tests.sources:,} sources have one named after them" if tests.sources else ""
    yield Line(f"{tests.files:,} test files{named}")
    for name, place in tests.frameworks[:4]:
        yield Line(name, str(place))
    for folder, count in tests.folders[:5]:
        yield Line(folder, f"{count:,} files")


def _hot_spots(facts: Facts) -> Iterable[Line]:
    for each in facts.overview.hot_spots[:8]:
        yield Line(f"{each.commits:>5} {each.lines:>7,}  {each.path}")


def _modules(result: Result, facts: Facts) -> Iterable[Line]:
    graph = facts.overview.graph
    if not graph.modules:
        return
    layers: dict[int, list[str]] = {}
    for each in sorted(result["modules"], key=lambda each: (-each["lines"], each["path"])):
        if each["imports"] or each["layer"]:
            layers.setdefault(each["layer"], []).append(each["path"])
    alone = f"{len(result['modules']):,} folders with source in {graph.layers} layers; above imports below"
    yield Line(alone)
    for layer in sorted(layers, reverse=True)[:8]:
        yield Line(f"layer {layer:<3}{len(layers[layer]):>5}: {_first(layers[layer])}")
    yield from _more(len(layers) - 8)
    if graph.leaned_on:
        yield Line("most imported: " + ", ".join(f"{path} ({count})" for path, count in graph.leaned_on[:4]))
    for group in graph.cycles[:3]:
        yield Line(f"cycle of {len(group)}: {_first(group)}")
    yield from _more(len(graph.cycles) - 3)


def _first(paths: Sequence[str]) -> str:
    return ", ".join([*paths[:4], *(["…"] if len(paths) > 4 else [])])


def _tokens(facts: Facts, look: Look) -> Iterable[Line]:
    total = sum(facts.folder_tokens.values()) or 1
    groups = sorted(fold(facts.folder_tokens, 12), key=lambda group: (-group.weight, group.path))
    for group in groups:
        if group.weight:
            where = f"{group.path} (the rest)" if group.rest else group.path
            yield Line(f"{short_count(group.weight):>6} {look.bar(group.weight / total)} {where}")


def _relevant(result: Result) -> Iterable[Line]:
    for each in result["relevant"][:15]:
        yield Line(each["path"], each["why"])


def _more(count: int) -> Sequence[Line]:
    return [Line("", f"and {count:,} more")] if count > 0 else []


def _fitted(line: Line, look: Look) -> str:
    """The line indented and inside the width: first what stands behind it is shortened, then the line itself."""
    text, aside = _harmless(line.text), _harmless(line.aside)
    if look.width is not None:
        text = text if len(text) <= look.width - 3 else f"{text[: max(1, look.width - 4)]}…"
        room = look.width - len(text) - 6
        aside = shortened(aside, room) if room > 8 else ""
    behind = look.soft(f"({aside})" if text and not aside[:1].isspace() else aside) if aside else ""
    return "  " + "  ".join(part for part in (text, behind) if part)


def _harmless(text: object) -> str:
    return " ".join(plain(text).expandtabs(1).splitlines())
