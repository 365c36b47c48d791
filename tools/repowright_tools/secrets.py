"""Finding and hiding secrets, and making invisible characters go away, wherever text leaves the machine.

What this is not: a guarantee. It knows the shapes of common tokens and the values that were registered. A secret of
another shape, split, encrypted or encoded in another way passes. The rule that keeps secrets in is that they never
enter a sandbox, a prompt or a clone in the first place; this module is the net below it.

Every pattern runs in linear time: a repetition either ends the pattern, or is possessive and cannot start anew inside
the text that it just refused.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

SHORTEST_REGISTERED = 8
"""Characters. A shorter value would be found in ordinary words, and hiding it would spoil every text."""


class SecretFinding(NamedTuple):
    """Where a secret is, and of which kind; never its value. `line` counts from 1."""

    kind: str
    path: str
    line: int


def register_secret(value: str) -> None:
    """Have `redact` and the scans treat this value as a secret: as it is, and as URL, JSON or base64 text.

    Values shorter than `SHORTEST_REGISTERED` are left alone.
    """
    from urllib.parse import quote, quote_plus  # registered by servers alone; this module is also loaded elsewhere

    global _registered
    if len(value) >= SHORTEST_REGISTERED:
        forms = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], *_base64_forms(value)}
        # Longest first, so that no rest of a longer form stays behind.
        _registered = tuple(sorted({*_registered, *forms}, key=lambda form: (-len(form), form)))


def redact(text: str) -> str:
    """The text with everything that looks like a secret, placeholders included, replaced by `[redacted: kind]`."""
    text = redact_registered(text)
    for shape in _anchored(text):
        if shape.may_be_in(text):
            text = shape.pattern.sub(shape.hide, text)
    return text


def redact_registered(text: str) -> str:
    """The text without the registered values alone; text inside JSON stays JSON."""
    for form in _registered:
        text = text.replace(form, "[redacted: registered secret]")
    return text


def scan_text(path: str, text: str) -> list[SecretFinding]:
    """The secrets in a file's text, by line. Placeholders ("your-token-here", "xxx", "${TOKEN}") are not findings."""
    found = _kinds_by_line(text)
    # Characters that no reader sees may split a token; sequences that terminals hide may hold one: both are looked at.
    visible = strip_invisible(_compiled(_LONE_RETURN).sub(" ", text))  # a newline in its place would shift the lines
    if visible != text:
        found |= _kinds_by_line(visible)
    return [SecretFinding(kind, path, line) for line, kind in sorted(found)]


def scan_diff(diff: str) -> list[SecretFinding]:
    """The secrets on lines that a unified (or combined) diff of git adds, and in the names of the files it touches.

    Lines are those of the new file. Git must have been told `--text`, or it leaves out what it takes for binary.
    """
    findings: list[SecretFinding] = []
    for path, lines in _added_lines(diff):
        findings += [SecretFinding(found.kind, redact(path), 1) for found in scan_text(path, path)]
        for found in scan_text(path, "\n".join(text for _, text in lines)):
            findings.append(SecretFinding(found.kind, redact(path), lines[found.line - 1][0]))
    return list(dict.fromkeys(findings))


def strip_invisible(text: str) -> str:
    """The text without what a reader cannot see.

    Taken out: terminal sequences (CSI, OSC, DCS), control characters but tab and newline, zero-width and bidirectional
    controls, soft hyphens, fillers, tag characters, supplementary variation selectors. A lone carriage return, which
    would overwrite its line on a terminal, becomes a newline.
    """
    for hidden, shown in ((_TERMINAL, ""), (_LONE_RETURN, "\n"), (_INVISIBLE, "")):
        text = _compiled(hidden).sub(shown, text)
    return text


# --- what is not seen ---------------------------------------------------------------------------------------------

