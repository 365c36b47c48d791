"""How well the files that a request is about are found, on commits of real histories.

`python benchmarks/retrieval.py FOLDER... [--cases N] [--seed N] [--json FILE]`. Each folder is a clone with its whole
history. A case is a commit (see `retrieval_cases.py`): its message is the question, the sources it modified are the
answer, and everything is as it was at its parent; of the history, what is older than 30 days then. The baselines see
the candidates alone, while our ranker ranks every file of the tree and the others are struck out afterwards. The last
lines compare ours with the best of the baselines case by case (paired bootstrap of the mean over projects).

Nothing is tuned on the projects that are reported, which are terraform, wagtail, vite, hugo, nomad, netbox, pytest,
rollup, saleor, sphinx, traefik, undici, vue and webpack with `--cases 60`: the constants of the ranker come from
scrapy, celery, django-cms, vitest, prometheus and packer.
"""

import argparse
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from retrieval_baselines import Baselines, Porter, Reader, Text
from retrieval_cases import Case, blobs, cases, changes, embargoed, is_source, tree

from repowright_tools.index.classify import HEAD_BYTES, is_minified, reason_by_head, reason_by_path
from repowright_tools.index.graph import FileNames, reference_graph
from repowright_tools.index.history import MESSAGE_CHARACTERS, NEWEST, Commit
from repowright_tools.index.languages import family_of, grammar_of
from repowright_tools.index.limits import Limits
from repowright_tools.index.parse import ParsedFile, parse
from repowright_tools.index.search.document import Document, document
from repowright_tools.index.search.search import Search

FORMS = ("full", "subj", "nl")
OURS, BEST = "repowright", "fusion"
MEASURES = ("R@5", "R@10", "R@20", "MRR")
RESAMPLES = 10_000

Figures = tuple[float, float, float, float]


@dataclass
class Outcome:
    """Figures by ranker and form of the question, one a case, and milliseconds of our queries."""

    project: str
    figures: dict[str, dict[str, list[Figures]]] = field(default_factory=dict[str, dict[str, list[Figures]]])
    milliseconds: list[float] = field(default_factory=list[float])
    files: list[int] = field(default_factory=list[int])


class Snapshots:
    """The trees of the cases one after the other; what two have in common is read once."""

    def __init__(self, repository: Path, reader: Reader) -> None:
        self._repository, self._reader = repository, reader
        self.parsed: dict[str, ParsedFile] = {}
        self.data: dict[str, str] = {}
        self.texts: dict[str, Text] = {}

    def go_to(self, commit: str) -> dict[str, str]:
        """Blob id by path of the files that an index would list there."""
        listed = {path: blob for path, blob in tree(self._repository, commit).items() if not reason_by_path(path)}
        path_of = {blob: path for path, blob in listed.items()}
        for kept in (self.parsed, self.data, self.texts):
            for blob in [blob for blob in kept if blob not in path_of]:
                del kept[blob]
        for blob, data in blobs(self._repository, (blob for blob in path_of if blob not in self.data)):
            self._read(path_of[blob], blob, data)
        return {path: blob for path, blob in listed.items() if blob in self.data}

    def _read(self, path: str, blob: str, data: bytes) -> None:
        limits = Limits()
        if len(data) > limits.file_bytes or reason_by_head(data[:HEAD_BYTES]) or b"\0" in data[:HEAD_BYTES]:
            return
        if is_minified(path, len(data), data.count(b"\n")):
            return
        self.data[blob] = data.decode("utf-8", "replace")
        grammar = grammar_of(path)
        if grammar and len(data) <= limits.parse_bytes:
            self.parsed[blob] = parse(grammar, data)
        if is_source(path):
            self.texts[blob] = self._reader.text(self.data[blob])

    def document(self, blob: str) -> Document:
        parsed = self.parsed.get(blob)
        return document(self.data[blob], parsed.symbols if parsed else ())


def measured(ranking: Sequence[str], gold: frozenset[str]) -> Figures:
    places = [place for place, path in enumerate(ranking) if path in gold]
    recalls = [sum(place < most for place in places) / len(gold) for most in (5, 10, 20)]
    return recalls[0], recalls[1], recalls[2], 1 / (places[0] + 1) if places else 0.0


def run(repository: Path, count: int, seed: int) -> Outcome:
    """All cases of one project."""
    history = changes(repository)
    drawn = sorted(cases(repository.name, history, count, seed), key=lambda case: (case.time, case.id))
    reader = Reader(Porter(), (case.question(form) for case in drawn for form in FORMS))
    said = {change.id: reader.counts(change.message) for change in history}
    commits = {it.id: Commit(it.id, it.time, it.message[:MESSAGE_CHARACTERS], it.paths) for it in history}
    outcome = Outcome(repository.name, {name: {} for name in (OURS, "keyword count", "BM25 + path", BEST)})
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "index.sqlite", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        search, snapshots = Search(connection), Snapshots(repository, reader)
        for number, case in enumerate(drawn):
            files = snapshots.go_to(case.parent)
            past = embargoed(history, case)
            rankings = _baselines(reader, snapshots, files, [(*said[it.id], it.paths) for it in past[:NEWEST]])
            known = [commits[it.id] for it in past[:NEWEST]]
            _one_case(outcome, search, snapshots, case, files, known, rankings)
            print(f"{repository.name}: {number + 1} of {len(drawn)}", end="\r", file=sys.stderr)
    return outcome


