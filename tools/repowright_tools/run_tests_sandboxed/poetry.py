"""Poetry's own way to write test dependencies, as requirement lines; its groups are in no standard metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast


def poetry_requirements(poetry: Mapping[str, Any], kinds: Sequence[Sequence[str]]) -> list[str]:
    """The dependencies of the groups of the first kind that exists; `dev-dependencies` is the old name of `dev`."""
    groups = {name: _inner(group, "dependencies") for name, group in _inner(poetry, "group").items()}
    groups.setdefault("dev", _inner(poetry, "dev-dependencies"))
    for kind in kinds:
        if found := [
            line
            for name in kind
            for package, wanted in groups.get(name, {}).items()
            if (line := _requirement(package, wanted))
        ]:
            return found
    return []


def _requirement(package: str, wanted: Any) -> str:
    """One line; empty for what comes from a folder or from git."""
    if isinstance(wanted, dict):
        table = cast(dict[str, Any], wanted)
        extras = ",".join(str(extra) for extra in cast(list[Any], table.get("extras") or []))
        version = table.get("version")
        return f"{package}[{extras}]{_specifier(str(version))}" if version else ""
    return f"{package}{_specifier(wanted)}" if isinstance(wanted, str) else ""


def _specifier(version: str) -> str:
    """A version constraint in standard terms. `^` and `~` keep their lower bound alone: a lock file pins the rest."""
    parts = [part.strip() for part in version.split(",")]
    return ",".join(filter(None, map(_part, parts)))


def _part(part: str) -> str:
    if part in ("", "*") or "|" in part:
        return ""
    if part[0] in "^~" and not part.startswith("~="):
        return f">={part.lstrip('^~ ')}"
    return f"=={part}" if re.match(r"\d", part) else part


def _inner(table: Any, key: str) -> Mapping[str, Any]:
    inner = cast(dict[str, Any], table).get(key) if isinstance(table, dict) else None
    return cast(dict[str, Any], inner) if isinstance(inner, dict) else {}
