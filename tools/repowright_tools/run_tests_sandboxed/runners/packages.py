"""The packages of a repository that holds several: npm, pnpm and yarn workspaces."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from repowright_tools.run_tests_sandboxed.json_objects import is_list, is_table, read_object

MOST_PACKAGES = 60
MANIFESTS = ("package.json", "pnpm-workspace.yaml")
"""The files that say what scripts there are and in which packages."""
_LONGEST_PATTERN = 200
_MOST_LOOKS = 500
_MOST_COMPARED = 50_000_000
"""Signs of folders times signs of patterns: some seconds at the very worst."""
_LARGEST = 1024 * 1024
_ENTRY = re.compile(r"""[ \t]*-[ \t]+(?:"([^"]*)"|'([^']*)'|([^"'\s#]\S*))[ \t]*(?:#.*)?""")
_EMPTY = re.compile(r"[ \t]*(?:#.*)?")
_OTHER_PATTERN = re.compile(r"[?\[\]{}()@+\\]")
"""What means something in a pattern besides `*`, `**` and a leading `!`; `@` before a scope apart."""


class NotUnderstood(Exception):
    """What a command selects is not understood to the letter; the message says what of it."""


@dataclass
class Notes:
    """What one search has come across.

    Attributes:
        doubts: what was not understood, for a reader.
        looks: how many scripts were looked through.
        compared: how much was compared with patterns.
        manifests: those that were read, by folder.
    """

    doubts: list[str] = field(default_factory=list[str])
    looks: int = 0
    compared: int = 0
    manifests: dict[str, dict[str, Any]] = field(default_factory=dict[str, "dict[str, Any]"])

    def look(self) -> None:
        """Count one more script. Raises NotUnderstood when there are too many."""
        self.looks += 1
        if self.looks > _MOST_LOOKS:
            raise NotUnderstood(f"it starts more than {_MOST_LOOKS} scripts")

    def compare(self, folders: Sequence[str], patterns: Sequence[str]) -> None:
        """Count what is compared. Raises NotUnderstood when it is too much."""
        self.compared += sum(map(len, folders)) * sum(map(len, patterns))
        if self.compared > _MOST_COMPARED:
            raise NotUnderstood("it names its packages by too many patterns")


@dataclass(frozen=True)
class Packages:
    """The package.json files of a repository.

    Attributes:
        files: what the repository's files hold, by path. Packages are taken in this order.
        folder: where a command runs; empty for the root.
    """

    files: Mapping[str, bytes]
    folder: str = ""
    notes: Notes = field(default_factory=Notes)

    def scripts(self, folder: str) -> dict[str, str]:
        """The scripts of the package in a folder."""
        found = self._manifest(folder).get("scripts")
        return {name: text for name, text in found.items() if isinstance(text, str)} if is_table(found) else {}

    def members(self, *, of_pnpm: bool = False) -> list[str]:
        """Folders of the packages that the one at `folder` names as its workspaces. Raises NotUnderstood."""
        path = posixpath.join(self.folder, "pnpm-workspace.yaml")
        patterns = listed_by_pnpm(self.files.get(path, b"")) if of_pnpm else listed(self._manifest(self.folder))
        if patterns is None or not all(map(_is_understood, patterns)):
            raise NotUnderstood("the patterns of the workspaces are not understood here")
        folders = [posixpath.dirname(path) for path in self.files if posixpath.basename(path) == "package.json"]
        own = [folder for folder in folders if folder and "node_modules" not in folder.split("/")]
        inner = [folder for folder in own if not self.folder or folder.startswith(f"{self.folder}/")]
        self.notes.compare(inner, patterns)
        return [folder for folder in inner if _matches(posixpath.relpath(folder, self.folder or "."), patterns)]

    def at(self, path: str) -> str:
        """The folder of the package at a path. Raises NotUnderstood when there is none."""
        folder = joined_folder(self.folder, path)
        if not path or posixpath.join(folder, "package.json") not in self.files:
            raise NotUnderstood(f"there is no package in the folder {path}")
        return folder

    def named(self, name: str, *, of_pnpm: bool = False) -> str:
        """The folder of a workspace by its folder or name. Raises NotUnderstood when there is none, or several.

        pnpm takes for a folder only what begins with a dot, and knows patterns, which are not understood here.
        """
        folder = joined_folder(self.folder, name)
        by_folder = name.startswith(".") or not of_pnpm
        found = [
            member
            for member in self.members(of_pnpm=of_pnpm)
            if self._manifest(member).get("name") == name or (by_folder and member == folder)
        ]
        if len(found) != 1:
            raise NotUnderstood(f"{name} is not the folder or name of exactly one of the workspaces")
        return found[0]

    def _manifest(self, folder: str) -> dict[str, Any]:
        if folder not in self.notes.manifests:
            self.notes.manifests[folder] = read_manifest(self.files.get(posixpath.join(folder, "package.json"), b""))
        return self.notes.manifests[folder]


