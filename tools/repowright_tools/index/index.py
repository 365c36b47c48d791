"""What several stages know of a repository, read once, and the same for the same tree."""

from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from functools import cached_property
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING

from repowright_tools.events import EventSink
from repowright_tools.index.imports import MANIFESTS, ImportResolver
from repowright_tools.index.kept import Scanned
from repowright_tools.index.limits import Limits
from repowright_tools.index.listing import Excluded, Listing, SourceFile, listing_of
from repowright_tools.index.map import RenderedMap, focused_map
from repowright_tools.index.nearest import nearest
from repowright_tools.index.parse import ParsedFile, Symbol
from repowright_tools.index.paths import name_of, stem_of
from repowright_tools.index.reading import FileRefused, TreeReader
from repowright_tools.index.relations import Relations
from repowright_tools.index.relevance import Relevance
from repowright_tools.index.scan import scan
from repowright_tools.index.stamp import code_stamp
from repowright_tools.index.standby import Standby
from repowright_tools.index.store import UNUSABLE, IndexStore, StoreDamaged, StoreFull, in_memory, store_path
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from repowright_tools.index.entry_points import EntryPoint
    from repowright_tools.index.history import Commit
    from repowright_tools.index.manifests.found import Command
    from repowright_tools.index.modules import Module
    from repowright_tools.index.search.search import Relevant
    from repowright_tools.models import RepositoryWarning

_MAX_DAMAGED = 3


class Index:
    """Opens repositories. Nothing of them is run, no link is followed, and nothing is written in them."""

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        folder: Path | None = None,
        repository: str = "",
        standby: Standby | None = None,
    ) -> None:
        """An index that is kept in `folder`, or, without one, in memory.

        Args:
            limits: what is too much.
            folder: where indexes are kept, a file for each repository.
            repository: what the repository is known by, in all its branches, work trees and clones: its address, or
                the place of its history.
            standby: has a parser ready, where the process lives longer than one call.
        """
        self._standby = standby or Standby(keeps=False)
        self._limits = limits or Limits()
        self._kept_in = (folder, repository) if folder else None

    async def open(
        self, root: Path, *, exclude: Sequence[str] = (), events: EventSink | None = None
    ) -> "RepositoryIndex":
        """Bring the index to what the work tree at `root` holds now.

        Args:
            root: a folder inside a git work tree.
            exclude: patterns of files to leave out, with the syntax of .gitignore.
            events: told of progress, by files.

        Raises:
            NotARepository, WorkspaceTooLarge, InvalidArguments: see `list_names`.
        """
        root = _absolute(root)  # the processes that read have another folder
        try:
            await self._standby.ready(root, self._limits)  # while the store is opened
            return await self._opened(root, exclude, events)
        finally:
            await self._standby.settle()

    async def _opened(self, root: Path, exclude: Sequence[str], events: EventSink | None) -> "RepositoryIndex":
        warnings: list[tuple[str, str]] = []
        try:
            store = await in_thread(self._store)
            scanned = await self._scanned(root, exclude, store, events)
        except StoreFull as error:
            store = await in_thread(IndexStore, None)
            scanned = await scan(root, exclude, self._limits, store, self._standby, events)
            warnings.append(("index_not_kept", f"The index could not be kept for the next call: {error}."))
        if store.rebuilt:
            warnings.append(("index_rebuilt", "The kept index was damaged, and has been made anew."))
        return RepositoryIndex(root, store, scanned, self._limits, [*scanned.warnings, *warnings])

    async def _scanned(
        self, root: Path, exclude: Sequence[str], store: IndexStore, events: EventSink | None
    ) -> Scanned:
        for _ in range(_MAX_DAMAGED):
            with suppress(StoreDamaged):  # it is empty now
                return await scan(root, exclude, self._limits, store, self._standby, events)
        raise StoreFull("it is damaged as soon as it is made")

    def _store(self) -> IndexStore:
        return IndexStore(store_path(*self._kept_in, code_stamp()) if self._kept_in else None)


