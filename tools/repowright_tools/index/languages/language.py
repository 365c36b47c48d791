"""What the index must know of a programming language: the form that every module of this package fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from repowright_tools.index.parse import ParsedFile

VisibilityRule = Callable[[str, str, str, str], bool]
"""Whether a definition that is not local can be named from outside its file, as far as its own words say.

It is given the name, what stands before the name (its modifiers, the last of them if there are many), the kind of what
encloses it ("" at the top of the file) and its access: the last access label above it (C++, Ruby), `export` when the
file exports it by a statement or a list, `unlisted` when the file has a list without it, "" otherwise.
"""


class Grammar(NamedTuple):
    """A tree-sitter grammar in a package of its own.

    Attributes:
        name: what the rest of the index calls it.
        package: the importable package, and `function` in it, which gives the grammar.
        queries: files in `queries/`, without `.scm`, that are put together to one query.
        extensions: those it parses; empty: all of its language.
        exact: whether what the language's own compiler takes practically always parses without an error node.
    """

    name: str
    package: str
    queries: tuple[str, ...]
    function: str = "language"
    extensions: str = ""
    exact: bool = False


class Docs(NamedTuple):
    """How documentation is written.

    Attributes:
        lines: what a line of a doc comment above the definition begins with.
        blocks: what a block of it begins with; it ends with `*/`.
        in_body: whether it is a string at the start of the body.
    """

    lines: tuple[bytes, ...] = ()
    blocks: tuple[bytes, ...] = ()
    in_body: bool = False


class Sources(NamedTuple):
    """The repository, as far as imports can mean something in it.

    Attributes:
        files: grammar and parse result by path.
        go_modules: folder by module path, the longest first.
        manifests: texts of manifest files by path; see `imports.MANIFESTS`.
    """

    files: Mapping[str, tuple[str, ParsedFile]]
    go_modules: Mapping[str, str]
    manifests: Mapping[str, str]


class Resolver(Protocol):
    """Finds what imports mean. Built once for a repository, with its `Sources`, when the first import is asked for."""

    def resolve(self, path: str, target: str) -> Sequence[str]:
        """The files that `target`, imported by `path`, stands for; none when they are outside of the repository."""
        ...


class Language(NamedTuple):
    """A language.

    Attributes:
        name: as shown to people.
        extensions: without dots, separated by blanks; `file_names` likewise, all in lower case.
        grammars: empty when its files are searched as text only.
        family: definitions of one family may be referred to from all languages of it. Empty: its own.
        exported: see `VisibilityRule`.
        docs: how documentation is written.
        resolver: makes the resolver of its imports; languages with the same one share an instance.
    """

    name: str
    extensions: str
    file_names: str = ""
    grammars: tuple[Grammar, ...] = ()
    family: str = ""
    exported: VisibilityRule = lambda name, head, within, access: True
    docs: Docs = Docs()
    resolver: Callable[[Sources], Resolver] | None = None
