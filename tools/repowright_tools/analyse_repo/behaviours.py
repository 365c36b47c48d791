"""What the tests say that the product does: their names, read as sentences."""

import re
from collections.abc import Iterator
from itertools import islice

from repowright_tools.index.parse import ParsedFile
from repowright_tools.index.test_files import convention

MOST_SAID = 4
"""Sentences of a file that a title quotes."""

_QUOTED = re.compile(
    rb"""^[ \t]{0,40}(?:it|test|specify|scenario|Scenario|example|should)(?:\.\w{1,20})?[ (:]{1,3}\s{0,20}"""
    rb"""(?P<quote>["'`])(?P<what>[^"'`\n]{6,160})(?P=quote)"""
    rb"""|^[ \t]{0,8}Scenario(?: Outline)?:[ \t]{1,4}(?P<plain>[^\n]{6,160})""",
    re.MULTILINE,
)
_MARKED = re.compile(
    rb"""(?:@Test|@ParameterizedTest|\[Fact\]|\[Test\]|\[TestMethod\]|\[Theory\]|#\[test\]|#\[tokio::test\])"""
    rb"""[^{;]{0,200}?(?:void|fun|Task|fn)\s{1,4}(?P<what>\w{4,120}|`[^`\n]{4,120}`)\s?\(""",
)
_METHOD = re.compile(rb"^[ \t]{0,16}(?:public )?function (?P<what>test\w{3,120})\(", re.MULTILINE)
_QUOTING = ("js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "cts", "rb", "exs", "dart", "bats", "feature", "vue")
_MARKING = ("java", "kt", "cs", "rs", "scala", "groovy")
_BY_EXTENSION = {
    **dict.fromkeys(_QUOTING, (_QUOTED,)),
    **dict.fromkeys(_MARKING, (_MARKED,)),
    "php": (_METHOD, _QUOTED),
}
_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PREFIX = re.compile(r"^(?:tests?|should|it)[ _]+", re.IGNORECASE)
_MOST = 40  # of a file


def needs_text(path: str) -> bool:
    """Whether the names of its tests are in its text only, and not among its symbols."""
    return path.rpartition(".")[2] in _BY_EXTENSION


def sentences(path: str, parsed: ParsedFile | None, data: bytes) -> list[tuple[str, int]]:
    """What each test of the file says, and its line; at most forty."""
    found = list(_in_text(path, data)) if needs_text(path) else list(_in_symbols(parsed))
    return [(said, line) for said, line in found if " " in said][:_MOST]


def subject(path: str) -> str:
    """What the file tests, in words."""
    known = convention(path)
    return " ".join(_words(known[1]).split()) if known else path


def _in_symbols(parsed: ParsedFile | None) -> Iterator[tuple[str, int]]:
    for symbol in parsed.symbols if parsed else ():
        if symbol.kind in {"function", "method"} and not symbol.local and re.match(r"[Tt]est(?=[_A-Z])", symbol.name):
            said = _words(symbol.name[4:])
            scope = _words(re.sub(r"^Test|Tests?$|TestCase$", "", symbol.scope.rpartition(".")[2]))
            yield (f"{scope}: {said}" if scope and len(said.split()) < 3 else said), symbol.line


def _in_text(path: str, data: bytes) -> Iterator[tuple[str, int]]:
    for pattern in _BY_EXTENSION[path.rpartition(".")[2]]:
        for match in islice(pattern.finditer(data), _MOST):
            groups = match.groupdict()
            name = (groups["what"] or groups.get("plain") or b"").decode("utf-8", "replace").strip("`")
            said = name if " " in name else _words(_PREFIX.sub("", re.sub(r"^test(?=[_A-Z])", "", name)))
            yield (
                _PREFIX.sub("", said).strip(),
                data.count(b"\n", 0, match.start("what" if groups["what"] else "plain")) + 1,
            )


def _words(name: str) -> str:
    """`emptyCart_isRefused` as `empty cart is refused`; capitals that stand for something stay."""
    parts = _CAPITALS.sub(" ", name.replace("_", " ").replace("-", " ")).split()
    return " ".join(part if part.isupper() and len(part) > 1 else part.lower() for part in parts)
