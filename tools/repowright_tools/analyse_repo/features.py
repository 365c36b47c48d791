"""What users of the repository's product can reach or rely on, as its code, pages and tests say; without a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from repowright_tools.analyse_repo.behaviours import MOST_SAID, needs_text, sentences, subject
from repowright_tools.analyse_repo.mining import declared, documented, file_route, with_help
from repowright_tools.analyse_repo.models import Feature
from repowright_tools.analyse_repo.patterns import BY_LANGUAGE
from repowright_tools.analyse_repo.public_api import public_names
from repowright_tools.analyse_repo.ui_strings import CATALOGUE, TEMPLATES, strings
from repowright_tools.index.paths import folder_of
from repowright_tools.index.reading import FileRefused, TreeReader
from repowright_tools.index.test_files import convention, is_beside, is_data, is_test
from repowright_tools.models import Evidence

if TYPE_CHECKING:
    from repowright_tools.index.entry_points import EntryPoint
    from repowright_tools.index.index import RepositoryIndex
    from repowright_tools.index.listing import SourceFile

MOST = 200
"""Features of a repository."""

_KINDS = ("command", "program", "route", "page", "menu", "api", "behaviour")
"""In the order in which users meet them."""
_MOST_BYTES = 512 * 1024  # of a file that is read
_MOST_READ = 96 * 1024 * 1024  # in all
_MOST_TESTS = 120  # test files that are looked into
_MOST_PLACES = 5  # of a feature
_MOST_TITLE = 200
_DECLARED = {"console_script": "command", "package_bin": "command"}
_STARTS = frozenset({"go_main", "rust_main", "java_main", "module_main", "csharp_main", "kotlin_main", "c_main"})
_OUTER = frozenset({"e2e", "acceptance", "features", "functional", "integration", "system", "scenarios"})
_STEP = re.compile(r"[/._-]")

_Found = tuple[str, str, str, int]  # kind, title, path, line


def mine(index: RepositoryIndex, entry_points: Sequence[EntryPoint]) -> list[Feature]:
    """Features with their evidence, each once; at most `MOST`, each kind with a fair share of them."""
    places: dict[str, dict[str, list[Evidence]]] = {kind: {} for kind in _KINDS}
    for kind, title, path, line in (*_entries(index, entry_points), *_in_files(index), *_api(index)):
        evidence = places[kind].setdefault(title[:_MOST_TITLE], [])
        if len(evidence) < _MOST_PLACES:
            evidence.append(Evidence(path=path, line=line))
    ranked = {kind: sorted(found, key=_reach) if kind == "route" else list(found) for kind, found in places.items()}
    shares = fair_shares({kind: len(found) for kind, found in ranked.items()}, MOST)
    chosen = [(kind, title) for kind in _KINDS for title in ranked[kind][: shares[kind]]]
    return [
        Feature(id=f"F{number}", title=title, evidence=places[kind][title])
        for number, (kind, title) in enumerate(chosen, 1)
    ]


def fair_shares(counts: Mapping[str, int], total: int) -> dict[str, int]:
    """How many of each kind: all of a small one, and what is left shared equally among the large."""
    shares = dict.fromkeys(counts, 0)
    open_kinds = [kind for kind, count in counts.items() if count]
    while total and open_kinds:
        each = max(total // len(open_kinds), 1)
        for kind in list(open_kinds):
            given = min(each, counts[kind] - shares[kind], total)
            shares[kind] += given
            total -= given
            if shares[kind] == counts[kind]:
                open_kinds.remove(kind)
    return shares


def _reach(title: str) -> tuple[int, int]:
    """Routes near the root first, and of those the ones that name nothing variable."""
    route = title.rpartition(" ")[2].strip("/")
    return route.count("/"), sum(route.count(mark) for mark in "<{:*[(")


def _entries(index: RepositoryIndex, entry_points: Sequence[EntryPoint]) -> Iterator[_Found]:
    """Commands that are installed, then programs, those near the root first."""
    product = [entry for entry in entry_points if not is_test(entry.path) and not is_beside(entry.path)]
    yield from (("command", f"command {it.name}", it.path, it.line) for it in product if it.kind in _DECLARED)
    starts = sorted((entry for entry in product if entry.kind in _STARTS), key=lambda it: (it.path.count("/"), it.path))
    for entry in starts:
        name = entry.name if entry.name != "." else _module_name(index)
        yield "program", f"program {name}", entry.path, entry.line


def _module_name(index: RepositoryIndex) -> str:
    """What the program at the root of a Go module is called."""
    declared = re.search(r"^module (?:\S{1,200}/)?([\w.-]{1,80})$", index.text("go.mod") or "", re.MULTILINE)
    return declared[1] if declared else "."


def _in_files(index: RepositoryIndex) -> Iterator[_Found]:
    """What single files declare, those that can declare nothing left unread."""
    left = _MOST_READ
    with TreeReader(index.root) as reader:
        next_js = _uses_next(index)
        tests: list[SourceFile] = []
        for file in index.files:
            role = _role(file)
            if role is None or file.size > _MOST_BYTES:
                continue
            if role == "test":
                tests.append(file)
                continue
            if next_js and (route := file_route(file.path)):
                yield "route", route, file.path, 1
            left -= file.size
            if left < 0:
                return
            yield from _in_file(file, _read(reader, file))
        yield from _tested(index, reader, tests)


def _role(file: SourceFile) -> str | None:
    if convention(file.path):
        return None if is_data(file.path) else "test"
    if file.path.endswith(".feature"):
        return "test"
    extension = file.path.rpartition(".")[2]
    if extension in TEMPLATES and not is_test(file.path):
        return "product" if not is_beside(file.path) or "templates" in folder_of(file.path).split("/") else None
    if (file.language or "") in BY_LANGUAGE and not is_test(file.path) and not is_beside(file.path):
        return "product"
    return "product" if CATALOGUE.search(file.path) and not is_test(file.path) else None


def _in_file(file: SourceFile, data: bytes) -> Iterator[_Found]:
    for kind, title, line in declared(file.path, file.language or "", data):
        yield kind, title, file.path, line
    if b"MenuItem" in data or file.path.rpartition(".")[2] in TEMPLATES or CATALOGUE.search(file.path):
        for kind, said, at in strings(file.path, data):
            text = " ".join(said.decode("utf-8", "replace").split())
            yield kind, f"{kind} “{text}”", file.path, data.count(b"\n", 0, at) + 1


def _tested(index: RepositoryIndex, reader: TreeReader, tests: Iterable[SourceFile]) -> Iterator[_Found]:
    """One feature a test file: what its first tests say, each with its line."""
    for file in sorted(tests, key=lambda file: _outermost(file.path))[:_MOST_TESTS]:
        data = _read(reader, file) if needs_text(file.path) else b""
        said = sentences(file.path, index.parsed.get(file.path), data)
        if said:
            told = "; ".join(sentence for sentence, _ in said[:MOST_SAID])
            more = f"; and {len(said) - MOST_SAID} more" if len(said) > MOST_SAID else ""
            title = f"behaviour of {subject(file.path)}: {told}"
            title = title if len(title) <= _MOST_TITLE - 20 else f"{title[: _MOST_TITLE - 20].rpartition(' ')[0]}…"
            yield from (("behaviour", title + more, file.path, line) for _, line in said[:MOST_SAID])


def _outermost(path: str) -> tuple[bool, int, str]:
    """Tests of the whole before tests of its parts."""
    return _OUTER.isdisjoint(_STEP.split(path.lower())), path.count("/"), path


def _api(index: RepositoryIndex) -> Iterator[_Found]:
    texts: dict[str, list[str]] = {}
    for name in public_names(index):
        if name.doc_line is not None and name.path not in texts:
            texts[name.path] = (index.text(name.path) or "").split("\n")
        said = documented(texts[name.path], name.doc_line) if name.doc_line is not None else ""
        yield "api", with_help(f"API {name.package}: {name.name}", said), name.path, name.line


def _uses_next(index: RepositoryIndex) -> bool:
    manifests = [path for path in index.paths if path.endswith("package.json") and path.count("/") <= 2][:20]
    return any('"next"' in (index.text(path) or "") for path in manifests)


def _read(reader: TreeReader, file: SourceFile) -> bytes:
    try:
        return reader.read(file.raw, _MOST_BYTES)
    except (FileRefused, OSError):
        return b""  # it went, or became something else, since it was listed
