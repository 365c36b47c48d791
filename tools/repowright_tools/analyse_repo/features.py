"""What users of the repository's product can reach, as the code declares it: commands, routes and entry points."""

import re
from collections.abc import Iterator, Sequence

from repowright_tools.analyse_repo.models import Feature
from repowright_tools.index.entry_points import EntryPoint
from repowright_tools.index.index import RepositoryIndex
from repowright_tools.models import Evidence

MOST = 200

_TEST = re.compile(
    r"(^|/)(tests?|spec|__tests__|testdata|fixtures|examples?|docs?)/|(^|/)test_|[._-](test|spec)\.|Tests?\.java$"
)
_OPEN = r"\(\s{0,100}"
_QUOTED = r"""[rf]?["'`](?P<what>/[^"'`\n]{0,200})["'`]"""
_NAME = r"""["'](?P<what>[\w:-]{1,100})"""
_DECORATOR = r"^[ \t]*@[\w.]{1,100}"
_DECORATED = r"(?:[ \t]*@[^\n]*\n)*[ \t]*(?:async )?def (?P<what>\w+)"
_PATTERNS = {  # language: kind of feature, and pattern with the groups `what` and, for routes, `verb`
    "Python": (
        ("route", rf"{_DECORATOR}\.(?P<verb>get|post|put|patch|delete|route|websocket){_OPEN}{_QUOTED}"),
        ("route", rf"""^[ \t]*(?:re_)?path{_OPEN}r?["'](?P<what>[^"'\n]{{0,200}})["']\s{{0,100}},"""),
        ("command", rf"{_DECORATOR}\.command{_OPEN}(?:name[ \t]*=[ \t]*)?{_NAME}"),
        ("command", rf"{_DECORATOR}\.command\([^\"'\n]{{0,200}}\)[ \t]*\n{_DECORATED}"),
        ("command", rf"\.add_parser{_OPEN}{_NAME}"),
    ),
    "JavaScript": (
        ("route", rf"\b(?:app|router|server|fastify|api)\.(?P<verb>get|post|put|patch|delete|all){_OPEN}{_QUOTED}"),
        ("command", rf"\.command{_OPEN}{_NAME}"),
    ),
    "Go": (
        ("route", rf"\.(?P<verb>(?i:get|post|put|patch|delete)|HandleFunc|Handle){_OPEN}{_QUOTED}"),
        ("command", rf"\bUse:[ \t]*{_NAME}"),
    ),
    "Rust": (
        ("route", rf"#\[(?P<verb>get|post|put|patch|delete)\({_QUOTED}"),
        ("route", rf"\.route{_OPEN}{_QUOTED}"),
    ),
    "Java": (
        ("route", rf"@(?P<verb>Get|Post|Put|Patch|Delete|Request)Mapping\((?:value|path|[ \t=]){{0,5}}{_QUOTED}"),
        ("command", rf"@Command\([^)]{{0,300}}\bname[ \t]*=[ \t]*{_NAME}"),
    ),
}
_COMPILED = {
    language: [(title, re.compile(pattern, re.MULTILINE)) for title, pattern in patterns]
    for language, patterns in {**_PATTERNS, "TypeScript": _PATTERNS["JavaScript"]}.items()
}
_DECLARED = {"console_script": "command", "package_bin": "command"}
_STARTS = frozenset({"go_main", "rust_main", "java_main", "module_main"})


def mine(index: RepositoryIndex, entry_points: Sequence[EntryPoint]) -> list[Feature]:
    """Features with their evidence, commands and routes that several files declare being one; at most `MOST`."""
    evidence: dict[str, list[Evidence]] = {}
    for title, path, line in (*_entries(entry_points), *_declared(index)):
        evidence.setdefault(title, []).append(Evidence(path=path, line=line))
    named = list(evidence.items())[:MOST]
    return [Feature(id=f"F{number}", title=title, evidence=places) for number, (title, places) in enumerate(named, 1)]


def _entries(entry_points: Sequence[EntryPoint]) -> Iterator[tuple[str, str, int]]:
    for entry in entry_points:
        if entry.kind in _DECLARED:
            yield f"command {entry.name}", entry.path, entry.line
        elif entry.kind in _STARTS and not _TEST.search(entry.path):
            yield f"program {entry.name}", entry.path, entry.line


def _declared(index: RepositoryIndex) -> Iterator[tuple[str, str, int]]:
    for file in index.files:
        patterns = _COMPILED.get(file.language or "", ())
        if not patterns or _TEST.search(file.path) or file.path not in index.parsed:
            continue
        text = index.text(file.path) or ""
        found = [(match, title) for title, pattern in patterns for match in pattern.finditer(text)]
        for match, title in sorted(found, key=lambda item: item[0].start("what")):
            verb = (match.groupdict().get("verb") or "").upper()
            verb = "" if verb in {"ROUTE", "ALL", "HANDLE", "HANDLEFUNC", "REQUEST"} else f"{verb} "
            what = match["what"] or "/"
            yield f"{title} {verb.lstrip()}{what}", file.path, text.count("\n", 0, match.start("what")) + 1