def _one_case(
    outcome: Outcome,
    search: Search,
    snapshots: Snapshots,
    case: Case,
    files: Mapping[str, str],
    known: Sequence[Commit],
    baselines: Baselines,
) -> None:
    parsed = {path: snapshots.parsed[blob] for path, blob in files.items() if blob in snapshots.parsed}
    linked = _linked(parsed)
    search.sync(files, lambda path: snapshots.document(files[path]))
    outcome.files.append(len(files))

    def ask(question: str, limit: int) -> list[str]:
        found = search.search(
            question,
            limit,
            neighbours=lambda path: linked.get(path, {}),
            commits=known,
            symbols=lambda path: parsed[path].symbols if path in parsed else (),
        )
        return [hit.path for hit in found]

    ask("warm up", 1)
    for form in FORMS:
        question = case.question(form)
        began = time.perf_counter()
        ask(question, 20)
        outcome.milliseconds.append((time.perf_counter() - began) * 1000)
        ranking = [path for path in ask(question, len(files)) if is_source(path)]
        for name, found in {OURS: ranking, **baselines.rankings(question)}.items():
            outcome.figures[name].setdefault(form, []).append(measured(found, case.gold))


def _linked(parsed: Mapping[str, ParsedFile]) -> Mapping[str, Mapping[str, float]]:
    """Files that refer to each other by name, in both directions."""
    paths = sorted(parsed)
    graph = reference_graph([_names(path, parsed[path]) for path in paths])
    found: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for node, path in enumerate(paths):
        for source, weight in graph.row(node).items():
            found[path][paths[source]] += weight
            found[paths[source]][path] += weight
    return found


def _names(path: str, parsed: ParsedFile) -> FileNames:
    defined = [symbol.name for symbol in parsed.symbols if not symbol.local]
    return FileNames(family_of(grammar_of(path) or ""), defined, parsed.references)


def _baselines(
    reader: Reader,
    snapshots: Snapshots,
    files: Mapping[str, str],
    history: Sequence[tuple[Counter[str], int, Sequence[str]]],
) -> Baselines:
    texts = {path: snapshots.texts[blob] for path, blob in files.items() if is_source(path) and blob in snapshots.texts}
    names = {
        path: reader.counts(" ".join(symbol.name for symbol in snapshots.parsed[files[path]].symbols))
        for path in texts
        if files[path] in snapshots.parsed
    }
    return Baselines(reader, texts, names, history)


def macro(outcomes: Sequence[Outcome], ranker: str, form: str, measure: int) -> float:
    """The mean of the projects' means."""
    return statistics.fmean(
        statistics.fmean(figures[measure] for figures in outcome.figures[ranker][form]) for outcome in outcomes
    )


def compared(outcomes: Sequence[Outcome], form: str, measure: int) -> tuple[float, float, float, float]:
    """Ours less the best baseline: mean, 95 % interval, two-sided p, by a bootstrap of the cases of each project."""
    pairs = [
        [ours[measure] - best[measure] for ours, best in zip(figures[OURS][form], figures[BEST][form], strict=True)]
        for figures in (outcome.figures for outcome in outcomes)
    ]
    draw = random.Random(0)
    means = sorted(
        statistics.fmean(sum(draw.choices(some, k=len(some))) / len(some) for some in pairs) for _ in range(RESAMPLES)
    )
    at_most = sum(mean <= 0 for mean in means) / RESAMPLES
    at_least = sum(mean >= 0 for mean in means) / RESAMPLES
    middle = statistics.fmean(statistics.fmean(some) for some in pairs)
    return middle, means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES)], min(1.0, 2 * min(at_most, at_least))


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    cases_in_all = sum(len(outcome.figures[OURS]["full"]) for outcome in outcomes)
    yield f"{cases_in_all} cases of {', '.join(outcome.project for outcome in outcomes)}; macro means"
    for form in FORMS:
        yield f"\n| {form} | {' | '.join(MEASURES)} | R@10 by project |"
        yield f"|---|{'---|' * (len(MEASURES) + 1)}"
        for ranker in outcomes[0].figures:
            means = (f"{macro(outcomes, ranker, form, measure):.3f}" for measure in range(len(MEASURES)))
            each = (f"{macro([outcome], ranker, form, 1):.3f}" for outcome in outcomes)
            yield f"| {ranker} | {' | '.join(means)} | {' / '.join(each)} |"
        for measure, name in enumerate(MEASURES):
            mean, low, high, p = compared(outcomes, form, measure)
            yield f"{OURS} - {BEST}, {name}: {mean:+.3f} [{low:+.3f}, {high:+.3f}], p = {p:.4f}"
    yield "\n| project | files (median) | query, ms: median | p95 | worst |\n|---|---|---|---|---|"
    for it in outcomes:
        times = sorted(it.milliseconds)
        p95 = times[int(0.95 * len(times))]
        median = statistics.median(times)
        yield f"| {it.project} | {statistics.median(it.files):.0f} | {median:.1f} | {p95:.1f} | {times[-1]:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="a clone with its whole history")
    parser.add_argument("--cases", type=int, default=150, help="of each project (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=20, help="of the draw (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="projects at a time (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures of every case there")
    given = parser.parse_args()
    count = len(given.folders)
    with ProcessPoolExecutor(min(given.processes, count)) as pool:
        outcomes = list(pool.map(run, given.folders, [given.cases] * count, [given.seed] * count))
    print("\n".join(table(outcomes)))
    if given.json:
        given.json.write_text(json.dumps([vars(outcome) for outcome in outcomes]))


if __name__ == "__main__":
    main()
