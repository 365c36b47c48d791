"""The parts of a page, each from the stage's result and the facts beside it; None where there is nothing to say."""

from collections.abc import Mapping, Sequence
from typing import Any

from repowright_server.report.facts import Facts
from repowright_server.report.markup import Markup, element
from repowright_server.report.pictures import (
    MOST_SPOTS,
    draw_hot_spots,
    draw_languages,
    draw_tokens,
    language_shares,
    short_count,
)
from repowright_server.report.tables import Cell, code, folded, place, section, table
from repowright_server.report.words import kind, reason

Result = Mapping[str, Any]


def languages(result: Result, _facts: Facts) -> Markup | None:
    if not result["languages"]:
        return None
    rows = [
        (
            element("span", element("span", class_=f"key hue{min(each.colour, 8)}", aria_hidden="true"), each.name),
            f"{each.part:.1%}",
            each.files,
            each.lines,
            f"{short_count(each.size)}B",
        )
        for each in language_shares(result["languages"])
    ]
    return section(
        "languages", "Languages",
        draw_languages(result["languages"]),
        table(("Language", "#Share of bytes", "#Files", "#Lines", "#Size"), rows, "Languages"),
    )  # fmt: skip


def commands(result: Result, _facts: Facts) -> Markup | None:
    rows = [
        (purpose, code(each["command"]), place(each["evidence"]["path"], each["evidence"]["line"]))
        for purpose, found in result["commands"].items()
        for each in found
    ]
    said = element("p", "As the repository itself declares them, the most authoritative first.", class_="soft")
    return (
        section("commands", "Commands", said, table(("For", "Command", "Declared in"), rows, "Commands"))
        if rows
        else None
    )


def entry_points(result: Result, _facts: Facts) -> Markup | None:
    rows = [
        (code(each["name"]), kind(each["kind"]), place(each["path"], each["line"])) for each in result["entry_points"]
    ]
    if not rows:
        return None
    return section("entry-points", "Entry points", *_first(rows, 25, ("Name", "Kind", "Where"), "Entry points"))


def services(_result: Result, facts: Facts) -> Markup | None:
    known = facts.overview
    needed = [
        (each.name, each.image or "", element("span", *_listed(map(str, each.places[:4])))) for each in known.services
    ]
    runtimes = [(each.name, each.version, place(each.place)) for each in known.runtimes]
    pipelines = [(name, len(files), element("span", *_listed(files[:6]))) for name, files in known.ci]
    parts = [
        _titled("Services that must run beside it", ("Service", "Image", "Named in"), needed),
        _titled("Runtimes", ("Runtime", "Version", "Asked for in"), runtimes),
        _titled("Continuous integration", ("System", "#Files", "Such as"), pipelines),
    ]
    return section("services", "Services and runtimes", *parts) if any(parts) else None


def tests(_result: Result, facts: Facts) -> Markup | None:
    layout = facts.overview.tests
    if not layout.files and not layout.frameworks:
        return None
    named = f"{layout.tested:,} of {layout.sources:,} source files have a test file that is named after them."
    frameworks = [(name, place(where)) for name, where in layout.frameworks]
    return section(
        "tests", "Tests",
        element("p", f"{layout.files:,} test files. {named if layout.sources else ''}", class_="soft"),
        _titled("Frameworks", ("Framework", "Named in"), frameworks),
        _titled("Folders", ("Folder", "#Test files"), [(place(path), count) for path, count in layout.folders]),
        _titled("Names", ("Pattern", "#Test files"), [(code(name), count) for name, count in layout.naming]),
        _titled("The largest sources without one", ("File",), [(place(path),) for path in layout.untested]),
    )  # fmt: skip


def hot_spots(_result: Result, facts: Facts) -> Markup | None:
    if not facts.overview.hot_spots:
        return None
    spots = facts.overview.hot_spots[:MOST_SPOTS]
    rows = [(number, place(spot.path), spot.commits, spot.lines) for number, spot in enumerate(spots, 1)]
    said = "Long files that change often: where bugs are likely, and where reading pays. Recent commits count more."
    return section(
        "hot-spots", "Hot spots",
        element("p", said, class_="soft"),
        draw_hot_spots(spots),
        table(("#No.", "File", "#Commits", "#Lines"), rows, "Hot spots"),
    )  # fmt: skip


