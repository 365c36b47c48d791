"""Brings an index to what a work tree holds now, reading only what changed since it was last looked at."""

import json
import os
import stat
import time
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from sqlite3 import Connection

from repowright_tools.events import EventSink, ProgressEvent
from repowright_tools.index.classify import Reason, is_minified
from repowright_tools.index.forms import Depth, depth_after, depth_of, warnings_of
from repowright_tools.index.git_ids import unmodified_ids
from repowright_tools.index.kept import (
    MANY,
    Scanned,
    Swept,
    Warnings,
    contents_known,
    has_content,
    keep_tree,
    kept_tree,
    parsed_known,
    parsed_of,
    still_used,
)
from repowright_tools.index.languages import grammar_of
from repowright_tools.index.limits import Limits
from repowright_tools.index.listing import Names, linguist_marks, list_names, refused_by_name
from repowright_tools.index.parsing import Parser, Read, Unread, read_files
from repowright_tools.index.paths import shown
from repowright_tools.index.standby import Standby
from repowright_tools.index.store import IndexStore, StoreFull
from repowright_tools.index.table import NO_SIZE, STAT_FIELDS, UNKNOWN, FileTable, code_of, differing, refusal
from repowright_tools.index.wire import TAGS
from repowright_tools.secrets import redact_registered
from repowright_tools.threads import both, in_thread

_RACY_NS = 100_000_000
"""A file that changed this shortly before it was looked at may change again within one tick of the file system's
clock, and show the same time: it is looked at again."""
_NO_STAT = (NO_SIZE,) * STAT_FIELDS
_GONE = (-2,) * STAT_FIELDS
_MAX_SWEPT = 5


async def scan(
    root: Path, exclude: Sequence[str], limits: Limits, store: IndexStore, standby: Standby, events: EventSink | None
) -> Scanned:
    """Look at the work tree at `root` and put what is new into the store.

    Args:
        root: a folder inside a git work tree.
        exclude: patterns of files to leave out, with the syntax of .gitignore.
        limits: what is too much.
        store: where they are kept.
        standby: has a parser ready.
        events: told of progress, by files.

    Raises:
        NotARepository, WorkspaceTooLarge, InvalidArguments: see `list_names`.
        StoreFull: the store cannot be written.
        StoreDamaged: it was not as we wrote it, and is empty now.
    """
    for _ in range(_MAX_SWEPT):
        with suppress(Swept):
            return await _scan(root, exclude, limits, store, standby, events)
    raise StoreFull("other processes drop what this one adds")


async def _scan(
    root: Path, exclude: Sequence[str], limits: Limits, store: IndexStore, standby: Standby, events: EventSink | None
) -> Scanned:
    key = json.dumps([str(root), list(exclude), repr(limits)])
    parser = await standby.take(root, limits)  # it takes a while until it is ready; meanwhile we find out what to read
    try:
        scanned = await _scan_with(parser, standby, key, exclude, store, events)
    except BaseException:
        await parser.kill()
        raise
    await standby.leave(parser, scanned.forms)
    return scanned


async def _scan_with(
    parser: Parser, standby: Standby, key: str, exclude: Sequence[str], store: IndexStore, events: EventSink | None
) -> Scanned:
    root, limits = parser.root, parser.limits
    kept = await in_thread(kept_tree, store, key, limits)
    if not kept.digest:
        await standby.ready(root, limits)  # there will be enough to do for two
    await parser.prepare(kept.forms[:1])  # the others cost more time than there is
    started = time.time_ns()
    names, stats = await both(list_names(root, exclude, limits), in_thread(_stats, root, kept.table))
    table = kept.table
    stale = differing(table.stats, stats)
    if names.digest != kept.names:
        marks = await linguist_marks(root, names)
        table, stats = await in_thread(_relisted, root, kept.table, names, marks, limits)
        stale = differing(table.stats, stats)
    if names.digest == kept.names and not stale:
        with suppress(StoreFull):
            await in_thread(still_used, store, key)
        return kept
    scanning = _Scanning(table, stats, started - _RACY_NS, store, limits, events)
    stale = await in_thread(scanning.prepare, stale, kept)
    if len(stale) > MANY and await in_thread(store.read, has_content):
        ids = await unmodified_ids(root)
        stale = await in_thread(scanning.recognise, stale, ids)
    await scanning.read(parser, partial(standby.spare, root, limits), stale)
    digest = await in_thread(table.digest, repr(limits).encode())
    told = await in_thread(scanning.warnings)
    forms = scanning.forms() or kept.forms
    scanned = Scanned(
        key,
        table,
        digest,
        names.digest,
        told,
        scanning.source_bytes,
        forms,
        len(stale),
        scanning.parsed,
        kept.sweeps,
        scanning.depth,
    )
    await in_thread(store.write, lambda db: keep_tree(db, scanned))
    return scanned


