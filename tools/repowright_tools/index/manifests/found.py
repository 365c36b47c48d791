"""A command and its proof, and what the readers of manifests share."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from repowright_tools.index.paths import folder_of, name_of
from repowright_tools.index.tree import Tree
from repowright_tools.models import Evidence

KINDS = ("install", "test", "lint", "build", "run")

_MOST_FOLDERS = 5


@dataclass(frozen=True, slots=True)
class Command:
    """A shell line, to be run at the root of the repository, and the line of a file that it comes from."""

    command: str
    evidence: Evidence


Found = tuple[str, Command]
"""A command and its kind."""


def found(kind: str, command: str, path: str, line: int | None) -> Found:
    return kind, Command(command, Evidence(path=path, line=line or 1))


def manifests(tree: Tree, name: str) -> Iterator[tuple[str, str, str]]:
    """Path, text and command prefix of the root's manifest, or, when it has none, of those one folder down."""
    if (text := tree.text(name)) is not None:
        yield name, text, ""
        return
    below = [path for path in tree.paths if path.count("/") == 1 and name_of(path) == name]
    for path in below[:_MOST_FOLDERS]:
        folder = folder_of(path)
        if re.fullmatch(r"[\w.-]+", folder) and not folder.startswith("-"):  # it becomes part of a shell line
            yield path, tree.text(path) or "", f"cd {folder} && "


def toml(text: str) -> Mapping[str, Any]:
    """The document, or nothing when it is not TOML."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def json_object(text: str) -> Mapping[str, Any]:
    """The document, or nothing when it is not a JSON object."""
    try:
        return mapping(json.loads(text.removeprefix("\ufeff")))
    except (ValueError, RecursionError):
        return {}


def mapping(value: object) -> Mapping[str, Any]:
    """The value when it is a mapping, else an empty one: manifests of others have any shape."""
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def strings(value: object) -> list[str]:
    """The strings in a list, or none when it is not a list."""
    return [item for item in cast("list[object]", value) if isinstance(item, str)] if isinstance(value, list) else []


def at(document: object, *keys: str) -> Any:
    """What is below these keys, or None."""
    for key in keys:
        document = mapping(document).get(key)
    return document