class RepositoryIndex:
    """A repository as it was when it was opened; texts are read from disk when they are asked for.

    Paths are spelled as in every result (`paths.shown`). The coroutines keep the event loop free. The other
    methods, and attributes at their first use, may take a second on a large repository: from async code, reach them
    by `threads.in_thread`.

    Attributes:
        root: the folder.
        digest: what this very tree is known by.
        read, parsed_now: how many files were opened, and parsed, to bring the index up to date.
    """

    def __init__(
        self,
        root: Path,
        store: IndexStore,
        scanned: Scanned,
        limits: Limits,
        warnings: Sequence[tuple[str, str]],
    ) -> None:
        self.root = root
        self.digest = scanned.digest
        self.read, self.parsed_now = scanned.read, scanned.parsed
        self._store = store
        self._scanned = scanned
        self._limits = limits
        self._told = warnings
        self._commits: Sequence[Commit] | None = None
        self._relations = Relations(store, scanned, limits)

    # --- files and names ------------------------------------------------------------------------------------------

    @property
    def files(self) -> Sequence[SourceFile]:
        """Text files, sorted by path."""
        return self._listing.files

    @property
    def excluded(self) -> Sequence[Excluded]:
        """The other files, by reason."""
        return self._listing.excluded

    @property
    def listed(self) -> int:
        """How many files there are in all."""
        return len(self._scanned.table.names)

    @property
    def paths(self) -> Sequence[str]:
        """Of the text files, sorted."""
        return self._paths

    @cached_property
    def parsed(self) -> Mapping[str, ParsedFile]:
        """What is known of each source file, by path."""
        return self._relations.parsed()

    @cached_property
    def warnings(self) -> "Sequence[RepositoryWarning]":
        """What a limit left out, and what went wrong."""
        from repowright_tools.models import RepositoryWarning

        warnings = [RepositoryWarning(code=code, message=message) for code, message in self._told]
        if count := sum(group.count for group in self.excluded if group.reason == "over_limit"):
            text = f"{count} files beyond the limit of {self._limits.files} were not read."
            warnings.insert(0, RepositoryWarning(code="too_many_files", message=text))
        if sum(file.size for file in self.files) > self._limits.search_total_bytes:
            text = f"Only the first {self._limits.search_total_bytes} bytes of text are searched for a focus."
            warnings.append(RepositoryWarning(code="too_much_text", message=text))
        return warnings

    @cached_property
    def symbols(self) -> Mapping[str, Sequence[Symbol]]:
        """Definitions by path, in the order of the file."""
        return {path: parsed.symbols for path, parsed in self.parsed.items()}

    @cached_property
    def languages(self) -> Sequence[tuple[str, int, int, int]]:
        """Name, files, lines and bytes of each language, the one with most bytes first."""
        totals: dict[str, tuple[int, int, int]] = {}
        for file in self.files:
            if file.language:
                files, lines, size = totals.get(file.language, (0, 0, 0))
                totals[file.language] = files + 1, lines + file.lines, size + file.size
        return sorted(((name, *counts) for name, counts in totals.items()), key=lambda row: (-row[3], row[0]))

    def has_path(self, path: str) -> bool:
        """Whether that file exists, also when it is left out of the analysis."""
        return path in self._listing.existing

    def text(self, path: str) -> str | None:
        """The whole text of a text file as it is now, bytes that are not UTF-8 replaced; None when it is not one."""
        file = self._by_path.get(path)
        if file is None:
            return None
        try:
            with TreeReader(self.root) as reader:
                return reader.read(file.raw, self._limits.file_bytes).decode("utf-8", "replace")
        except (FileRefused, OSError):
            return None

    def has_symbol(self, name: str) -> bool:
        """Whether it is defined: a name alone, with what encloses it (`Class.method`) or its file (`file.function`)."""
        return name.removesuffix("()").replace("::", ".").replace("#", ".") in self._names

    def nearest_paths(self, name: str, count: int = 3) -> list[str]:
        """Existing files with a similar path, best first."""
        return nearest(name, self._listing.existing, count)

    def nearest_symbols(self, name: str, count: int = 3) -> list[str]:
        """Defined names that are similar, best first."""
        known = {symbol.name for symbols in self.symbols.values() for symbol in symbols}
        return nearest(name.removesuffix("()").rpartition(".")[2], known, count)

    # --- what the repository is -----------------------------------------------------------------------------------

    def commands(self) -> "dict[str, list[Command]]":
        """Commands by kind (install, test, lint, build, run), the most authoritative first."""
        from repowright_tools.index.commands import find_commands

        return find_commands(self)

    def entry_points(self) -> "list[EntryPoint]":
        """Declared ones first, then those found in the code; those of tests and examples last."""
        from repowright_tools.index.entry_points import find_entry_points
        from repowright_tools.index.more_starts import more_starts
        from repowright_tools.index.test_files import is_aside

        found = [*find_entry_points(self, self._graded, self._resolver), *more_starts(self, self._graded)]
        return sorted(dict.fromkeys(found), key=lambda entry: is_aside(entry.path))

    def modules(self) -> "list[Module]":
        from repowright_tools.index.modules import find_modules

        return find_modules(self._graded, {file.path: file.lines for file in self.files}, self._resolver)

    def neighbours(self, path: str) -> Mapping[str, float]:
        """Files that it refers to and that refer to it, each with the share of the strongest (0 to 1)."""
        return self._relations.neighbours(path)

    async def commits(self) -> "Sequence[Commit]":
        """The newest commits, newest first; none where there is no history."""
        if self._commits is None:
            try:
                self._commits = await self._history(await in_thread(self._store.connect))
            except UNUSABLE:  # it cannot be kept: read into memory, it is the same
                self._commits = await self._history(in_memory())
        return self._commits

    async def _history(self, connection: Connection) -> "Sequence[Commit]":
        from repowright_tools.index.history import read_history

        with closing(connection):
            return await read_history(self.root, connection)

    async def relevant(self, focus: str, limit: int = 50) -> "list[Relevant]":
        """The files that fit a question, paths or names of definitions, best first."""
        commits = await self.commits()
        return await in_thread(self._relevance.find, focus, limit, commits)

    async def render_map(self, token_budget: int, focus: str | None = None) -> RenderedMap:
        """The ranked map, never above the budget; with a focus, what fits it comes first. Secrets are hidden."""
        if not focus:
            return await in_thread(self._relations.map, token_budget)
        relevant = await self.relevant(focus)
        return await in_thread(lambda: focused_map(self._relations.mapped(), token_budget, focus, relevant))

    # --- built at first use ---------------------------------------------------------------------------------------

    @cached_property
    def _relevance(self) -> Relevance:
        return Relevance(self.root, self._store, self.files, self._relations, self._limits)

    @cached_property
    def _listing(self) -> Listing:
        return listing_of(self._scanned.table)

    @cached_property
    def _paths(self) -> Sequence[str]:
        return [file.path for file in self.files]

    @cached_property
    def _by_path(self) -> Mapping[str, SourceFile]:
        return {file.path: file for file in self.files}

    @cached_property
    def _graded(self) -> Mapping[str, tuple[str, ParsedFile]]:
        return {path: (self._by_path[path].grammar or "", parsed) for path, parsed in self.parsed.items()}

    @cached_property
    def _resolver(self) -> ImportResolver:
        manifests = [path for path in self.paths if name_of(path) in MANIFESTS]
        return ImportResolver(self._graded, {path: self.text(path) or "" for path in manifests})

    @cached_property
    def _names(self) -> frozenset[str]:
        names: set[str] = set()
        for path, symbols in self.symbols.items():
            for symbol in symbols:
                qualified = f"{symbol.scope}.{symbol.name}".lstrip(".")
                names |= {symbol.name, qualified, f"{stem_of(path)}.{qualified}"}
        return frozenset(names)


def _absolute(root: Path) -> Path:
    return root.absolute()
