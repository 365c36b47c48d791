"""How the project is installed, tested, linted, built and run, and what keeps its dependencies."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from repowright_tools.generate_cursor_rules.miners.naming import is_python_test
from repowright_tools.generate_cursor_rules.models import Rule
from repowright_tools.generate_cursor_rules.quoting import quoted, quoted_command
from repowright_tools.generate_cursor_rules.topics import Topic, rule
from repowright_tools.models import Evidence

if TYPE_CHECKING:
    from repowright_tools.index.index import RepositoryIndex
    from repowright_tools.index.manifests.found import Command

_KINDS = (("Install", "install", 1), ("Test", "test", 2), ("Lint", "lint", 4), ("Build", "build", 1), ("Run", "run", 2))
"""Subject, kind of command, and how many of a kind are worth an assistant's attention."""
_LOCKS = (
    ("Python", {"uv.lock": "uv", "poetry.lock": "poetry", "pdm.lock": "pdm", "Pipfile.lock": "pipenv"}),
    (
        "JavaScript",
        {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lock": "bun", "package-lock.json": "npm"},
    ),
)
_PREFIX = re.compile(r"^(?:cd \S+ && )?(?:(?:uv|poetry|pdm|hatch|pipenv|rye) run |python3? -m |npx )*")


def mine(repository: "RepositoryIndex") -> Topic:
    return Topic(
        kind="commands",
        description="How to install, test, lint, build and run this project",
        rules=[*_commands(repository), *_dependencies(repository)],
    )


def _commands(repository: "RepositoryIndex") -> Iterator[Rule]:
    found = repository.commands()
    for subject, kind, most in _KINDS:
        chosen = _taught(found[kind], most)
        if chosen:
            texts = [text for text, _ in chosen]
            yield rule("commands", subject, "; ".join(texts), [command.evidence for _, command in chosen])
        if kind == "test":
            yield from _one_file(repository, [command for _, command in chosen])


def _taught(commands: Sequence["Command"], most: int) -> list[tuple[str, "Command"]]:
    """The commands that may be quoted, one for each tool and purpose, the most authoritative first."""
    chosen: dict[str, tuple[str, Command]] = {}
    for command in commands:
        text = quoted_command(command.command, command.evidence.path)
        if text and quoted(command.evidence.path):
            chosen.setdefault(_purpose(command.command), (text, command))
    return list(chosen.values())[:most]


def _purpose(command: str) -> str:
    """`ruff check` of `uv run ruff check src`, `pytest` of `python -m pytest -q`."""
    tool, *rest = _PREFIX.sub("", command).split() or [command]
    return f"{tool} {rest[0]}" if rest and re.fullmatch(r"\w[\w:-]*", rest[0]) else tool


def _one_file(repository: "RepositoryIndex", commands: Sequence["Command"]) -> Iterator[Rule]:
    runner = next((command for command in commands if command.command.endswith("pytest")), None)
    file = next(
        (file for file in repository.files if is_python_test(file.path) and file.lines and quoted(file.path)), None
    )
    if runner and file:
        evidence = [runner.evidence, Evidence(path=file.path, line=1)]
        yield rule("commands", "One test file", f"`{runner.command} {file.path}`", evidence)


def _dependencies(repository: "RepositoryIndex") -> Iterator[Rule]:
    for language, locks in _LOCKS:
        present = [lock for lock in locks if repository.has_path(lock)]
        if len(present) == 1:  # two lock files of a language contradict each other
            statement = f"kept by `{locks[present[0]]}`; change them with it, never edit `{present[0]}` by hand"
            yield rule("commands", f"{language} dependencies", statement, [Evidence(path=present[0], line=1)])
