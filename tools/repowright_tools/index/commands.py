"""How a repository is installed, tested, linted, built and run, each command with the line that says so."""

from collections.abc import Callable, Iterator
from itertools import chain

from repowright_tools.index.manifests import ci, go_rust_java, javascript, python, readme, runners
from repowright_tools.index.manifests.found import KINDS, Command
from repowright_tools.index.tree import Tree

READERS: tuple[Callable[[Tree], Iterator[tuple[str, Command]]], ...] = (
    python.commands,
    javascript.commands,
    go_rust_java.commands,
    runners.commands,
    ci.commands,
    readme.commands,
)
"""The most authoritative first: a language's own manifest, task runners, what CI does, what the README says."""

_MOST = 12  # commands of a kind


def find_commands(tree: Tree) -> dict[str, list[Command]]:
    """Commands by kind (install, test, lint, build, run), the most authoritative first, each once."""
    found: dict[str, dict[str, Command]] = {kind: {} for kind in KINDS}
    for kind, command in chain.from_iterable(reader(tree) for reader in READERS):
        found[kind].setdefault(command.command, command)
    return {kind: list(commands.values())[:_MOST] for kind, commands in found.items()}
