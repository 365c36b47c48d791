"""What several stages know of a repository, read once, and the same for the same tree."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock

from repowright_tools.events import EventSink, ProgressEvent
from repowright_tools.index.commands import find_commands
from repowright_tools.index.entry_points import EntryPoint, find_entry_points
from repowright_tools.index.graph import ReferenceGraph, reference_graph
from repowright_tools.index.imports import ImportResolver, go_modules
from repowright_tools.index.limits import Limits
from repowright_tools.index.listing import Excluded, Listing, SourceFile, list_files
from repowright_tools.index.manifests.found import Command
from repowright_tools.index.map import RenderedMap, ranked_items, render
from repowright_tools.index.modules import Module, find_modules
from repowright_tools.index.nearest import nearest
from repowright_tools.index.parse import ParsedFile, Symbol
from repowright_tools.index.parsing import Parses, key, parse_files
from repowright_tools.index.paths import name_of, stem_of
from repowright_tools.index.reading import FileRefused, TreeReader
from repowright_tools.index.relevance import Relevant, SearchIndex
from repowright_tools.models import RepositoryWarning
from repowright_tools.threads import in_thread


class Index:
    """Opens repositories. Nothing of them is run, no link is followed, nothing is written."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()

    async def open(
        self, root: Path, *, exclude: Sequence[str] = (), events: EventSink | None = None
    ) -> "RepositoryIndex":
        """List and parse the work tree at `root`.

        Args:
            root: a folder inside a git work tree.
            exclude: patterns of files to leave out, with the syntax of .gitignore.
            events: told of progress, by files.

        Raises:
            NotARepository, WorkspaceTooLarge, InvalidArguments: see `list_files`.
        """
        listing = await list_files(root, exclude, self._limits, _progress(events, "Reading files"))
        chosen, warnings = _to_parse(listing, self._limits)
        parses = await parse_files(root, chosen, self._limits, _progress(events, "Parsing source"))
        parsed = {file.path: parses.by_key[key(file)] for file in chosen if key(file) in parses.by_key}
        return RepositoryIndex(root, listing, parsed, [*warnings, *_failures(parses)], self._limits)


