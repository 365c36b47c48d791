"""Which tests a caller chooses: a selector names tests, and is never a way to give pytest other options."""

from __future__ import annotations

import shlex
from collections.abc import Collection

from repowright_tools.errors import InvalidArguments

_TAKES_EXPRESSION = ("-k", "-m")


def read_selector(selector: str) -> list[str]:
    """The words of a selector.

    Raises:
        InvalidArguments: it cannot be read, is empty, or holds an option other than `-k` and `-m` with an expression.
    """
    try:
        words = shlex.split(selector)
    except ValueError as error:
        if "::" in selector and not _could_be_option(selector):
            return [selector]  # a node id as results name it: its parameters may hold a quotation mark
        raise InvalidArguments(f"`selector` cannot be read: {error}") from error
    if not words:
        raise InvalidArguments("`selector` is empty; leave it out to run all tests")
    rest = iter(words)
    for word in rest:
        if word in _TAKES_EXPRESSION:
            expression = next(rest, "")
            if not expression or _could_be_option(expression):
                raise InvalidArguments(f"`selector`: {word} needs an expression after it")
        elif _could_be_option(word):
            raise InvalidArguments(
                f"`selector` takes paths, node ids, `-k EXPRESSION` and `-m EXPRESSION` only, not {word!a}; "
                "options belong into `command`, and a node id with spaces into quotes"
            )
    return words


def _could_be_option(word: str) -> bool:
    """Whether pytest could take the word for an option, or (`@file`) for a file of options."""
    return word.startswith(("-", "@"))


def selection(selector: str, paths: Collection[str]) -> list[str]:
    """What pytest is told; `paths` are the files of the repository. Raises as `read_selector`."""
    words = read_selector(selector)
    if _is_path(selector, paths):  # a node id may hold spaces
        return [selector]
    if any(word in _TAKES_EXPRESSION for word in words) or all(_is_path(word, paths) for word in words):
        return words
    return ["-k", selector.strip()]


def _is_path(word: str, paths: Collection[str]) -> bool:
    path = word.partition("::")[0].removeprefix("./").rstrip("/")
    return any(known == path or known.startswith(f"{path}/") for known in paths)