_TERMINAL = (
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*+(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*+[0-~]?"
)
_LONE_RETURN = r"\r(?!\n)"
_INVISIBLE = (
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)

# --- what looks like a secret -------------------------------------------------------------------------------------


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """At first use: all of them together cost a process several milliseconds, and few texts need any."""
    return re.compile(pattern)


class _Shape(NamedTuple):
    """A kind of secret. `anchors` are cheap lower-case texts, one of which occurs wherever the pattern matches.

    `hint` is a cheap pattern that matches wherever `source`, the pattern itself, does; empty when there is none.
    """

    kind: str
    anchors: tuple[str, ...]
    source: str
    is_secret: Callable[[str], bool]
    hides_all: bool = True  # whether redaction hides what is no finding too
    hint: str = ""

    @property
    def pattern(self) -> re.Pattern[str]:
        return _compiled(self.source)

    def may_be_in(self, text: str) -> bool:
        return not self.hint or _compiled(self.hint).search(text) is not None

    def value(self, match: re.Match[str]) -> str:
        return match.group("value")

    def hide(self, match: re.Match[str]) -> str:
        if not self.hides_all and not self.is_secret(self.value(match)):
            return match.group()
        start, end = match.span("value")
        before, after = match.string[match.start() : start], match.string[end : match.end()]
        return f"{before}[redacted: {self.kind}]{after}"


_PLACEHOLDER = (
    r"(?i)\$\{|\$\(|\{\{|\{[a-z_.]{1,60}+\}|%\(|%[sd]|<[a-z]|\.\.\.|x{4}|\*{3}|your[-_ ]|[-_ ]here\b|placeholder"
    r"|change[-_]?me|redacted|dummy|insert[-_]"
)
_SAMPLE = r"(?i)example|sample|fake|mock|password|passwd|secret|test|token|todo|12345"


def _is_literal(value: str) -> bool:
    """Whether something shaped like a token is one, not a placeholder for one."""
    return not _compiled(_PLACEHOLDER).search(value) and not set(value[8:]) <= set("xX0*._-")


def _is_random(value: str) -> bool:
    """Whether a literal that is called a password or token looks generated, not written as an example.

    Without the words of examples ("test", "password"), some part of it between punctuation mixes letters and digits
    over 8 characters, or it mixes cases, digits and unusual punctuation as password generators do; with at least 2.7
    bits of entropy a character (Shannon): 8 characters of which one occurs twice have 2.75.
    """
    if _compiled(_PLACEHOLDER).search(value):
        return False
    value = _compiled(_SAMPLE).sub("", value)
    if len(value) < 8 or _entropy(value) < 2.7:
        return False
    parts = [part for part in re.split(r"[^A-Za-z0-9]+", value) if len(part) >= 8]
    if any(_has(part, str.isdigit) and _has(part, str.isalpha) for part in parts):
        return True
    return (
        len(value) >= 12
        and all(_has(value, kind) for kind in (str.isupper, str.islower, str.isdigit))
        and any(character in "!@#$%^&*+=~?" for character in value)
    )


def _has(text: str, kind: Callable[[str], bool]) -> bool:
    return any(kind(character) for character in text)


def _entropy(text: str) -> float:
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


def _is_private_key(block: str) -> bool:
    """Whether there is a key between the lines, not only the words a parser looks for."""
    body = re.sub(r"-----[A-Z0-9 ]{1,60}-----", "", block)
    runs = re.findall(r"[A-Za-z0-9+/]{16,}", body)
    return any(run.startswith("MI") or len(run) >= 40 or re.search(r"[0-9+]", run) for run in runs)


_ALONE = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt]))"
"""Not in the middle of a word, though it may follow an escaped newline."""
_CALLED = (
    r"(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|auth[_-]?key|private[_-]?key|signing[_-]?key"
    r"|encryption[_-]?key)(?:[_-]?(?:key|value|prod|live|[0-9]{1,2}))?+"
)


