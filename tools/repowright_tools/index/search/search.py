"""Finding the files of a repository that a request is about."""

import sqlite3
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from math import log

from repowright_tools.index.history import Commit
from repowright_tools.index.parse import Symbol
from repowright_tools.index.search.document import Document
from repowright_tools.index.search.evidence import Neighbours, Tree, gather
from repowright_tools.index.search.focus import Focus, focus_of
from repowright_tools.index.search.kinds import is_program
from repowright_tools.index.search.named import Symbols, named_paths, symbol_names, tokens
from repowright_tools.index.search.past import Past
from repowright_tools.index.search.postings import Entry, Postings
from repowright_tools.index.search.ranking import totals
from repowright_tools.index.search.reasons import Reasons
from repowright_tools.index.search.texts import Texts
from repowright_tools.index.search.words import terms_of_word

DEAD_DOCUMENTS = 20_000
"""Beyond these, texts of other trees are dropped: some gigabyte of source."""

_MAX_DEFINERS = 5  # files that may define a name for it to name them
_MOST_LOOKED_AT = 300  # files whose definitions are gone through for a name


@dataclass(frozen=True, slots=True)
class Relevant:
    """A file that fits a request. Scores compare within one answer only; `why` is for people and models."""

    path: str
    score: float
    why: str


class Search:
    """The search of one repository, kept in its database. Used by one thread at a time.

    What is stored of a file is known by its content and holds for every tree that has it, so branches, worktrees and
    processes share the database; an answer depends on the tree given to `sync` and on the commits given to `search`
    alone.

    Args:
        connection: SQLite, with `isolation_level=None`, a busy timeout, and in a file in WAL mode.
        spare: how many documents of other trees are kept on top of as many as this one has.
    """

    def __init__(self, connection: sqlite3.Connection, spare: int = DEAD_DOCUMENTS) -> None:
        self._connection = connection
        self._spare = spare
        self._files = Postings(connection, "file")
        self._messages = Postings(connection, "commit")
        self._tree = tree_of(self._files, {}, {})
        self._past: Past | None = None
        self._given: tuple[Mapping[str, str], Callable[[str], Document | None]] = ({}, lambda _: None)
        self._generation = 0

    def sync(self, files: Mapping[str, str], load: Callable[[str], Document | None]) -> int:
        """Search these files from now on; what is stored already is not read again.

        Killed half-way, what was stored stays and the next call goes on from there.

        Args:
            files: what identifies the content (such as git's blob id) by path. It must stand for the symbols as well:
                content that is parsed in another way needs another id.
            load: reads a file; None for one whose content is not searched. It is kept, and called again by a search
                when another process dropped what this tree needs.

        Returns:
            how many files were read.
        """
        read = 0
        while True:
            generation = self._files.generation()
            stored = self._files.stored()
            missing = {blob: path for path, blob in sorted(files.items(), reverse=True) if blob not in stored}
            if missing:
                self._files.add(_loaded(missing, load))
                read += len(missing)
            dropped = self._files.drop_others(files.values(), self._spare)
            if missing or dropped:
                stored = self._files.stored()
            if not dropped and generation == self._files.generation():  # else some may be gone again
                break
        self._generation = generation
        self._given = (files, load)
        self._tree = tree_of(self._files, files, stored)
        self._past = None
        return read

    def search(
        self,
        focus: str,
        limit: int = 50,
        *,
        neighbours: Neighbours | None = None,
        commits: Sequence[Commit] = (),
        symbols: Symbols | None = None,
    ) -> list[Relevant]:
        """The best files first, equal ones by path; none when nothing of the request is anywhere.

        Args:
            focus: a question, paths, names of definitions, or all of it.
            limit: how many files at most.
            neighbours: the files that a file refers to or is referred to by, with how strongly.
            commits: the history, newest first; the same object while it is the same history.
            symbols: what a file defines.
        """
        asked = focus_of(focus)
        while True:
            self._remember(commits)
            self._connection.execute("BEGIN")  # one state of the database for the whole question
            try:
                if self._files.generation() == self._generation:
                    return self._answer(asked, limit, neighbours, symbols or _no_symbols)
            finally:
                self._connection.execute("COMMIT")
            self.sync(*self._given)  # another process dropped what it did not need

    def _remember(self, commits: Sequence[Commit]) -> None:
        if self._past is None or self._past.commits is not commits:
            self._past = Past(self._messages, commits, self._tree.paths)
            if self._messages.drop_others([commit.id for commit in commits], self._spare):
                self._past = Past(self._messages, commits, self._tree.paths)

    def _answer(self, focus: Focus, limit: int, neighbours: Neighbours | None, symbols: Symbols) -> list[Relevant]:
        tree, past = self._tree, self._past
        named = self._named(focus, symbols)
        evidence = gather(tree, focus, past, neighbours, named)
        scores = {file: round(score, 4) for file, score in totals(tree, focus, evidence, named).items()}
        best = nsmallest(limit, scores, key=lambda file: (-scores[file], file))  # places are in the order of paths
        having = evidence.text.having({number for file in best if (number := tree.document[file]) is not None})
        reasons = Reasons(tree, focus, evidence, past, having)
        return [
            Relevant(path, scores[file], reasons.why(file, symbols(path), self._windows(file), named.get(file)))
            for file, path in ((file, tree.paths[file]) for file in best)
        ]

    def _named(self, focus: Focus, symbols: Symbols) -> dict[int, str]:
        """Files that the request names by path or by what they define, with that name."""
        asked = tokens(focus.text)
        named = named_paths(asked, self._tree.place_of)
        for name in symbol_names(asked, focus.text):
            places = self._defining(name, symbols)
            if len(places) <= _MAX_DEFINERS:
                named = dict.fromkeys(places, name) | named
        return named

    def _defining(self, name: str, symbols: Symbols) -> list[int]:
        terms = terms_of_word(name)
        if not terms:
            return []
        documents = self._tree.texts.naming(terms[-1])
        possible = sorted(file for number in documents for file in self._tree.files_of[number])
        if len(possible) > _MOST_LOOKED_AT:
            return []
        return [file for file in possible if any(it.name == name for it in symbols(self._tree.paths[file]))]

    def _windows(self, file: int) -> Sequence[int]:
        document = self._tree.document[file]
        windows = array("I")
        windows.frombytes(self._files.kept_with(document) if document is not None else b"")
        return windows


