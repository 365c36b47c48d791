"""The words of a plain command, and how they were written."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

_TOKEN = re.compile(r"""[ \t]*((?:[^\s'"\\;&|<>()$`#!~]|'[^']*'|"[^"$`\\]*"|\\.)+)""")
_PATTERN = re.compile(r"[*?{}]")
PYTHON = re.compile(r"python(3(\.\d+)?)?")
"""What the interpreter is called."""
_ENVIRONMENTS = {("uv", "run"), ("poetry", "run"), ("pdm", "run"), ("pipenv", "run"), ("rye", "run"), ("hatch", "run")}
"""The environment is ours, so these are not needed."""


class Word(str):
    """The value of a word.

    Attributes:
        source: how it was written: a pattern between quotes is the command's to expand, one without is the shell's.
    """

    __slots__ = ("source",)
    source: str

    def __new__(cls, value: str, source: str) -> Word:
        word = super().__new__(cls, value)
        word.source = source
        return word


def command_words(command: str) -> list[str] | None:
    """The words of one plain command, patterns included; None for what only a shell understands."""
    text, at, words = command.strip(), 0, list[str]()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            return None
        words.append(Word("".join(shlex.split(found[1])), found[1]))
        at = found.end()
    return words[2:] if tuple(words[:2]) in _ENVIRONMENTS else words


def plain_words(command: str) -> list[str] | None:
    """The words of one plain command without any pattern; None for others."""
    return None if _PATTERN.search(command) else command_words(command)


def joined(words: Iterable[str]) -> str:
    """A line for `sh` of these words, each as it was written."""
    return " ".join(word.source if isinstance(word, Word) else shlex.quote(word) for word in words)