class RepositoryIndex:
    """A repository as it was when it was opened; texts are read from disk when they are asked for.

    Paths are spelled as in every result (`paths.shown`). Methods that search or read are plain calls that may take a
    second on a large repository: from async code, call them by `threads.in_thread`.

    Attributes:
        root: the folder.
        files: text files, sorted by path; `paths` are theirs; `excluded` are the others, by reason.
        listed: how many files there are in all.
        parsed: what is known of each source file, by path.
        warnings: what a limit left out.
    """

    def __init__(
        self,
        root: Path,
        listing: Listing,
        parsed: Mapping[str, ParsedFile],
        warnings: Sequence[RepositoryWarning],
        limits: Limits,
    ) -> None:
        self.root = root
        self.files: Sequence[SourceFile] = listing.files
        self.excluded: Sequence[Excluded] = listing.excluded
        self.paths: Sequence[str] = [file.path for file in listing.files]
        self.listed = listing.listed
        self.parsed = parsed
        self.warnings = warnings
        self._existing = listing.existing
        self._by_path = {file.path: file for file in listing.files}
        self._limits = limits
        self._building = Lock()  # of what is built at first use: several threads may ask at once
        self._search: SearchIndex | None = None

    # --- files and names ------------------------------------------------------------------------------------------

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
        return path in self._existing

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
        return nearest(name, self._existing, count)

    def nearest_symbols(self, name: str, count: int = 3) -> list[str]:
        """Defined names that are similar, best first."""
        known = {symbol.name for symbols in self.symbols.values() for symbol in symbols}
        return nearest(name.removesuffix("()").rpartition(".")[2], known, count)

    # --- what the repository is -----------------------------------------------------------------------------------

    def commands(self) -> dict[str, list[Command]]:
        """Commands by kind (install, test, lint, build, run), the most authoritative first."""
        return find_commands(self)

    def entry_points(self) -> list[EntryPoint]:
        return find_entry_points(self, self._graded, self._resolver)

    def modules(self) -> list[Module]:
        return find_modules(self._graded, {file.path: file.lines for file in self.files}, self._resolver)

    def relevant(self, focus: str, limit: int = 50) -> list[Relevant]:
        """The files that fit a request in words, best first."""
        with self._building:
            if self._search is None:
                self._search = self._built_search()
        return self._search.search(focus, limit)

    async def render_map(self, token_budget: int, focus: str | None = None) -> RenderedMap:
        """The ranked map, never above the budget; with a focus, what fits it comes first. Secrets are hidden."""
        return await in_thread(self._render_map, token_budget, focus)

    # --- built at first use ---------------------------------------------------------------------------------------

    def _render_map(self, token_budget: int, focus: str | None) -> RenderedMap:
        hits = self.relevant(focus) if focus else []
        return render(ranked_items(self.paths, self.parsed, self._graph, focus, hits), token_budget)

    @cached_property
    def _graded(self) -> Mapping[str, tuple[str, ParsedFile]]:
        return {path: (self._by_path[path].grammar or "", parsed) for path, parsed in self.parsed.items()}

    @cached_property
    def _graph(self) -> ReferenceGraph:
        return reference_graph(self._graded)

    @cached_property
    def _resolver(self) -> ImportResolver:
        manifests = [path for path in self.paths if name_of(path) == "go.mod"]
        return ImportResolver(self._graded, go_modules({path: self.text(path) or "" for path in manifests}))

    @cached_property
    def _names(self) -> frozenset[str]:
        names: set[str] = set()
        for path, symbols in self.symbols.items():
            for symbol in symbols:
                qualified = f"{symbol.scope}.{symbol.name}".lstrip(".")
                names |= {symbol.name, qualified, f"{stem_of(path)}.{qualified}"}
        return frozenset(names)

    def _built_search(self) -> SearchIndex:
        search = SearchIndex(self.symbols)
        left = self._limits.search_total_bytes
        with TreeReader(self.root) as reader:
            for file in self.files:
                left -= file.size
                text = ""
                if left >= 0:
                    try:
                        text = reader.read(file.raw, self._limits.file_bytes).decode("utf-8", "replace")
                    except FileRefused:  # it went since: its path and symbols are still worth finding
                        text = ""
                search.add(file.path, text)
        return search


def _progress(events: EventSink | None, message: str) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        if events is not None:
            events.emit(ProgressEvent(message, done, total))

    return report


def _to_parse(listing: Listing, limits: Limits) -> tuple[list[SourceFile], list[RepositoryWarning]]:
    """Files with a grammar inside the limits, and what to tell of the rest."""
    source = [file for file in listing.files if file.grammar]
    small = [file for file in source if file.size <= limits.parse_bytes]
    chosen: list[SourceFile] = []
    left = limits.parse_total_bytes
    for file in small:
        left -= file.size
        if left < 0:
            break
        chosen.append(file)
    warnings: list[RepositoryWarning] = []
    if count := sum(group.count for group in listing.excluded if group.reason == "over_limit"):
        warnings.append(_warning("too_many_files", f"{count} files beyond the limit of {limits.files} were not read."))
    if count := len(source) - len(small):
        warnings.append(
            _warning("large_source", f"{count} files above {limits.parse_bytes} bytes are searched as text only.")
        )
    if count := len(small) - len(chosen):
        text = f"{count} source files beyond {limits.parse_total_bytes} bytes in all are searched as text only."
        warnings.append(_warning("too_much_source", text))
    if sum(file.size for file in listing.files) > limits.search_total_bytes:
        text = f"Only the first {limits.search_total_bytes} bytes of text are searched for a focus."
        warnings.append(_warning("too_much_text", text))
    return chosen, warnings


def _failures(parses: Parses) -> list[RepositoryWarning]:
    if not parses.failed:
        return []
    text = f"{len(parses.failed)} source files could not be parsed and are searched as text only"
    return [_warning("unparsed", f"{text}, such as {parses.failed[0]}.")]


def _warning(code: str, message: str) -> RepositoryWarning:
    return RepositoryWarning(code=code, message=message)
