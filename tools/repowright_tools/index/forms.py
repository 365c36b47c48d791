"""How deep each file is looked into: parsed, definitions only, text only. What is given up is told, never silent."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from repowright_tools.index.languages import grammar_available, grammar_named, grammar_of
from repowright_tools.index.limits import Limits
from repowright_tools.index.paths import shown
from repowright_tools.index.table import FileTable
from repowright_tools.index.wire import TAGS


@dataclass
class Depth:
    """What is done with source files.

    Attributes:
        forms: by place, for files that are parsed: the grammar, with `TAGS` when only definitions are kept.
        source_bytes: of all files that are small enough to be parsed.
        given_up: how many files are looked into less than others, by warning code.
        missing: files whose grammar is not installed, by grammar.
    """

    forms: dict[int, str] = field(default_factory=dict[int, str])
    source_bytes: int = 0
    given_up: Counter[str] = field(default_factory=Counter[str])
    missing: Counter[str] = field(default_factory=Counter[str])


def form_of(name: bytes, size: int, limits: Limits) -> str | None:
    """What parses a file that the limits on the whole leave room for; None when nothing does."""
    grammar = grammar_of(shown(name))
    return None if grammar is None else _form(grammar, size, limits)


def _form(grammar: str, size: int, limits: Limits) -> str | None:
    if size > limits.tags_bytes or not grammar_available(grammar):
        return None
    return grammar if size <= limits.parse_bytes else grammar + TAGS


def depth_of(table: FileTable, places: Iterable[int], limits: Limits) -> Depth:
    """How deep the files at these places are looked into, in their order, until the limits on the whole are used up."""
    depth = Depth()
    for place in places:
        grammar = grammar_of(shown(table.names[place]))
        if grammar is None:
            continue
        size = max(table.size(place), 0)
        form = _form(grammar, size, limits)
        if form is None:
            missing = not grammar_available(grammar)
            depth.missing[grammar] += missing
            depth.given_up["large_source"] += not missing
            continue
        depth.source_bytes += size
        if depth.source_bytes > limits.tags_total_bytes:
            depth.given_up["too_much_source"] += 1
            continue
        if depth.source_bytes > limits.parse_total_bytes:
            form = form.removesuffix(TAGS) + TAGS
        depth.given_up["tags_only"] += form.endswith(TAGS)
        depth.forms[place] = form
    return depth


def depth_after(table: FileTable, places: Iterable[int], source_bytes: int, limits: Limits) -> Depth | None:
    """How deep a few files are looked into that changed in a tree of which nothing was given up.

    None when something may have to be given up now: then all files have to be looked at, in their order.
    """
    depth = Depth(source_bytes=source_bytes)
    for place in places:
        name, size = table.names[place], max(table.size(place), 0)
        form = form_of(name, size, limits)
        if form is None and grammar_of(shown(name)) is None:
            continue
        depth.source_bytes += size
        if form is None or form.endswith(TAGS) or depth.source_bytes > limits.parse_total_bytes:
            return None
        depth.forms[place] = form
    return depth


def warnings_of(depth: Depth, limits: Limits) -> list[tuple[str, str]]:
    """Code and message for everything that was given up."""
    said = {
        "tags_only": (
            f"above {limits.parse_bytes} bytes, or beyond {limits.parse_total_bytes} bytes of source in all, "
            "are known by their definitions alone; what they refer to is not."
        ),
        "large_source": f"above {limits.tags_bytes} bytes are searched as text only.",
        "too_much_source": f"beyond {limits.tags_total_bytes} bytes of source in all are searched as text only.",
    }
    warnings = [
        (code, f"{depth.given_up[code]} source files {text}") for code, text in said.items() if depth.given_up[code]
    ]
    for grammar, count in sorted(depth.missing.items()):
        if count:
            package = grammar_named(grammar)[0].package.replace("_", "-")
            text = f"{count} {grammar} files are searched as text only: the grammar is not installed. "
            advice = f"`pip install {package}` beside repowright makes their symbols known."
            warnings.append(("grammar_missing", text + advice))
    return warnings