def _shape(
    kind: str,
    anchors: str,
    pattern: str,
    is_secret: Callable[[str], bool] = _is_literal,
    *,
    hides_all: bool = True,
    hint: str = "",
) -> _Shape:
    return _Shape(kind, tuple(anchors.split()), pattern, is_secret, hides_all, hint)


_SHAPES = (
    _shape(
        "private key",
        "-----begin",
        r"(?P<value>-----BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:(?:[^-]++|-(?!----)){0,9999}+-{5,6}END [A-Z0-9 ]{1,60}-----|[A-Za-z0-9+/=\s\\]*+))",
        _is_private_key,
    ),
    _shape("github token", "ghp_ gho_ ghu_ ghs_ ghr_", r"(?P<value>gh[pousr]_[A-Za-z0-9]{20,255})"),
    _shape("github token", "github_pat_", r"(?P<value>github_pat_[A-Za-z0-9_]{20,255})"),
    _shape("anthropic key", "sk-ant-", r"(?P<value>sk-ant-[A-Za-z0-9_-]{16,255})"),
    _shape(
        "openai key",
        "sk-",
        _ALONE + r"(?P<value>sk-(?:(?:proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{20,255}|[A-Za-z0-9]{20,255}))",
    ),
    _shape("aws access key", "akia asia", r"(?<![A-Za-z0-9])(?P<value>(?:AKIA|ASIA)[A-Z0-9]{16})(?![A-Za-z0-9])"),
    _shape(
        "aws secret key",
        "aws",
        r"(?i)aws[_-]?(?:secret[_-]?)?(?:access[_-]?)?key[\"']?\s{0,4}+[:=]\s{0,4}+[\"']?(?P<value>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])",
    ),
    _shape("google api key", "aiza", r"(?P<value>AIza[A-Za-z0-9_-]{35})"),
    _shape("slack token", "xox", r"(?P<value>xox[abeoprs]-[A-Za-z0-9-]{10,255})"),
    _shape("slack webhook", "hooks.slack.com", r"(?P<value>hooks\.slack\.com/services/[A-Za-z0-9/]{20,255})"),
    _shape("stripe key", "_live_ _test_", r"(?P<value>[sr]k_(?:live|test)_[A-Za-z0-9]{16,255})"),
    _shape("gitlab token", "glpat-", r"(?P<value>glpat-[A-Za-z0-9_-]{20,255})"),
    _shape("pypi token", "pypi-", r"(?P<value>pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,255})"),
    _shape("npm token", "npm_", r"(?P<value>npm_[A-Za-z0-9]{36})(?![A-Za-z0-9_])"),
    _shape(
        "json web token",
        "eyj",
        _ALONE + r"(?P<value>eyJ[A-Za-z0-9_-]{8,}+\.eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+)",
    ),
    _shape(
        "credentials in a URL",
        "://",
        r"://[^\s/:@\"'<>`]{0,100}+:(?P<value>[^\s/@\"'<>`]{1,255}+)@",
        _is_random,
    ),
    _shape("credentials in a URL", "://", r"://(?P<value>[A-Za-z0-9_-]{20,255}+)@", _is_random),
    _shape(
        "authorization header",
        "authorization",
        r"(?i)authorization[\"']?\s{0,4}+[:=]\s{0,4}+[\"']?(?:bearer|basic|token)\s{1,4}+(?P<value>[A-Za-z0-9+/=_.~-]{8,1000}+)",
        _is_random,
    ),
    _shape(
        "password or token",
        "pass secret token key",
        # The letters are those the names begin with: looking at one is faster than trying them all.
        rf"(?i)(?=[aepst]){_CALLED}\\?[\"']?\]?(?:\s{{0,4}}+:\s{{0,4}}+[a-z]{{3,12}}+)?\s{{0,4}}+(?:=>|:=|={{1,3}}|:)\s{{0,4}}+"
        r"[bruf]{0,2}+\\?[\"'](?P<value>[^\"'\s\\]{12,255})\\?[\"']",
        _is_random,
        hides_all=False,
        hint=r"[\"'][^\"'\s\\]{12}",
    ),
    _shape(
        "password or token",
        "pass secret token key",
        # As in a shell or an .env file: capitals, no quotes.
        rf"(?<![A-Za-z0-9_.$-])(?=[A-Z0-9_]{{1,60}}=)[A-Z0-9_]*?(?i:{_CALLED})="
        r"(?P<value>[^\"'\s\\;&|(){}$]{12,255}+)(?![^\s;&|\\\"'])",
        _is_random,
        hides_all=False,
        hint=r"=[^\"'\s\\;&|(){}$]{12}",
    ),
)
_ANCHORS = tuple(dict.fromkeys(anchor for shape in _SHAPES for anchor in shape.anchors))
_registered: tuple[str, ...] = ()


