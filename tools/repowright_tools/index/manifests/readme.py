"""The fenced commands of the README and of the guide for contributors."""

import re
from collections.abc import Iterator

from repowright_tools.index.manifests.classify import command_in
from repowright_tools.index.manifests.found import Found, found
from repowright_tools.index.tree import Tree

_GUIDES = re.compile(
    r"(?:readme|contributing|development|developing|building|hacking|agents|claude|testing)\.(?:md|rst|txt|adoc)|readme"
    r"|\.github/contributing\.md|docs?/(?:\w+/)?(?:contributing|development|developing|building|testing)\.(?:md|rst|txt)",
    re.IGNORECASE,
)
_NOT_FIRST = re.compile(r"^readme", re.IGNORECASE)
_MOST_FILES = 20
_FENCE = re.compile(r"^\s*(```+|~~~+)\s*([\w.+-]*)")
_SHELL = frozenset({"", "sh", "bash", "shell", "console", "zsh", "text"})


def commands(tree: Tree) -> Iterator[Found]:
    """What contributors are told before what users are told."""
    guides = [path for path in tree.paths if _GUIDES.fullmatch(path)]
    for path in sorted(guides, key=lambda path: (bool(_NOT_FIRST.match(path)), path))[:_MOST_FILES]:
        for number, line in _fenced(tree.text(path) or ""):
            if known := command_in(line):
                yield found(*known, path, number)


def _fenced(text: str) -> Iterator[tuple[int, str]]:
    fence: str | None = None
    shell = False
    for number, line in enumerate(text.splitlines(), 1):
        match = _FENCE.match(line)
        if match and fence is None:
            fence, shell = match[1], match[2].lower() in _SHELL
        elif fence is not None and line.strip().startswith(fence):
            fence = None
        elif fence is not None and shell:
            yield number, line
