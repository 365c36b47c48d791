"""Where programs start in languages without a manifest that says so: C, C++, C#, Kotlin, PHP, scripts."""

import re
from collections.abc import Iterator, Mapping

from repowright_tools.index.entry_points import EntryPoint
from repowright_tools.index.parse import ParsedFile, Symbol
from repowright_tools.index.paths import name_of, stem_of
from repowright_tools.index.test_files import is_aside
from repowright_tools.index.tree import Tree, line_of

_MOST_SCRIPTS = 100
_SCRIPT = re.compile(r"(?:(?:bin|exe|scripts?|libexec|sbin)/)?[\w-]{1,60}(?:\.(?:sh|bash))?|(?:bin|exe)/[\w.-]{1,60}")
_PHP_FRONTS = ("public/index.php", "web/index.php", "index.php")
_MAINS = {  # grammar: names, kinds of symbol, kind of entry point
    "c": (frozenset({"main", "wmain", "WinMain", "wWinMain"}), frozenset({"function"}), "c_main"),
    "cpp": (frozenset({"main", "wmain", "WinMain", "wWinMain"}), frozenset({"function"}), "c_main"),
    "kotlin": (frozenset({"main"}), frozenset({"function"}), "kotlin_main"),
    "csharp": (frozenset({"Main"}), frozenset({"method", "function"}), "csharp_main"),
}


def more_starts(tree: Tree, files: Mapping[str, tuple[str, ParsedFile]]) -> list[EntryPoint]:
    """Starts by path, those of tests and examples last.

    Args:
        tree: all text files.
        files: grammar and contents of the source files.
    """
    found = [*_mains(files), *_scripts(tree)]
    return sorted(found, key=lambda entry: (is_aside(entry.path), entry.path))


def _mains(files: Mapping[str, tuple[str, ParsedFile]]) -> Iterator[EntryPoint]:
    for path, (grammar, parsed) in files.items():
        if grammar in _MAINS:
            names, kinds, kind = _MAINS[grammar]
            for symbol in parsed.symbols:
                if symbol.name in names and symbol.kind in kinds and not symbol.local and _starts(grammar, symbol):
                    yield EntryPoint(symbol.scope or stem_of(path), kind, path, symbol.line)
                    break


def _starts(grammar: str, symbol: Symbol) -> bool:
    """A method of C# must be static; elsewhere `main` must stand in no class."""
    return "static" in symbol.signature.split() if grammar == "csharp" else not symbol.scope


def _scripts(tree: Tree) -> Iterator[EntryPoint]:
    """Files of the usual folders that say by their first line what runs them, and the front of a PHP site."""
    for path in [path for path in tree.paths if _SCRIPT.fullmatch(path)][:_MOST_SCRIPTS]:
        if (tree.text(path) or "").startswith("#!"):
            yield EntryPoint(name_of(path), "script", path, 1)
    for path in _PHP_FRONTS:
        if (text := tree.text(path)) is not None:
            yield EntryPoint(path, "php_front", path, line_of(text, r"<\?php") or 1)