def tokens(_result: Result, facts: Facts) -> Markup | None:
    total = sum(facts.folder_tokens.values())
    if not total:
        return None
    ordered = sorted(facts.folder_tokens.items(), key=lambda item: (-item[1], item[0]))
    rows = [(place(path), count, f"{count / total:.1%}") for path, count in ordered]
    said = f"About {total:,} tokens of text in all: what a model would have to read to see everything."
    return section(
        "tokens", "Tokens per folder",
        element("p", said, class_="soft"),
        draw_tokens(facts.folder_tokens),
        folded(f"All {len(rows):,} folders", table(("Folder", "#Tokens in it", "#Share"), rows, "Tokens per folder")),
    )  # fmt: skip


def excluded(result: Result, _facts: Facts) -> Markup | None:
    rows = [
        (reason(each["reason"]), each["count"], element("span", *_listed(each["examples"])))
        for each in sorted(result["files"]["excluded"], key=lambda each: (-each["count"], each["reason"]))
    ]
    if not rows:
        return None
    return section("excluded", "Files left out", table(("Why", "#Files", "Such as"), rows, "Files left out"))


def features(result: Result, _facts: Facts) -> Markup | None:
    found = result["features"]
    if not found:
        return None
    rows = [(each["id"], each["title"], element("span", *_listed(map(_spot, each["evidence"][:4])))) for each in found]
    content = table(("", "Feature", "Evidence"), rows, "Features")
    parts = [content if len(rows) <= 30 else folded(f"All {len(rows)}", content)]
    if result["stories"]:
        told = [(each["feature"], each["story"], "; ".join(each["acceptance"]),
                 element("span", *_listed(map(_spot, each["evidence"])))) for each in result["stories"]]  # fmt: skip
        parts += [
            element("h3", "User stories"),
            table(("", "Story", "Accepted when", "Evidence"), told, "User stories"),
        ]
    return section("features", "Features", *parts)


def relevant(result: Result, _facts: Facts) -> Markup | None:
    rows = [(place(each["path"]), f"{each['score']:.2f}", each["why"]) for each in result["relevant"]]
    if not rows:
        return None
    said = element("p", "For the focus that was given, the best first.", class_="soft")
    return section("relevant", "Relevant files", said, *_first(rows, 12, ("File", "#Score", "Why"), "Relevant files"))


def repository_map(result: Result, _facts: Facts) -> Markup | None:
    if not result["map"]:
        return None
    whole = element("pre", element("code", Markup(_whole(result["map"]))), tabindex="0", aria_label="Map")
    return section("map", f"Map ({result['map_tokens']:,} tokens)", folded("The ranked symbols", whole))


def _whole(text: str) -> str:
    """The map: bounded by its token budget already, and escaped line by line."""
    from repowright_server.report.markup import escaped

    return "\n".join(escaped(line) for line in text.splitlines())


def _first(rows: Sequence[Sequence[Cell]], most: int, head: Sequence[str], caption: str) -> list[Markup]:
    """The first rows, and the others folded away."""
    shown = [table(head, rows[:most], caption)]
    if len(rows) > most:
        shown.append(folded(f"{len(rows) - most} more", table(head, rows[most:], f"{caption}, continued")))
    return shown


def _titled(title: str, head: Sequence[str], rows: Sequence[Sequence[Cell]]) -> Markup | None:
    return element("div", element("h3", title), table(head, rows, title, most=60)) if rows else None


def _listed(texts: Any) -> list[Markup | str]:
    shown = [place(text) for text in texts]
    return [part for at, one in enumerate(shown) for part in ((", ", one) if at else (one,))]


def _spot(evidence: Mapping[str, Any]) -> str:
    return f"{evidence['path']}:{evidence['line']}"
