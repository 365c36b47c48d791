"""Makefile targets, just recipes, tasks of Taskfile and mage, and scripts of a `bin` or `script` folder."""

import re
from collections.abc import Iterator

from repowright_tools.index.manifests.found import Found, found
from repowright_tools.index.manifests.yaml_outline import outline
from repowright_tools.index.tree import Tree, line_of

_FILES = (
    ("Makefile", "make"),
    ("GNUmakefile", "make"),
    ("makefile", "make"),
    ("justfile", "just"),
    ("Justfile", "just"),
    (".justfile", "just"),
)
_TASKFILES = ("Taskfile.yml", "Taskfile.yaml", "taskfile.yml", "taskfile.yaml", "Taskfile.dist.yml")
_SCRIPTS = (  # script, kind: the scripts-to-rule-them-all layout, and Rails'
    ("bin/setup", "install"),
    ("script/bootstrap", "install"),
    ("script/setup", "install"),
    ("script/test", "test"),
    ("bin/test", "test"),
    ("script/cibuild", "test"),
    ("bin/dev", "run"),
    ("script/server", "run"),
)
_TARGET = re.compile(r"^@?([A-Za-z][\w-]*)(?:[ \t][^:=\n]*)?:(?!=)", re.MULTILINE)
_KINDS = (
    ("install", re.compile(r"install|setup|deps|bootstrap|init|develop")),
    ("test", re.compile(r"tests?|unit-?tests?|test-(?:unit|all)")),
    ("lint", re.compile(r"lint|check|format-check|typecheck|vet|fmt-check")),
    ("build", re.compile(r"build|all|dist|compile")),
    ("run", re.compile(r"run|start|serve|dev")),
)


def commands(tree: Tree) -> Iterator[Found]:
    for path, tool in _FILES:
        text = tree.text(path)
        if text is None:
            continue
        for match in _TARGET.finditer(text):
            for kind in _kinds(match[1]):
                yield found(kind, f"{tool} {match[1]}", path, text.count("\n", 0, match.start()) + 1)
    yield from _tasks(tree)
    for path, kind in _SCRIPTS:
        text = tree.text(path)
        if text is not None and text.startswith("#!"):
            yield found(kind, path, path, 1)


def _tasks(tree: Tree) -> Iterator[Found]:
    for path in _TASKFILES:
        text = tree.text(path)
        if text is None:
            continue
        for entry in outline(text):
            if entry.keys[:1] == ("tasks",) and len(entry.keys) == 2:
                for kind in _kinds(entry.keys[1]):
                    yield found(kind, f"task {entry.keys[1]}", path, entry.line)
    text = tree.text("magefile.go") or ""
    for name in ("Test", "Lint", "Build"):
        if line := line_of(text, rf"^func {name}\("):
            yield found(name.lower(), f"mage {name.lower()}", "magefile.go", line)


def _kinds(name: str) -> Iterator[str]:
    return (kind for kind, names in _KINDS if names.fullmatch(name))
