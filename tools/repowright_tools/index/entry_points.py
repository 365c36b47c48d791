"""Where a program of the repository starts."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from repowright_tools.index.imports import ImportResolver
from repowright_tools.index.manifests.found import at, json_object, mapping, toml
from repowright_tools.index.parse import ParsedFile
from repowright_tools.index.paths import folder_of, name_of, stem_of
from repowright_tools.index.test_files import is_aside
from repowright_tools.index.tree import Tree, line_of

_MOST_SCRIPTS = 100


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A place where a program starts, or a package is entered.

    Kinds: console_script, main_guard, module_main, package_bin, package_main, go_main, rust_main, java_main; and from
    `more_starts`: kotlin_main, csharp_main, c_main, php_front, script (a file for a shell or an interpreter to run).
    """

    name: str
    kind: str
    path: str
    line: int


def find_entry_points(
    tree: Tree, files: Mapping[str, tuple[str, ParsedFile]], resolver: ImportResolver
) -> list[EntryPoint]:
    """Declared ones first, then those found in the code, each by path and line; those of tests and examples last."""
    declared = [*_console_scripts(tree, files, resolver), *_npm(tree)]
    found = [entry for path in sorted(files) for entry in _in_file(path, *files[path])]
    every = dict.fromkeys([*declared, *found])
    return sorted(every, key=lambda entry: is_aside(entry.path))


def _console_scripts(
    tree: Tree, files: Mapping[str, tuple[str, ParsedFile]], resolver: ImportResolver
) -> Iterator[EntryPoint]:
    for path in tree.paths:
        if name_of(path) != "pyproject.toml":
            continue
        text = tree.text(path) or ""
        document = toml(text)
        tables = (("project", "scripts"), ("project", "gui-scripts"), ("tool", "poetry", "scripts"))
        scripts = {name: target for keys in tables for name, target in mapping(at(document, *keys)).items()}
        for name, target in sorted(scripts.items())[:_MOST_SCRIPTS]:
            if isinstance(target, str):
                declared = line_of(text, rf"^[\"']?{re.escape(name)}[\"']?\s*=") or 1
                yield EntryPoint(name, "console_script", *(_function(target, files, resolver) or (path, declared)))


def _function(
    target: str, files: Mapping[str, tuple[str, ParsedFile]], resolver: ImportResolver
) -> tuple[str, int] | None:
    """Where `package.module:function` is defined, when that is in this repository."""
    module, _, function = target.partition(":")
    for path in resolver.resolve("", "python", module.strip()):
        for symbol in files[path][1].symbols:
            if symbol.name == function.strip().split(".")[0] and not symbol.scope:
                return path, symbol.line
    return None


def _npm(tree: Tree) -> Iterator[EntryPoint]:
    for path in tree.paths:
        if name_of(path) != "package.json":
            continue
        text = tree.text(path) or ""
        document = json_object(text)
        package = document.get("name")
        name = package if isinstance(package, str) else folder_of(path) or "."
        if "bin" in document:
            names = sorted(mapping(document["bin"]))[:_MOST_SCRIPTS] or [name]
            line = line_of(text, r'"bin"\s*:') or 1
            yield from (EntryPoint(each, "package_bin", path, line) for each in names)
        if isinstance(document.get("main"), str):
            yield EntryPoint(name, "package_main", path, line_of(text, r'"main"\s*:') or 1)


def _in_file(path: str, grammar: str, parsed: ParsedFile) -> Iterator[EntryPoint]:
    top = {symbol.name: symbol for symbol in parsed.symbols if not symbol.scope}
    main = top.get("main")
    if grammar == "python":
        if name_of(path) == "__main__.py":
            yield EntryPoint(folder_of(path) or ".", "module_main", path, 1)
        elif parsed.entry_line:
            yield EntryPoint(path, "main_guard", path, parsed.entry_line)
    elif grammar == "go" and main and parsed.package == "main":
        yield EntryPoint(folder_of(path) or ".", "go_main", path, main.line)
    elif grammar == "rust" and main and (name_of(path) == "main.rs" or "/bin/" in f"/{path}" or "examples/" in path):
        name = stem_of(path) if name_of(path) != "main.rs" else folder_of(path).removesuffix("src").strip("/") or "."
        yield EntryPoint(name, "rust_main", path, main.line)
    elif grammar == "java":
        for symbol in parsed.symbols:
            if symbol.name == "main" and symbol.kind == "method" and "static" in symbol.signature.split():
                yield EntryPoint(symbol.scope or stem_of(path), "java_main", path, symbol.line)
