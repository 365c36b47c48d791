"""Scripts of package.json, and the packages of a repository that holds several (npm, pnpm and yarn workspaces)."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from repowright_tools.run_tests_sandboxed.runners.base import is_list, is_table

_MANAGERS = ("npm", "pnpm", "yarn", "bun")
_RUN = ("run", "run-script")
_EVERY = ("--workspaces", "-ws", "-r", "--recursive", "--ws")
_FOLDER = ("--prefix", "--workspace", "-w", "-C", "--dir", "--cwd", "--filter", "-F")
_QUIET = ("--if-present", "--silent", "-s", "--no-bail", "--parallel", "--stream", "-A", "--all", "-pt", "-p", "-t")
_LISTED = re.compile(r"""^\s*-\s+["']?([^"'\s#]+)["']?\s*(?:#.*)?$""", re.MULTILINE)
_MOST_PACKAGES = 60


@dataclass(frozen=True)
class Packages:
    """The package.json files of a repository.

    Attributes:
        files: what the repository's files hold, by path.
        folder: where a command runs; empty for the root.
    """

    files: Mapping[str, bytes]
    folder: str = ""

    def scripts(self, folder: str) -> dict[str, str]:
        """The scripts of the package in a folder."""
        found = self._manifest(folder).get("scripts")
        return {name: text for name, text in found.items() if isinstance(text, str)} if is_table(found) else {}

    def members(self) -> list[str]:
        """Folders of the packages that the one at `folder` names as its workspaces, sorted."""
        said = self._manifest(self.folder).get("workspaces")
        listed = said.get("packages") if is_table(said) else said
        patterns = [str(entry) for entry in listed] if is_list(listed) else []
        if not patterns:
            data = self.files.get(posixpath.join(self.folder, "pnpm-workspace.yaml"), b"")
            patterns = _LISTED.findall(data[:100_000].decode("utf-8", errors="replace"))
        folders = sorted(posixpath.dirname(path) for path in self.files if posixpath.basename(path) == "package.json")
        own = [folder for folder in folders if folder and "node_modules" not in folder.split("/")]
        relative = [folder for folder in own if not self.folder or folder.startswith(f"{self.folder}/")]
        return [folder for folder in relative if _matches(posixpath.relpath(folder, self.folder or "."), patterns)]

    def named(self, name: str) -> str | None:
        """The folder of a workspace by its folder or name; None when there is none, or several."""
        path = posixpath.normpath(posixpath.join(self.folder, name))
        if posixpath.join(path, "package.json") in self.files:
            return path
        found = [folder for folder in self.members() if self._manifest(folder).get("name") == name]
        return found[0] if len(found) == 1 else None

    def _manifest(self, folder: str) -> dict[str, Any]:
        try:
            document = json.loads(self.files.get(posixpath.join(folder, "package.json"), b""))
        except (ValueError, RecursionError):
            return {}
        return document if is_table(document) else {}


@dataclass(frozen=True)
class Call:
    """What a command of a package manager starts.

    Attributes:
        script: the script's name.
        folders: of the packages that have it.
        every: whether it runs in each package of the repository that has it.
        arguments: what is appended to it.
    """

    script: str
    folders: list[str]
    every: bool = False
    arguments: list[str] = field(default_factory=list[str])

    def command(self, packages: Packages, folder: str) -> str:
        """The script of the package in a folder, with what runs before it and after it."""
        scripts = packages.scripts(folder)
        main = f"{scripts[self.script]} {shlex.join(self.arguments)}".strip()
        around = [scripts.get(f"pre{self.script}", ""), main, scripts.get(f"post{self.script}", "")]
        return " && ".join(line for line in around if line.strip())


def script_call(words: list[str], packages: Packages) -> Call | None:
    """The script that `npm test`, `pnpm -r run check` or their like start; None for anything else."""
    if not words or words[0] not in _MANAGERS:
        return None
    more, folders, every = _options(words[1:], packages)
    if more[:1] == ["workspaces"]:  # yarn
        every, more = True, [word for word in more[1:] if word != "foreach"]
    match more:
        case [run, script, *rest] if run in _RUN:
            pass
        case ["t" | "tst", *rest]:
            script = "test"
        case [script, *rest] if script == "test" or words[0] != "npm":
            pass
        case _:
            return None
    if every:
        folders = [*folders, *packages.members()][:_MOST_PACKAGES]
    elif not folders:
        folders = [packages.folder]
    having = [folder for folder in folders if packages.scripts(folder).get(script, "").strip()]
    return Call(script, having, every, rest[1:] if rest[:1] == ["--"] else rest) if having else None


def without_manager(words: list[str]) -> list[str]:
    """The words without the `npx`, `pnpm exec` or their like that find a program in node_modules."""
    match words:
        case ["npx" | "bunx", *more]:
            pass
        case ["npm" | "pnpm" | "yarn", "exec" | "dlx", *more]:
            pass
        case ["pnpm" | "yarn", *more]:
            pass
        case _:
            return words
    return [word for word in more if word not in ("--no-install", "--yes", "-y", "--", "--no")]


def _options(words: list[str], packages: Packages) -> tuple[list[str], list[str], bool]:
    """The words up to and behind the script without the manager's own options; named folders; whether all of them."""
    found, folders, every = list[str](), list[str](), False
    rest = iter(words)
    for word in rest:
        name, _, value = word.partition("=")
        if word == "--":
            return [*found, word, *rest], folders, every
        if word in _EVERY:
            every = True
        elif name in _FOLDER and name.startswith("-") and (len(found) < 2 or found[0] in (*_RUN, "test")):
            folder = packages.named(value or next(rest, ""))
            folders += [] if folder is None else [folder]
        elif word not in _QUIET or len(found) > 1:
            found.append(word)
    return found, folders, every


def _matches(folder: str, patterns: list[str]) -> bool:
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    return any(_fits(folder, pattern) for pattern in wanted) and not any(_fits(folder, one) for one in unwanted)


def _fits(folder: str, pattern: str) -> bool:
    """Whether a folder's path fits a pattern of `*`, and of `**` for any number of folders."""
    plain = posixpath.normpath(pattern).split("/")
    parts = [r"(?:[^/]+/)*?" if part == "**" else re.escape(part).replace(r"\*", "[^/]*") + "/" for part in plain]
    return len(pattern) < 200 and pattern.count("*") < 8 and re.fullmatch("".join(parts), f"{folder}/") is not None
