"""Where existing files no longer say what the repository proves."""

import re
from collections.abc import Iterator, Mapping

from repowright_tools.generate_cursor_rules.blocks import Found
from repowright_tools.generate_cursor_rules.models import Drift
from repowright_tools.generate_cursor_rules.topics import rule_id

_HEADING = re.compile(r"## (\w+)")
_RULE = re.compile(r"- (?P<claim>(?P<subject>.+?): .+)")


def drifted(path: str, found: Found, wanted: str | None) -> list[Drift]:
    """What differs between the block that is there and the body that is wanted (None: no such file any more).

    Args:
        path: of the file.
        found: the block in it.
        wanted: the body as it would be written today.
    """
    old, new = _claims(found.body), _claims(wanted or "")
    first = found.line + 1
    changed = [
        Drift(rule=rule, path=path, line=first + line)
        for rule, (line, claim) in old.items()
        if _says(new, rule) != claim
    ]
    missing = [Drift(rule=rule, path=path, line=found.line) for rule in new if rule not in old]
    return [*changed, *missing]


def _says(claims: Mapping[str, tuple[int, str]], rule: str) -> str | None:
    return claims[rule][1] if rule in claims else None


def _claims(text: str) -> dict[str, tuple[int, str]]:
    return {rule: (line, claim) for rule, line, claim in _lines(text)}


def _lines(text: str) -> Iterator[tuple[str, int, str]]:
    """Rule, line from 0, and claim of each rule in a body."""
    kind = ""
    for number, line in enumerate(text.splitlines()):
        if heading := _HEADING.fullmatch(line):
            kind = heading[1].lower()
        elif match := _RULE.fullmatch(line):
            yield rule_id(kind, match["subject"]), number, match["claim"]
