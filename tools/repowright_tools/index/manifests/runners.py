"""Makefile targets and just recipes."""

import re
from collections.abc import Iterator

from repowright_tools.index.manifests.found import Found, found
from repowright_tools.index.tree import Tree

_FILES = (
    ("Makefile", "make"),
    ("GNUmakefile", "make"),
    ("makefile", "make"),
    ("justfile", "just"),
    ("Justfile", "just"),
    (".justfile", "just"),
)
_TARGET = re.compile(r"^@?([A-Za-z][\w-]*)(?:[ \t][^:=\n]*)?:(?!=)", re.MULTILINE)
_KINDS = (
    ("install", re.compile(r"install|setup|deps|bootstrap|init")),
    ("test", re.compile(r"tests?|unit-?tests?|test-(?:unit|all)")),
    ("lint", re.compile(r"lint|check|format-check|typecheck|vet")),
    ("build", re.compile(r"build|all|dist|compile")),
    ("run", re.compile(r"run|start|serve|dev")),
)


def commands(tree: Tree) -> Iterator[Found]:
    for path, tool in _FILES:
        text = tree.text(path)
        if text is None:
            continue
        for match in _TARGET.finditer(text):
            for kind, names in _KINDS:
                if names.fullmatch(match[1]):
                    yield found(kind, f"{tool} {match[1]}", path, text.count("\n", 0, match.start()) + 1)
