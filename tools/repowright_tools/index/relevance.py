"""Which files of a tree a request is about: the search that is kept with its index."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from repowright_tools.index.blob import blob_id
from repowright_tools.index.limits import Limits
from repowright_tools.index.listing import SourceFile
from repowright_tools.index.reading import FileRefused, TreeReader
from repowright_tools.index.relations import Relations
from repowright_tools.index.store import UNUSABLE, IndexStore, in_memory

if TYPE_CHECKING:
    from repowright_tools.index.history import Commit
    from repowright_tools.index.search.document import Document
    from repowright_tools.index.search.search import Relevant, Search

_NAMES_ONLY = "names"


class Relevance:
    """Blocking calls; several threads may ask, one is answered at a time."""

    def __init__(
        self, root: Path, store: IndexStore, files: Sequence[SourceFile], relations: Relations, limits: Limits
    ) -> None:
        self._root = root
        self._store = store
        self._by_path = {file.path: file for file in files}
        self._relations = relations
        self._limits = limits
        self._asking = Lock()
        self._search: Search | None = None

    def find(self, focus: str, limit: int, commits: "Sequence[Commit]") -> "list[Relevant]":
        """The best files first.

        Raises:
            StoreDamaged: what was kept makes no sense.
        """
        with self._asking, self._store.reading():
            try:
                return self._answer(self._search or self._synced(self._store.connect()), focus, limit, commits)
            except UNUSABLE:  # it cannot be kept: made in memory, it answers the same
                return self._answer(self._synced(in_memory()), focus, limit, commits)

    def _answer(self, search: "Search", focus: str, limit: int, commits: "Sequence[Commit]") -> "list[Relevant]":
        self._search = search
        relations = self._relations
        return search.search(
            focus, limit, neighbours=relations.neighbours, commits=commits, symbols=relations.symbols_of
        )

    def _synced(self, connection: sqlite3.Connection) -> "Search":
        from repowright_tools.index.search.search import Search

        search = Search(connection)
        search.sync(self._contents, self._document)
        return search

    @cached_property
    def _contents(self) -> Mapping[str, str]:
        """What identifies a file's text and definitions, by path; beyond the limit only the names in it count."""
        contents: dict[str, str] = {}
        left = self._limits.search_total_bytes
        for path, file in self._by_path.items():
            left -= file.size
            kind = self._relations.form_of(path) or ""
            contents[path] = f"{file.digest}:{kind}" if left >= 0 else f"{file.digest}:{kind}:{_NAMES_ONLY}"
        return contents

    def _document(self, path: str) -> "Document | None":
        """A file as the search sees it; None when it changed since, for what is stored belongs to its bytes."""
        from repowright_tools.index.search.document import document

        file = self._by_path[path]
        if self._contents[path].endswith(_NAMES_ONLY):
            return document("", self._relations.symbols_of(path))
        try:
            with TreeReader(self._root) as reader:
                data = reader.read(file.raw, self._limits.file_bytes)
        except (FileRefused, OSError):
            return None
        if blob_id(data).hex() != file.digest:
            return None
        return document(data.decode("utf-8", "replace"), self._relations.symbols_of(path))
