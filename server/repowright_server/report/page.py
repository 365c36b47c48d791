"""One page about a repository: no script, no network, nothing beside it."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from repowright_server.report import sections
from repowright_server.report.facts import Facts
from repowright_server.report.graph_section import modules
from repowright_server.report.markup import Markup, element, plain

_SECTIONS = (
    sections.relevant,
    sections.languages,
    modules,
    sections.commands,
    sections.entry_points,
    sections.services,
    sections.tests,
    sections.features,
    sections.hot_spots,
    sections.tokens,
    sections.excluded,
    sections.repository_map,
)


def page(result: Mapping[str, Any], facts: Facts) -> str:
    """The whole document.

    Args:
        result: of the stage analyse_repo, as its contract has it.
        facts: what else is known.
    """
    made = [(part, content) for part in _SECTIONS if (content := part(result, facts)) is not None]
    name = plain(str(result["root"]).rstrip("/").rpartition("/")[2] or "repository", 200)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=Markup(_policy())),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", f"{name} - analysis"),
        element("style", _style()),
    )
    body = element(
        "body",
        element("a", "Skip to the content", class_="skip", href="#content"),
        _header(result, name),
        _navigation([content for _, content in made]),
        element("main", *[content for _, content in made], id="content"),
        element("footer", "Made by repowright analyse. The page runs no script and asks no network for anything."),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _header(result: Mapping[str, Any], name: str) -> Markup:
    files = result["files"]
    dirty = ", with uncommitted changes" if result["dirty"] else ""
    commit = f"commit {str(result['commit'])[:12]}" if result["commit"] else "no commit yet"
    figures = {
        "Files": files["listed"],
        "Analysed": files["analysed"],
        "Lines": sum(int(each["lines"]) for each in result["languages"]),
        "Modules": len(result["modules"]),
        "In cycles": sum(bool(each["in_cycle"]) for each in result["modules"]),
        "Entry points": len(result["entry_points"]),
        "Features": len(result["features"]),
    }
    cards = [element("div", element("dt", title), element("dd", f"{count:,}")) for title, count in figures.items()]
    notes = [element("p", each["message"], class_="note", role="note") for each in result["warnings"]]
    where = element("p", element("span", str(result["root"]), class_="path"), f" at {commit}{dirty}", class_="soft")
    return element("header", element("h1", name), where, element("dl", *cards, class_="cards"), *notes)


_TITLES = {
    "relevant": "Relevant", "languages": "Languages", "modules": "Modules", "commands": "Commands",
    "entry-points": "Entry points", "services": "Services", "tests": "Tests", "features": "Features",
    "hot-spots": "Hot spots", "tokens": "Tokens", "excluded": "Left out", "map": "Map",
}  # fmt: skip


def _navigation(made: list[Markup]) -> Markup:
    links = [
        element("li", element("a", title, href=f"#{identifier}"))
        for identifier, title in _TITLES.items()
        if any(content.startswith(f'<section id="{identifier}"') for content in made)
    ]
    return element("nav", element("ul", *links), aria_label="Parts of the page")


@cache
def _style() -> Markup:
    return Markup(Path(__file__).with_name("style.css").read_text(encoding="utf-8"))


def _policy() -> str:
    """Nothing but our own style sheet, by its hash: should an escape ever be missed, what slips in cannot run."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
