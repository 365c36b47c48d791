"""How a repository is installed, tested, linted, built and run, each command with the line that says so."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain

from repowright_tools.index.manifests import (
    ci,
    go_rust_java,
    javascript,
    native,
    python,
    readme,
    ruby_php_elixir,
    runners,
)
from repowright_tools.index.manifests.found import KINDS, Command
from repowright_tools.index.tree import Tree

_Reader = Callable[[Tree], Iterator[tuple[str, Command]]]

LANGUAGES: tuple[tuple[_Reader, str], ...] = (
    (python.commands, "py"),
    (javascript.commands, "js jsx mjs cjs ts tsx mts cts vue svelte"),
    (go_rust_java.commands, "go rs java kt scala groovy"),
    (ruby_php_elixir.commands, "rb php ex exs"),
    (native.commands, "c h cc cpp cxx hpp cs fs swift dart"),
)
"""What reads the manifests of languages, and the extensions of these."""

READERS: tuple[_Reader, ...] = (runners.commands, ci.commands, readme.commands)
"""The most authoritative first, after a language's own manifest: task runners, what CI does, what the guides say."""

_MOST = 12  # commands of a kind


def find_commands(tree: Tree) -> dict[str, list[Command]]:
    """Commands by kind (install, test, lint, build, run), the most authoritative first, each once.

    Of several languages the one with the most files comes first.
    """
    found: dict[str, dict[str, Command]] = {kind: {} for kind in KINDS}
    for kind, command in chain.from_iterable(reader(tree) for reader in (*_by_weight(tree), *READERS)):
        found[kind].setdefault(command.command, command)
    return {kind: list(commands.values())[:_MOST] for kind, commands in found.items()}


def _by_weight(tree: Tree) -> list[_Reader]:
    counts = Counter(path.rpartition(".")[2] for path in tree.paths)
    weight = {reader: sum(counts[extension] for extension in names.split()) for reader, names in LANGUAGES}
    return sorted(weight, key=lambda reader: -weight[reader])