def _anchored(text: str) -> list[_Shape]:
    """The shapes of which an anchor is in the text."""
    lowered = text.lower()
    found = {anchor for anchor in _ANCHORS if anchor in lowered}
    return [shape for shape in _SHAPES if not found.isdisjoint(shape.anchors)] if found else []


def _kinds_by_line(text: str) -> set[tuple[int, str]]:
    found, line, counted = set[tuple[int, str]](), 1, 0
    for at, kind in sorted((at, kind) for kind, at in _secrets_in(text)):
        line, counted = line + text.count("\n", counted, at), at
        found.add((line, kind))
    return found


def _secrets_in(text: str) -> Iterator[tuple[str, int]]:
    """Kind and offset of every secret in the text."""
    for form in _registered:
        at = text.find(form)
        while at >= 0:
            yield "registered secret", at
            at = text.find(form, at + len(form))
    for shape in _anchored(text):
        if shape.may_be_in(text):
            for match in shape.pattern.finditer(text):
                if shape.is_secret(shape.value(match)):
                    yield shape.kind, match.start("value")


def _base64_forms(value: str) -> set[str]:
    """How the value looks inside longer base64 text, as in a basic authorization header: once for each alignment."""
    from base64 import b64encode  # as above

    data = value.encode()
    forms: set[str] = set()
    for before in range(3):
        whole = b64encode(b"\0" * before + data).decode().rstrip("=")
        # The first and the last characters also depend on the neighbours.
        inner = whole[(before * 4 + 2) // 3 : len(whole) - (1 if (before + len(data)) % 3 else 0)]
        forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return forms


_HUNK = r"@{2,33} ((?:-\d{1,9}(?:,\d{1,9})? ){1,32})\+(\d{1,9})(?:,(\d{1,9}))? @"


def _added_lines(diff: str) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """Path and (line, text) of what a diff adds, file by file.

    Hunks are read by their counts: an added line that looks like a header stays an added line.
    """
    path, added = "", list[tuple[int, str]]()
    old, new, line = list[int](), 0, 0
    for row in diff.split("\n"):
        if new > 0 or any(count > 0 for count in old):
            marks, text = row[: len(old)], row[len(old) :]
            if row.startswith("\\"):  # "\ No newline at end of file"
                continue
            if "-" in marks:
                old = [count - (mark == "-") for count, mark in zip(old, marks, strict=False)]
                continue
            if "+" in marks:
                added.append((line, text))
            old = [count - (mark != "+") for count, mark in zip(old, marks.ljust(len(old)), strict=True)]
            new, line = new - 1, line + 1
        elif hunk := _compiled(_HUNK).match(row):
            old = [int(part.partition(",")[2] or 1) for part in hunk[1].split()]
            new, line = int(hunk[3] or 1), int(hunk[2])
        elif row.startswith("diff --"):
            if path:
                yield path, added
            path, added = row.split(" ", 2)[2], []
        elif row.startswith("+++ ") and row != "+++ /dev/null":
            path = row[4:].removeprefix('"').removesuffix('"').removeprefix("b/").rstrip("\t")
    if path:
        yield path, added