class _Scanning:
    """Reading what is stale, batch by batch."""

    def __init__(
        self,
        table: FileTable,
        stats: "array[int]",
        trusted_before: int,
        store: IndexStore,
        limits: Limits,
        events: EventSink | None,
    ) -> None:
        self._table = table
        self._stats = stats
        self._trusted_before = trusted_before
        self._store = store
        self._limits = limits
        self._events = events
        self._depth = Depth()
        self._whole = False
        self._places: dict[bytes, int] = {}
        self._done = 0
        self.parsed = 0

    @property
    def source_bytes(self) -> int:
        return self._depth.source_bytes

    @property
    def depth(self) -> Depth | None:
        """See `Scanned`."""
        return self._depth if self._whole else None

    def forms(self) -> list[str]:
        """The forms of most files, when all were looked at."""
        return [form for form, _ in Counter(self._depth.forms.values()).most_common(3)] if self._whole else []

    def prepare(self, stale: list[int], kept: Scanned) -> list[int]:
        """Take over how files look now, and find out how deep each file is to be looked into.

        Returns:
            The stale places, and those of files that did not change and are looked into more or less deep now.
        """
        stats = self._table.stats = self._stats
        for place in stale:
            at = place * STAT_FIELDS + 2
            if max(stats[at - 1], stats[at]) > self._trusted_before:
                stats[at] = -1  # one that changed lately may change again unseen
        depth = None
        if len(stale) <= MANY and not kept.warnings and kept.digest:
            depth = depth_after(self._table, stale, kept.source_bytes, self._limits)
        if depth is None:
            places = [place for place in range(len(self._table.names)) if self._table.size(place) != NO_SIZE]
            depth = depth_of(self._table, places, self._limits)
            self._whole = True
        self._depth = depth
        if not self._whole or max(kept.source_bytes, depth.source_bytes) <= self._limits.parse_total_bytes:
            return stale
        parsed = self._store.read(parsed_known)
        other = {
            place
            for place, form in depth.forms.items()
            if self._table.reason(place) is None and (self._table.id(place), form) not in parsed
        }
        return sorted(other.union(stale))

    def recognise(self, stale: list[int], ids: Mapping[bytes, bytes]) -> list[int]:
        """Enter files whose bytes are known by the ids that git gives; the places that are left to read."""
        known, parsed = self._store.read(contents_known), self._store.read(parsed_known)
        left: list[int] = []
        for place in stale:
            name, form = self._table.names[place], self._depth.forms.get(place)
            identity = ids.get(name, b"")
            size, lines = known.get(identity, (-1, 0))
            fits = size <= self._limits.file_bytes
            read_before = fits and size == self._table.size(place) and not is_minified(os.fsdecode(name), size, lines)
            if read_before and (form is None or (identity, form) in parsed):
                self._table.set(place, identity, lines)
            else:
                left.append(place)
        return left

    async def read(self, parser: Parser, more: Callable[[], Parser], stale: list[int]) -> None:
        """Read files, and parse those whose parse result nobody made yet."""
        table, forms = self._table, self._depth.forms
        self._places = {table.names[place]: place for place in stale}
        unread = [Unread(table.names[place], max(table.size(place), 0), forms.get(place)) for place in stale]
        if len(stale) > MANY:
            parsed = await in_thread(self._store.read, parsed_known)
        else:  # the time of a file may change and its bytes not
            same = [(table.id(place), forms[place]) for place in stale if place in forms]
            parsed = await in_thread(self._store.read, lambda db: parsed_of(db, same))
        self._report()
        known = [f"{identity.hex()}:{form}" for identity, form in parsed]
        await read_files(parser, more, unread, known, self._keep)

    def warnings(self) -> Warnings:
        warnings = warnings_of(self._depth, self._limits)
        lost = self._store.read(lambda db: set(db.execute("SELECT id, form FROM blob WHERE parsed = ''")))
        if files := self._lost_files(lost):
            text = f"{len(files)} source files could not be parsed and are searched as text only, such as "
            warnings.append(("unparsed", f"{text}{os.fsdecode(min(files))!a}."))
        return warnings

    def _lost_files(self, lost: set[tuple[bytes, str]]) -> list[bytes]:
        """The files whose parser was lost, now or earlier."""
        forms: dict[bytes, set[str]] = {}
        for identity, form in lost:
            forms.setdefault(identity, set()).add(form.removesuffix(TAGS))
        names = self._table.names if forms else ()
        return [
            name
            for place, name in enumerate(names)
            if self._table.id(place) in forms and grammar_of(shown(name)) in forms[self._table.id(place)]
        ]

    async def _keep(self, files: Sequence[Unread], results: Sequence[Read]) -> None:
        await in_thread(self._kept, files, results)
        self._done += len(files)
        self._report()

    def _kept(self, files: Sequence[Unread], results: Sequence[Read]) -> None:
        contents: list[tuple[bytes, int, int]] = []
        parses: list[tuple[bytes, str, str]] = []
        for file, result in zip(files, results, strict=True):
            place = self._places[file.name]
            if result.id is None:
                self._table.set(place, refusal(code_of(result.reason or "unreadable")))
                if result.reason == "unreadable":  # it may be another time
                    self._table.set_stat(place, (self._table.size(place), -1, -1, -1))
                continue
            self._table.set(place, result.id, result.lines)
            contents.append((result.id, self._table.size(place), result.lines))
            if file.form is not None and result.parsed is not None:
                parses.append((result.id, file.form, redact_registered(result.parsed)))
        self.parsed += len(parses)

        def keep(db: Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO content VALUES (?, ?, ?)", contents)
            db.executemany("INSERT OR REPLACE INTO blob VALUES (?, ?, ?)", parses)

        self._store.write(keep)

    def _report(self) -> None:
        if self._events is not None:
            self._events.emit(ProgressEvent("Reading files", self._done, len(self._places)))


def _stats(root: Path, table: FileTable) -> "array[int]":
    """The stats of the files now; what was refused by its name is not looked at."""
    prefix = os.fsencode(root) + b"/"
    plain: dict[bytes, bool] = {b"": True}
    found: list[int] = []
    for place, name in enumerate(table.names):
        if table.stats[place * STAT_FIELDS] == -1 and table.id(place) != UNKNOWN:
            found += _NO_STAT
            continue
        try:
            if not _is_plain(prefix, name.rpartition(b"/")[0], plain):
                found += _GONE  # a file that was moved looks the same through a link to where it is now
                continue
            looks = os.lstat(prefix + name)
        except OSError:
            found += _GONE
        else:
            found += (looks.st_size, looks.st_mtime_ns, looks.st_ctime_ns, looks.st_ino & 0x7FFFFFFFFFFFFFFF)
    return array("q", found)


def _is_plain(prefix: bytes, folder: bytes, known: dict[bytes, bool]) -> bool:
    """Whether no link leads to a folder. Raises OSError."""
    unknown: list[bytes] = []
    while folder not in known:
        unknown.append(folder)
        folder = folder.rpartition(b"/")[0]
    plain = known[folder]
    for step in reversed(unknown):
        plain = plain and not stat.S_ISLNK(os.lstat(prefix + step).st_mode)
        known[step] = plain
    return plain


def _relisted(
    root: Path, before: FileTable, names: Names, marks: Mapping[bytes, Reason | None], limits: Limits
) -> tuple[FileTable, "array[int]"]:
    """The table for another list of names, with what is known of them, and their stats now."""
    listed = sorted({name for name in names.listed.split(b"\0") if name})  # an unmerged file is listed once a stage
    table = before.moved_to(listed)
    refused = refused_by_name(listed, names.unwanted, marks, limits.files)
    for place in range(len(listed)):
        if place in refused:
            table.set(place, refusal(code_of(refused[place])))
            table.set_stat(place, _NO_STAT)
        elif table.size(place) == NO_SIZE:  # refused under another list
            table.set(place, UNKNOWN)
    return table, _stats(root, table)