def tree_of(postings: Postings, files: Mapping[str, str], stored: Mapping[str, tuple[int, int]]) -> Tree:
    """The tree with what is stored of its files."""
    paths = sorted(files)
    document = [stored[files[path]][0] if files[path] in stored else None for path in paths]
    lengths = {stored[blob][0]: stored[blob][1] for blob in files.values() if blob in stored}
    files_of: dict[int, list[int]] = {number: [] for number in lengths}
    for place, number in enumerate(document):
        if number is not None:
            files_of[number].append(place)
    programs = {place for place, path in enumerate(paths) if is_program(path)} or set(range(len(paths)))
    usual = frozenset(number for number in (document[place] for place in programs) if number is not None)
    return Tree(
        paths,
        {path: place for place, path in enumerate(paths)},
        document,
        files_of,
        programs,
        _sizes(document, lengths),
        Texts(postings, lengths, usual),
    )


def _sizes(document: Sequence[int | None], lengths: Mapping[int, int]) -> dict[int, float]:
    longest = log(2 + max(lengths.values(), default=0))
    return {place: log(1 + lengths[number]) / longest for place, number in enumerate(document) if number is not None}


def _loaded(missing: Mapping[str, str], load: Callable[[str], Document | None]) -> Iterator[Entry]:
    for blob, path in missing.items():
        if (read := load(path)) is not None:
            names = (read.names, read.name_counts, [0] * len(read.names))
            text = (read.terms, read.counts, read.places)
            yield Entry(blob, read.length, array("I", read.windows).tobytes(), {"text": text, "names": names})


def _no_symbols(_: str) -> Sequence[Symbol]:
    return ()
