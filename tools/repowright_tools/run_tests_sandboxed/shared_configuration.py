"""Files in which the project and the test runner are configured side by side: each gets its own sections."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from typing import Any, cast

from repowright_tools.run_tests_sandboxed.json_objects import read_object

_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_TOML = re.compile(r"tool\.(?:pytest|coverage)(?:\..*)?|project\.entry-points\.[\"']?pytest11[\"']?")
_PACKAGE_KEYS = ("scripts", "jest", "vitest", "mocha", "ava", "tap", "c8", "nyc", "babel")
_INI = re.compile(r"pytest|tool:pytest|coverage:.*")


def with_base_sections(name: str, candidate: bytes, base: bytes | None) -> bytes:
    """The candidate's file with the base's sections about tests in place of its own.

    Args:
        name: of the file: TOML or JSON by its ending, else in the form of configparser.
        candidate: the file as the change has it.
        base: as the base has it; None when it has none.

    Returns:
        the file. The base's (empty when it has none) when the candidate's cannot be divided without doubt: it is no
        valid file, or a section is not written under a header of its own.
    """
    if name.endswith(".json"):
        return _json_with_base(candidate, base or b"{}")
    is_toml = name.endswith(".toml")
    read, split, mine = (_toml, _split_toml, _TOML) if is_toml else (_ini, _split_ini, _INI)
    before, after = read((base or b"").decode(errors="replace")), read(candidate.decode(errors="replace"))
    if before is None or after is None:
        return base or b""
    if split(before)[0] == split(after)[0]:
        return candidate
    kept = [part for title, part in _parts(candidate.decode(errors="replace")) if not mine.fullmatch(title)]
    taken = [part for title, part in _parts((base or b"").decode(errors="replace")) if mine.fullmatch(title)]
    text = "\n".join(part.rstrip("\n") for part in [*kept, *taken]) + "\n"
    whole = read(text)
    if whole is None or split(whole) != (split(before)[0], split(after)[1]):
        return base or b""
    return text.encode()


def _json_with_base(candidate: bytes, base: bytes) -> bytes:
    """package.json with the base's scripts, which start the runner, and its settings of runners."""
    before, after = read_object(base), read_object(candidate)
    if before is None or after is None:
        return base
    if all(before.get(key) == after.get(key) for key in _PACKAGE_KEYS):
        return candidate
    kept = {key: value for key, value in after.items() if key not in _PACKAGE_KEYS}
    taken = {key: value for key, value in before.items() if key in _PACKAGE_KEYS}
    return json.dumps({**kept, **taken}, indent=2).encode()


def _parts(text: str) -> list[tuple[str, str]]:
    """The text cut before each header, with the name in the header (empty for what comes before the first)."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in text.splitlines(keepends=True):
        if header := _HEADER.match(line):
            parts.append((header[1], []))
        parts[-1][1].append(line)
    return [(title, "".join(lines)) for title, lines in parts]


def _split_toml(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is about tests, and the rest."""
    rest = cast(dict[str, Any], _copy(document))
    tools, points = _inner(rest, "tool"), _inner(rest, "project", "entry-points")
    tests: dict[str, Any] = {name: tools.pop(name) for name in ("pytest", "coverage") if name in tools}
    if "pytest11" in points:
        tests["pytest11"] = points.pop("pytest11")
    for holder, name, inner in ((rest, "tool", tools), (_inner(rest, "project"), "entry-points", points)):
        if not inner:
            holder.pop(name, None)
    return tests, rest


def _split_ini(document: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    tests = {name: section for name, section in document.items() if _INI.fullmatch(name)}
    return tests, {name: section for name, section in document.items() if name not in tests}


def _inner(tree: dict[str, Any], *keys: str) -> dict[str, Any]:
    for key in keys:
        inner = tree.get(key)
        if not isinstance(inner, dict):
            return {}
        tree = cast(dict[str, Any], inner)
    return tree


def _copy(value: Any) -> Any:
    return (
        {key: _copy(inner) for key, inner in cast(dict[str, Any], value).items()} if isinstance(value, dict) else value
    )


def _toml(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def _ini(text: str) -> dict[str, Any] | None:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    return {name: dict(parser[name]) for name in parser.sections()}
