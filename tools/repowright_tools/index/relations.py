"""How the source files of one tree hang together: their parse results, the graph over them, and the map."""

import json
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from hashlib import blake2b
from itertools import chain
from sqlite3 import Connection
from threading import RLock
from typing import Any
from zlib import crc32

from repowright_tools.index.change import changed
from repowright_tools.index.forms import depth_of, form_of
from repowright_tools.index.graph import FileNames, ReferenceGraph, reference_graph
from repowright_tools.index.kept import Scanned
from repowright_tools.index.languages import family_of
from repowright_tools.index.limits import Limits
from repowright_tools.index.map import (
    Items,
    MapItem,
    Mapped,
    RenderedMap,
    best_items,
    lines_of,
    map_items,
    rendered_map,
)
from repowright_tools.index.parse import ParsedFile, Symbol
from repowright_tools.index.paths import shown
from repowright_tools.index.store import IndexStore, StoreFull
from repowright_tools.index.table import ID_BYTES, NO_SIZE
from repowright_tools.index.wire import TAGS, loaded, loaded_symbols, names_in

_FEW = 64  # files: when more changed, a new graph is hardly slower, and it takes all of their parse results


_Node = tuple[int, str]  # the place of a file in the table, and the form it is parsed in


class Relations:
    """Blocking calls; several threads may ask at once."""

    def __init__(self, store: IndexStore, scanned: Scanned, limits: Limits) -> None:
        self._store = store
        self._scanned = scanned
        self._table = scanned.table
        self._limits = limits
        self._building = RLock()
        self._changed_nodes: frozenset[int] | None = frozenset()  # since the kept graph; None when ranks changed too
        self._base = ""  # what the tree is known by that the kept graph was made of
        self._made: tuple[list[_Node], ReferenceGraph] | None = None

    def parsed(self) -> dict[str, ParsedFile]:
        """What is known of each source file, by path."""
        nodes = self._nodes
        texts = self._texts([(self._table.id(place), form) for place, form in nodes])
        with self._store.reading():
            known = {key: loaded(text) for key, text in texts.items()}
        found = {
            shown(self._table.names[place]): known[key]
            for place, form in nodes
            if (key := (self._table.id(place), form)) in known
        }
        return {path: found[path] for path in sorted(found)}

    def neighbours(self, path: str) -> Mapping[str, float]:
        """Files linked with one, either way, each with its share of the strongest of these links."""
        node = self._node_of.get(path)
        if node is None:
            return {}
        weights = dict(self._graph.row(node))
        for target, weight in self._outgoing.get(node, {}).items():
            weights[target] = weights.get(target, 0) + weight
        most = max(weights.values(), default=1)
        return {self._paths[other]: weight / most for other, weight in weights.items()}

    def map(self, token_budget: int) -> RenderedMap:
        """The map without a focus."""
        kept = _unsealed(self._derived(f"map {token_budget}"))
        if kept is not None:
            text, _, tokens = kept.rpartition("\n")
            return RenderedMap(text, int(tokens))
        mapped = self.mapped()
        items = self._map_items(mapped, token_budget)
        rendered = rendered_map(mapped, token_budget, items)
        self._keep(f"map {token_budget}", _sealed(f"{rendered.text}\n{rendered.tokens}"))
        return rendered

    def _map_items(self, mapped: Mapped, token_budget: int) -> list[MapItem]:
        """What the map could show, in its order. Where ranks did not change, only changed files are looked into."""
        of = f"{token_budget} {self._base}"
        enough = lines_of(token_budget)
        most_kept = 2 * enough
        known: Items = {}
        cut = False
        if self._changed_nodes is not None:
            kept_of, _, text = (_unsealed(self._part("items")) or "").partition("\n")
            found: dict[str, list[list[Any]]] = json.loads(text) if kept_of == of else {}
            same = found.keys() - set(map(self._path, self._changed_nodes))
            known = {path: [MapItem(path, *row) for row in found[path]] for path in same}
            cut = sum(map(len, found.values())) == most_kept
        weighed = map_items(mapped, token_budget, known)
        if cut and sum(len(some) for path, some in weighed.items() if path in known) < enough:
            # What was not kept comes after all that was, but of this too little is left.
            weighed = map_items(mapped, token_budget)
        items = chain.from_iterable(weighed.values())
        if known or self._changed_nodes != frozenset():
            return best_items(items, enough)
        best = best_items(items, most_kept)
        rows: dict[str, list[tuple[object, ...]]] = {path: [] for path in weighed}
        for item in best:
            rows[item.path].append(item[1:])
        self._keep_parts({"items": _sealed(f"{of}\n{json.dumps(rows)}")})
        return best

    def _part(self, name: str) -> str | None:
        query = "SELECT data FROM part WHERE key = ? AND name = ?"
        row = self._store.read(lambda db: db.execute(query, (self._scanned.key, name)).fetchone())
        return None if row is None else bytes(row[0] or b"").decode("utf-8", "replace")

    def _keep_parts(self, parts: Mapping[str, str | bytes]) -> None:
        encoded = {name: data.encode() if isinstance(data, str) else data for name, data in parts.items()}
        rows = [(self._scanned.key, name, data) for name, data in encoded.items()]
        with suppress(StoreFull):
            self._store.write(lambda db: db.executemany("INSERT OR REPLACE INTO part VALUES (?, ?, ?)", rows))

    def form_of(self, path: str) -> str | None:
        """What a file is parsed in, or None."""
        node = self._node_of.get(path)
        return None if node is None else self._nodes[node][1]

    def symbols_of(self, path: str) -> Sequence[Symbol]:
        """The definitions of a file, in its order; none of one that is not parsed."""
        node = self._node_of.get(path)
        return [] if node is None else self._symbols(node)

    def _symbols(self, node: int) -> Sequence[Symbol]:
        place, form = self._nodes[node]
        text = self._texts([(self._table.id(place), form)]).values()
        with self._store.reading():
            return [symbol for one in text for symbol in loaded_symbols(one)]

    def mapped(self) -> Mapped:
        """What maps are made from."""
        return Mapped(
            paths=lambda: self._text_paths,
            files=len(self._table.names) - self._table.refused,
            graph=self._graph,
            path=self._path,
            family=lambda node: _family(self._nodes[node][1]),
            symbols=self._symbols,
        )

    def _derived(self, name: str) -> str | None:
        """What was kept of this very tree under a name."""
        query = "SELECT data FROM derived WHERE tree = ? AND name = ?"
        row = self._store.read(lambda db: db.execute(query, (self._scanned.digest, name)).fetchone())
        return None if row is None else str(row[0])

    def _keep(self, name: str, data: str) -> None:
        """Keep what was made of this tree; a store that cannot be written is no loss here."""
        row = (self._scanned.digest, name, data)
        with suppress(StoreFull):
            self._store.write(lambda db: db.execute("INSERT OR REPLACE INTO derived VALUES (?, ?, ?)", row))

    # --- the graph, made when it is asked for ---------------------------------------------------------------------

    @property
    def _nodes(self) -> list[_Node]:
        return self._both[0]

    @property
    def _graph(self) -> ReferenceGraph:
        return self._both[1]

    @property
    def _both(self) -> tuple[list[_Node], ReferenceGraph]:
        with self._building:
            if self._made is None:
                self._made = self._from_kept() or self._from_nothing()
            return self._made

    def _from_kept(self) -> tuple[list[_Node], ReferenceGraph] | None:
        """The graph that was kept, with what changed since; None when it is easier to make a new one."""
        parts = self._store.read(self._kept_parts)
        with self._store.reading():
            return self._brought_up(parts)

    def _brought_up(self, parts: Mapping[str, bytes]) -> tuple[list[_Node], ReferenceGraph] | None:
        if parts.get("graph_sum") != _checksum(parts):  # there is none, or it is damaged
            return None
        ids = parts["graph_ids"]
        if parts["graph_names"] != self._scanned.names or len(ids) != len(self._table.ids):
            return None
        places = array("I", parts["graph_nodes"])
        nodes = list(zip(places, parts["graph_forms"].decode().split("\n"), strict=False))
        if self._scanned.source_bytes > self._limits.parse_total_bytes - self._limits.tags_bytes:
            return None
        moved = list(_moved(ids, self._table.ids))
        files: dict[int, bytes] = {}
        for place in moved:
            node = bisect_left(places, place)
            reason = self._table.reason(place)
            form = None if reason else form_of(self._table.names[place], self._table.size(place), self._limits)
            was = nodes[node][1] if node < len(places) and places[node] == place else None
            if form != was or len(files) > _FEW:
                return None
            if form is not None:
                files[node] = ids[place * ID_BYTES : (place + 1) * ID_BYTES]
        graph, self._base = ReferenceGraph.loaded(parts["graph"]), parts["graph_base"].decode()
        if not files:
            self._changed_nodes = frozenset()
            return nodes, graph
        were = [(identity, nodes[node][1]) for node, identity in files.items()]
        if not self._store.read(lambda db: _are_known(db, were)):
            return None
        before = self._names(were)
        after = self._names([(self._table.id(nodes[node][0]), nodes[node][1]) for node in files])
        pairs = zip(before, after, strict=True)
        now = changed(graph, {node: (old, new) for node, (old, new) in zip(files, pairs, strict=True)})
        if now is None:
            return None
        self._changed_nodes = frozenset(files) | _touched(graph, now) if now.rank is graph.rank else None
        return nodes, now

    def _from_nothing(self) -> tuple[list[_Node], ReferenceGraph]:
        depth = self._scanned.depth
        if depth is None:
            # As the scan does: files that are left out for what they hold count, for nobody knew when they were read.
            places = [place for place in range(len(self._table.names)) if self._table.size(place) != NO_SIZE]
            depth = depth_of(self._table, places, self._limits)
        nodes = [(place, form) for place, form in depth.forms.items() if self._table.reason(place) is None]
        graph = reference_graph(self._names([(self._table.id(place), form) for place, form in nodes]))
        self._base = _digest(self._scanned.names, self._table.ids)
        parts = {
            "graph": graph.dumped(),
            "graph_base": self._base.encode(),
            "graph_nodes": array("I", [place for place, _ in nodes]).tobytes(),
            "graph_forms": "\n".join(form for _, form in nodes).encode(),
            "graph_ids": bytes(self._table.ids),
            "graph_names": self._scanned.names,
        }
        self._keep_parts({**parts, "graph_sum": _checksum(parts)})
        return nodes, graph

    def _kept_parts(self, db: Connection) -> dict[str, bytes]:
        query = "SELECT name, data FROM part WHERE key = ? AND name LIKE 'graph%'"
        return dict(db.execute(query, (self._scanned.key,)))

    def _names(self, wanted: Sequence[tuple[bytes, str]]) -> list[FileNames]:
        """What each of these parse results defines and uses, in order; nothing for one that is not known."""
        texts = self._texts(wanted)
        with self._store.reading():
            names = dict(zip(texts, names_in(texts.values()), strict=True))
        unknown: tuple[list[str], dict[str, int]] = [], {}
        return [FileNames(_family(key[1]), *names.get(key, unknown)) for key in wanted]

    def _texts(self, wanted: Sequence[tuple[bytes, str]]) -> dict[tuple[bytes, str], str]:
        """Parse results, without those that were lost with their parser. Raises StoreDamaged."""

        def query(db: Connection) -> dict[tuple[bytes, str], str]:
            found: dict[tuple[bytes, str], str] = {}
            if len(wanted) > _FEW and _count(db) <= 2 * len(wanted):  # all one after the other are read twice as fast
                every = db.execute("SELECT id, form, parsed FROM blob")
                known = {(identity, form): text for identity, form, text in every}
                return {key: known[key] for key in wanted if key in known}
            for key in wanted:
                row = db.execute("SELECT parsed FROM blob WHERE id = ? AND form = ?", key).fetchone()
                if row is not None:
                    found[key] = row[0]
            return found

        found = self._store.read(query)
        with self._store.reading():
            # Nothing may be made of a part, for it would be kept as the whole.
            if not all(key in found for key in wanted):
                raise ValueError("parse results of this tree are gone")
        return {key: text for key, text in found.items() if text}

    def _path(self, node: int) -> str:
        return shown(self._table.names[self._nodes[node][0]])

    @cached_property
    def _paths(self) -> list[str]:
        return list(map(self._path, range(len(self._nodes))))

    @cached_property
    def _text_paths(self) -> list[str]:
        names = self._table.names
        return sorted(shown(name) for place, name in enumerate(names) if self._table.reason(place) is None)

    @cached_property
    def _node_of(self) -> dict[str, int]:
        return {path: node for node, path in enumerate(self._paths)}

    @cached_property
    def _outgoing(self) -> dict[int, dict[int, int]]:
        outgoing: dict[int, dict[int, int]] = {}
        for target in range(len(self._paths)):
            for source, weight in self._graph.row(target).items():
                outgoing.setdefault(source, {})[target] = weight
        return outgoing


