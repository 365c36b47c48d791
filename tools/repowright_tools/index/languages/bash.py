"""Bash, and what is near enough to it."""

from __future__ import annotations

from collections.abc import Sequence
from posixpath import normpath

from repowright_tools.index.languages.language import Docs, Grammar, Language, Sources
from repowright_tools.index.paths import folder_of


class Sourced:
    """`source ./x.sh`; of `"$(dirname "$0")/x.sh"` what follows the expansions, from the folder or the root."""

    def __init__(self, sources: Sources) -> None:
        self._paths = sources.files.keys()

    def resolve(self, path: str, target: str) -> Sequence[str]:
        tail = target.rstrip("\"'")
        tail = tail[max(tail.rfind(mark) for mark in "\"'`(){}$ ") + 1 :]
        name = tail.partition("/")[2] if "$" in target and not tail.startswith("/") else tail
        name = name.lstrip("/") if "$" in target else name
        if not name or name.startswith("/"):
            return []
        places = (normpath(f"{folder_of(path) or '.'}/{name}"), normpath(name))
        return [place for place in places if place in self._paths][:1]


LANGUAGE = Language(
    "Shell",
    "sh bash zsh ksh bats",
    ".bashrc .bash_profile .profile .zshrc",
    grammars=(Grammar("bash", "tree_sitter_bash", ("bash",)),),
    docs=Docs(lines=(b"#",)),
    resolver=Sourced,
)