def joined_folder(folder: str, path: str) -> str:
    """The folder that a path leads to from another; empty for the root."""
    found = posixpath.normpath(posixpath.join(folder, path))
    return "" if found == "." else found


def read_manifest(data: bytes) -> dict[str, Any]:
    """What a package.json says; nothing when it is none, or too large."""
    return (read_object(data) if len(data) <= _LARGEST else None) or {}


def listed(manifest: Mapping[str, Any]) -> list[str]:
    """The patterns of workspaces in a package.json."""
    said = manifest.get("workspaces")
    patterns = said.get("packages") if is_table(said) else said
    return [str(entry) for entry in patterns] if is_list(patterns) else []


def listed_by_pnpm(data: bytes) -> list[str] | None:
    """The patterns under `packages:` in a pnpm-workspace.yaml; None when they are written in another way."""
    patterns, inside = list[str](), False
    for line in data[:100_000].decode("utf-8", errors="replace").splitlines():
        if _EMPTY.fullmatch(line):
            continue
        if found := _ENTRY.fullmatch(line):
            patterns += [found[1] or found[2] or found[3] or ""] if inside else []
        elif inside and line[:1].isspace():
            return None
        else:
            inside = line.rstrip() == "packages:"
            if line.startswith("packages:") and not inside:
                return None
    return patterns


def _is_understood(pattern: str) -> bool:
    plain = pattern.removeprefix("!").replace("/@", "/").removeprefix("@")
    return 0 < len(pattern) < _LONGEST_PATTERN and "!" not in plain and _OTHER_PATTERN.search(plain) is None


def _matches(folder: str, patterns: Sequence[str]) -> bool:
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    return any(fits(folder, pattern) for pattern in wanted) and not any(fits(folder, one) for one in unwanted)


def fits(folder: str, pattern: str) -> bool:
    """Whether a folder's path fits a pattern of `*`, and of `**` for any number of folders."""
    parts = posixpath.normpath(pattern).split("/")
    return _wild(folder.split("/"), parts, "**", lambda name, part: _wild(name, part, "*", lambda a, b: a == b))


def _wild(items: Sequence[str], pattern: Sequence[str], star: str, same: Callable[[str, str], bool]) -> bool:
    """Whether items fit a pattern in which `star` stands for any number of them.

    In time of the product of both lengths at most, as only the last star is ever tried again: K. J. Krauss, Matching
    Wildcards: An Algorithm, Dr. Dobb's Journal, August 2008. The patterns are the repository's.
    """
    at = used = 0
    last, since = -1, 0
    while at < len(items):
        if used < len(pattern) and pattern[used] == star:
            last, since, used = used, at, used + 1
        elif used < len(pattern) and same(items[at], pattern[used]):
            at, used = at + 1, used + 1
        elif last >= 0:
            since += 1
            at, used = since, last + 1
        else:
            return False
    return all(part == star for part in pattern[used:])
