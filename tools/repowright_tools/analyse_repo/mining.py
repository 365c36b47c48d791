"""The features that single files declare. A pure function of a file's path and bytes."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from repowright_tools.analyse_repo.patterns import BY_LANGUAGE, METHODS, Pattern
from repowright_tools.index.paths import name_of, stem_of

Hit = tuple[str, str, int]
"""Kind of feature, title and line."""

_MOST = 100  # features of a file
_NO_VERB = frozenset({"ROUTE", "API_ROUTE", "ALL", "ANY", "HANDLE", "HANDLEFUNC", "REQUEST", "MATCH", "VIEW"})
_DOCSTRING = re.compile(rb"(?:[^\n]{0,300}\n){0,12}?[ \t]{1,40}[rf]?(?:\"\"\"|''')\s{0,40}(?P<text>[^\"'\n]{3,200})")
_SENTENCE = re.compile(r"(?<=[.!?])\s")
_MARKS = re.compile(r"^\s{0,80}(?:[rRuU]?(?:\"\"\"|\'\'\')|/\*\*?|//[/!]?|\*|#)\s{0,8}")
_MOST_SAID = 90  # characters of a help text
_NEXT = re.compile(r"(?:^|/)(?:src/)?(?:pages/(?P<page>.+)|app/(?P<app>.*?)(?:page|route))\.(?:tsx?|jsx?)$")
_GROUP = re.compile(r"\([^)/]*\)/?|@[^/]*/")
_SUBCOMMAND = re.compile(rb"derive\([^)]{0,200}\bSubcommand\b[^)]{0,200}\)\]")
_MOST_ENUMS = 20
_MOST_HEAD, _MOST_BODY = 400, 20_000  # bytes from the attribute to the enum's brace, and of what the braces hold
_VARIANT = re.compile(
    rb"(?:^    /// (?P<text>[^\n]{3,200})\n)?(?:^    (?:///|#\[)[^\n]{0,300}\n){0,20}"
    rb"^    (?P<what>[A-Z]\w{1,60})(?=[ ,({])",
    re.MULTILINE,
)


def declared(path: str, language: str, data: bytes) -> list[Hit]:
    """Routes and commands that a source file declares, in the order of the file; at most a hundred."""
    found: list[tuple[int, Hit]] = []
    for pattern in BY_LANGUAGE.get(language, ()):
        if _may_match(pattern, path, data):
            found += [
                (match.start("what"), _hit(pattern, path, data, match)) for match in pattern.pattern.finditer(data)
            ]
    if language == "Rust" and b"Subcommand" in data:
        found += list(_subcommands(data))
    return list(dict.fromkeys(hit for _, hit in sorted(found)))[:_MOST]


def file_route(path: str) -> str | None:
    """The route that Next.js makes of the file by its place, or None."""
    match = _NEXT.search(path)
    if match is None:
        return None
    place = match["page"] if match["page"] is not None else match["app"]
    if name_of(place).startswith("_") or ".." in place:
        return None
    return f"route /{_GROUP.sub('', place).removesuffix('index').strip('/')}"


def _may_match(pattern: Pattern, path: str, data: bytes) -> bool:
    return (
        any(anchor in data for anchor in pattern.anchors)
        and (not pattern.needs or any(need in data for need in pattern.needs))
        and (pattern.paths is None or bool(pattern.paths.search(path)))
    )


def _hit(pattern: Pattern, path: str, data: bytes, match: re.Match[bytes]) -> Hit:
    line = data.count(b"\n", 0, match.start("what")) + 1
    groups = match.groupdict()
    what = _text(groups["what"])
    if pattern.kind == "command":
        if pattern.paths is not None:  # a management command of Django is named by its file
            what = f"manage.py {stem_of(path)}"
        said = groups.get("text") or groups.get("said") or _docstring(data, match)
        return "command", with_help(f"command {what}", _text(said)), line
    verb = _text(groups.get("verb")).upper()
    if (verb in _NO_VERB or not verb) and (method := METHODS.search(groups.get("rest") or b"")):
        verb = _text(method["verb"])
    verb = "" if verb in _NO_VERB or verb in {"RESOURCE", "APIRESOURCE"} else verb
    return "route", " ".join(part for part in ("route", verb, what or "/") if part), line


def _docstring(data: bytes, match: re.Match[bytes]) -> bytes:
    """The first line of the docstring of a decorated Python function."""
    if not match[0].lstrip().startswith(b"@"):
        return b""
    start = data.find(b"def ", match.start("what") - 8, match.end() + 2000)
    found = _DOCSTRING.match(data, data.find(b"\n", start) + 1) if start >= 0 else None
    if found is None or b"\ndef " in found[0] or b"\n@" in found[0]:
        return b""
    return found["text"]


def _subcommands(data: bytes) -> Iterator[tuple[int, Hit]]:
    """Variants of the enums that clap makes subcommands of."""
    for match in islice(_SUBCOMMAND.finditer(data), _MOST_ENUMS):
        start = data.find(b"{", match.end(), match.end() + _MOST_HEAD)
        end = data.find(b"\n}", start, start + _MOST_BODY) if start >= 0 else -1
        for variant in islice(_VARIANT.finditer(data, start, end), _MOST) if end >= 0 else ():
            at = variant.start("what")
            name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", _text(variant["what"])).lower()
            title = with_help(f"command {name}", _text(variant["text"]))
            yield at, ("command", title, data.count(b"\n", 0, at) + 1)


def documented(lines: Sequence[str], line: int) -> str:
    """The first words of the documentation that begins on that line, without the marks of comments."""
    for text in lines[line - 1 : line + 2]:
        if said := _MARKS.sub("", text).strip(" \t\r*/\"'"):
            return "" if said.startswith("@") else said
    return ""


def with_help(title: str, said: str) -> str:
    """The title and the first sentence of what is said of it."""
    sentence = _SENTENCE.split(" ".join(said.split()), maxsplit=1)[0].rstrip(".")
    if len(sentence) > _MOST_SAID:
        sentence = f"{sentence[:_MOST_SAID].rpartition(' ')[0]}…"
    return f"{title}: {sentence}" if sentence else title


def _text(found: bytes | None) -> str:
    return (found or b"").decode("utf-8", "replace")