def _family(form: str) -> str:
    return family_of(form.removesuffix(TAGS))


def _checksum(parts: Mapping[str, bytes | None]) -> bytes:
    """Of a kept graph. SQLite does not notice it when a byte of what it keeps becomes another one."""
    known = 0
    for name in sorted(parts.keys() - {"graph_sum"}):
        known = crc32(parts[name] or b"", crc32(name.encode(), known))
    return b"%08x" % known


def _sealed(text: str) -> str:
    return f"{crc32(text.encode('utf-8', 'surrogatepass')):08x}\n{text}"


def _unsealed(text: str | None) -> str | None:
    """What was sealed; None when there is nothing, or something else."""
    _, _, rest = (text or "").partition("\n")
    return rest if text == _sealed(rest) else None


def _digest(names: bytes, ids: bytes | bytearray) -> str:
    return blake2b(names + ids, digest_size=16).hexdigest()


def _count(db: Connection) -> int:
    (known,) = db.execute("SELECT count(*) FROM blob").fetchone()
    return int(known)


def _are_known(db: Connection, wanted: Sequence[tuple[bytes, str]]) -> bool:
    """Whether all of these parse results are kept."""
    query = "SELECT 1 FROM blob WHERE id = ? AND form = ?"
    return all(db.execute(query, key).fetchone() is not None for key in wanted)


def _touched(before: ReferenceGraph, after: ReferenceGraph) -> frozenset[int]:
    """The files that define a name of which the definitions or uses changed: its share of their rank did."""
    keys = {*after.redefined, *after.reused}
    return frozenset(node for key in keys for graph in (before, after) for node in graph.definers_of(key))


def _moved(before: bytes, after: bytes | bytearray) -> Iterator[int]:
    """The places whose ids differ."""
    step = 256 * ID_BYTES
    for start in range(0, len(after), step):
        if before[start : start + step] != after[start : start + step]:
            for at in range(start, min(start + step, len(after)), ID_BYTES):
                if before[at : at + ID_BYTES] != after[at : at + ID_BYTES]:
                    yield at // ID_BYTES
