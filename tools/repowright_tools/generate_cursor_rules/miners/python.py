"""How the project's Python is written, where nearly all of it agrees and a linter's defaults would not say so."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from repowright_tools.generate_cursor_rules.miners.naming import belongs_to_tests
from repowright_tools.generate_cursor_rules.models import Rule
from repowright_tools.generate_cursor_rules.quoting import quoted
from repowright_tools.generate_cursor_rules.topics import MOST_EVIDENCE, Topic, agreed, rule
from repowright_tools.index.paths import name_of
from repowright_tools.models import Evidence

if TYPE_CHECKING:
    from repowright_tools.index.index import RepositoryIndex

_MOST_READ = 2000  # files whose text is looked at
_MOST_DOCSTRING = 4000
_MOST_INDENT = 120
_MOST_GLOBS = 8
_FUTURE = re.compile(r"^from __future__ import [\w, ]*\bannotations\b", re.MULTILINE)
_QUOTES = re.compile(r"\"\"\"|'''")
_STYLES = tuple(
    (style, re.compile(pattern, re.MULTILINE))
    for style, pattern in (
        ("Google style (`Args:`, `Returns:`)", r"^[ \t]*(?:Args|Returns|Raises|Yields|Attributes):[ \t]*$"),
        ("NumPy style (underlined `Parameters`)", r"^[ \t]*(?:Parameters|Returns|Raises)[ \t]*\n[ \t]*-{3}"),
        ("Sphinx style (`:param x:`, `:returns:`)", r"^[ \t]*:(?:param|returns?|raises)\b[^\n:]*:"),
    )
)


def mine(repository: "RepositoryIndex") -> Topic:
    paths = [
        file.path
        for file in repository.files
        if file.grammar == "python"
        and file.path in repository.parsed
        and not belongs_to_tests(file.path)
        and quoted(file.path)
    ]
    step = -(-len(paths) // _MOST_READ) or 1
    texts = {path: repository.text(path) or "" for path in paths[::step]}
    return Topic(
        kind="python",
        description="How Python code in this project is written",
        rules=[*_imports(repository, paths), *_future(texts), *_return_types(repository, paths), *_docstrings(texts)],
        always=False,
        globs=_globs(paths),
    )


def _imports(repository: "RepositoryIndex", paths: Sequence[str]) -> Iterator[Rule]:
    packages = {path.removesuffix("/__init__.py") for path in paths if path.endswith("/__init__.py")}
    tops = {name_of(folder) for folder in packages if folder.rpartition("/")[0] not in packages}
    relative: list[Evidence] = []
    absolute: list[Evidence] = []
    for path in paths:
        if path.rpartition("/")[0] not in packages:
            continue
        lines = {item.line: item.target for item in repository.parsed[path].imports}
        for line, target in lines.items():
            if target.startswith("."):
                relative.append(Evidence(path=path, line=line))
            elif target.split(".")[0] in tops:
                absolute.append(Evidence(path=path, line=line))
    sites = len(relative) + len(absolute)
    for statement, proofs in (
        ("absolute inside the project's own packages, not relative", absolute),
        ("relative inside the project's own packages (`from .module import name`)", relative),
    ):
        if agreed(len(proofs), sites):
            yield rule("python", "Imports", statement, proofs, len(proofs), sites)


def _future(texts: Mapping[str, str]) -> Iterator[Rule]:
    written = {path: text for path, text in texts.items() if text.strip()}
    found = {path: match for path, text in written.items() if (match := _FUTURE.search(text))}
    if agreed(len(found), len(written)):
        proofs = [_evidence(path, written[path], match.start()) for path, match in found.items()]
        statement = "modules begin with `from __future__ import annotations`"
        yield rule("python", "Annotations", statement, proofs, len(proofs), len(written))


def _return_types(repository: "RepositoryIndex", paths: Sequence[str]) -> Iterator[Rule]:
    proofs: list[Evidence] = []
    sites = 0
    for path in paths:
        for symbol in repository.symbols[path]:
            whole = not symbol.signature.endswith("…")
            if symbol.kind in {"function", "method"} and not symbol.local and symbol.name != "__init__" and whole:
                sites += 1
                if re.search(r"\) ?->", symbol.signature):
                    proofs.append(Evidence(path=path, line=symbol.line))
    if agreed(len(proofs), sites):
        yield rule("python", "Types", "functions declare their return type", proofs, len(proofs), sites)


def _docstrings(texts: Mapping[str, str]) -> Iterator[Rule]:
    by_style: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for path, text in texts.items():
        for at, docstring in docstrings(text):
            for style, pattern in _STYLES:
                if pattern.search(docstring):
                    by_style[style].append((path, at))
    sites = sum(map(len, by_style.values()))
    for style, found in by_style.items():
        if agreed(len(found), sites):
            proofs = [_evidence(path, texts[path], at) for path, at in found[:MOST_EVIDENCE]]
            yield rule("python", "Docstrings", style, proofs, len(found), sites)


def docstrings(text: str) -> Iterator[tuple[int, str]]:
    """Offset and beginning of each triple-quoted string that starts its line, in time linear in the text."""
    opening: re.Match[str] | None = None
    for match in _QUOTES.finditer(text):
        if opening is None:
            opening = match
        elif match[0] == opening[0]:
            start = opening.start()
            before = text[max(0, start - _MOST_INDENT) : start].rpartition("\n")[2]
            if before.strip(" \trRuU") == "":
                yield start, text[opening.end() : min(match.start(), opening.end() + _MOST_DOCSTRING)]
            opening = None


def _globs(paths: Sequence[str]) -> list[str]:
    """The folders with Python in them; a file at the root by its name, since YAML reads a leading `*` as an alias."""
    tops = {path.partition("/")[0] + "/**/*.py" if "/" in path else path for path in paths}
    return sorted(tops)[:_MOST_GLOBS]


def _evidence(path: str, text: str, at: int) -> Evidence:
    return Evidence(path=path, line=text.count("\n", 0, at) + 1)
