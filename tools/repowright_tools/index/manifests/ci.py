"""What CI runs: the `run:` steps of GitHub workflows and the scripts of GitLab."""

import re
from collections.abc import Iterator

from repowright_tools.index.manifests.classify import command_in
from repowright_tools.index.manifests.found import Found, found
from repowright_tools.index.tree import Tree

_WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml|\.gitlab-ci\.yml")
_RUN = re.compile(r"^(?P<indent>\s*(?:-\s+)?)run:\s*(?P<rest>.*)$")
_ITEM = re.compile(r"^\s*-\s+(?P<rest>[^:{}\[\]]+)$")


def commands(tree: Tree) -> Iterator[Found]:
    for path in tree.paths:
        if _WORKFLOW.fullmatch(path):
            for number, line in steps(tree.text(path) or ""):
                if known := command_in(line):
                    yield found(*known, path, number)


def steps(text: str) -> Iterator[tuple[int, str]]:
    """Number and text of each shell line of a workflow.

    Read line by line, not as YAML: all that matters is which lines are shell, and the number of each.
    """
    block: int | None = None  # indentation of the `run:` whose block we are in
    for number, line in enumerate(text.splitlines(), 1):
        indent = len(line) - len(line.lstrip())
        if block is not None and (not line.strip() or indent > block):
            yield number, line.strip()
            continue
        block = None
        if match := _RUN.match(line):
            rest = match["rest"].strip()
            if rest[:1] in {"|", ">"}:
                block = len(match["indent"])
            else:
                yield number, rest.strip("\"'")
        elif match := _ITEM.match(line):  # a line of a GitLab script
            yield number, match["rest"].strip("\"'")
