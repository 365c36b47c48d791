"""Scripts of package.json that a command of npm, pnpm, yarn or bun starts, in one package or in several.

What is not understood to the letter is no call that is known here: a guess would run other tests than were asked for.
Sources: the manuals of `npm run-script`, `pnpm run`, `pnpm --filter`, `yarn run`, `yarn workspaces` and `bun run`.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from repowright_tools.run_tests_sandboxed.runners.packages import MOST_PACKAGES, NotUnderstood, Packages

_RUN = ("run", "run-script")
_LONGEST_SCRIPT = 10_000
"""Characters."""


@dataclass(frozen=True)
class _Manager:
    """The options of a package manager that are understood.

    Attributes:
        here: names the folder to run in.
        member: names a workspace.
        every: all workspaces.
        quiet: change nothing about what is run.
    """

    here: tuple[str, ...]
    member: tuple[str, ...] = ()
    every: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ("--silent", "-s")

    @property
    def options(self) -> tuple[str, ...]:
        return (*self.here, *self.member, *self.every, *self.quiet)


_MANAGERS = {
    "npm": _Manager(
        ("--prefix", "-C"),
        ("--workspace", "-w"),
        ("--workspaces", "-ws", "--ws"),
        ("--if-present", "--silent", "-s"),
    ),
    "pnpm": _Manager(
        ("--dir", "-C"),
        ("--filter", "-F"),
        ("--recursive", "-r"),
        ("--if-present", "--silent", "-s", "--no-bail", "--parallel", "--stream"),
    ),
    "yarn": _Manager(("--cwd",)),
    "bun": _Manager(("--cwd",)),
}


@dataclass(frozen=True)
class Call:
    """What a command of a package manager starts.

    Attributes:
        script: the script's name.
        folders: of the packages that have it.
        every: whether it runs in each of them, though one fails.
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


@dataclass
class _Read:
    """A command of a manager, read: its words without options, and what the options say."""

    words: list[str] = field(default_factory=list[str])
    folders: list[str] = field(default_factory=list[str])
    every: bool = False


def script_call(words: list[str], packages: Packages) -> Call | None:
    """The script that `npm test`, `pnpm -r run check` or their like start.

    None for anything else, and for what is not understood: an option, a pattern of packages, a package that is not
    there, too many packages. Why is noted in `packages.notes`.
    """
    if not words or words[0] not in _MANAGERS:
        return None
    try:
        return _call(words, packages)
    except NotUnderstood as doubt:
        packages.notes.doubts.append(f"{doubt}, so this runs as it is: {' '.join(words)}")
        return None


def _call(words: list[str], packages: Packages) -> Call | None:
    read = _read(words, packages)
    found = _script(words[0], read.words)
    if found is None:
        return None
    script, arguments = found
    folders = read.folders or [packages.folder]
    if read.every:
        if read.folders:
            raise NotUnderstood("it names packages and all of them")
        members = packages.members(of_pnpm=words[0] == "pnpm")
        folders = [folder for folder in members if packages.scripts(folder).get(script, "").strip()]
    if len(folders) > MOST_PACKAGES:
        raise NotUnderstood(f"it tests {len(folders)} packages, and {MOST_PACKAGES} are looked through at most")
    if not folders or not all(packages.scripts(folder).get(script, "").strip() for folder in folders):
        return None
    call = Call(script, folders, read.every or len(folders) > 1, arguments)
    if any(len(call.command(packages, folder)) > _LONGEST_SCRIPT for folder in folders):
        raise NotUnderstood("its script is too long")
    packages.notes.look()
    return call


def without_manager(words: list[str]) -> list[str]:
    """The words without the `npx`, `pnpm exec` or their like that find a program in node_modules."""
    match words:
        case ["npm", "exec" | "x", *more]:
            at = more.index("--") if "--" in more else len(more)
            if any(word.startswith("-") and word not in ("--yes", "-y", "--no") for word in more[:at]):
                return words  # which may say in which package
        case ["npx" | "bunx", *more]:
            pass
        case ["pnpm" | "yarn", "exec" | "dlx", *more]:
            pass
        case ["pnpm" | "yarn", *more]:
            pass
        case _:
            return words
    while more and more[0] in ("--no-install", "--yes", "-y", "--", "--no"):
        more = more[1:]
    return more


def _script(manager: str, words: list[str]) -> tuple[str, list[str]] | None:
    """The script that is run, and its arguments."""
    match words:
        case [run, script, *rest] if run in _RUN:
            pass
        case ["test" | "t" | "tst", *rest] if manager in ("npm", "pnpm"):
            script = "test"
        case [script, *rest] if manager in ("pnpm", "yarn"):
            pass
        case _:
            return None
    return script, rest[1:] if rest[:1] == ["--"] else rest


def _read(words: list[str], packages: Packages) -> _Read:
    """The command without the manager's own options."""
    manager, read, rest = _MANAGERS[words[0]], _Read(), iter(words[1:])
    for word in rest:
        name, _, value = word.partition("=")
        behind = words[0] != "npm" and len(read.words) > (read.words[0] in _RUN if read.words else 0)
        if word == "--":
            read.words += [word, *rest]
        elif not word.startswith("-") or (behind and name not in manager.options):
            read.words.append(word)
        elif behind:
            raise NotUnderstood(f"whose option {name} is depends on the version of {words[0]}")
        elif word in manager.every:
            read.every = True
        elif name in manager.here:
            read.folders.append(packages.at(value or next(rest, "")))
        elif name in manager.member:
            read.folders.append(packages.named(value or next(rest, ""), of_pnpm=words[0] == "pnpm"))
        elif word not in manager.quiet:
            raise NotUnderstood(f"its option {name} is not known here")
    return _of_yarn(read, packages) if words[0] == "yarn" else read


def _of_yarn(read: _Read, packages: Packages) -> _Read:
    """`yarn workspaces run test` and `yarn workspace name test`."""
    match read.words:
        case ["workspaces", "run", script, *more] if not script.startswith("-"):
            return _Read(["run", script, *more], read.folders, every=True)
        case ["workspace", name, *more] if not read.folders:
            return _Read(more, [packages.named(name)])
        case ["workspaces" | "workspace", *_]:
            raise NotUnderstood("what it selects is not understood here")
        case _:
            return read
