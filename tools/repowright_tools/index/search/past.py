"""What a repository's history says of a request: which files changed for the same words, often, lately or together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from math import log, sqrt

from repowright_tools.index.history import Commit
from repowright_tools.index.search import bm25
from repowright_tools.index.search.focus import STOP_WORDS
from repowright_tools.index.search.postings import Entry, Postings, count_of, number_of
from repowright_tools.index.search.words import terms

HALF_LIFE_DAYS = 365.0
"""How old a change is that counts half as much as one of today; today is the newest commit's."""

VOTERS = 200
"""Commits that vote: those whose message fits best."""

MOST_PATHS = 30
"""A commit that changed more files than this says nothing of any one of them."""

ECHOING, ECHO_TERMS = 20, 12
"""How many messages are listened to for other words, and how many of those are taken."""

_DAY_S = 24 * 3600
_TOGETHER_COMMITS = 100
_REMEMBERED = 1000  # terms whose commits are not looked up again


@dataclass
class PastHits:
    """By the file's place in the tree.

    Attributes:
        votes: what the commits with a fitting message give to the files that they changed.
        most: what the best of them alone gives; `voter` is its place in the history.
        told: BM25 of all messages of the file's commits taken as one text.
        echo: other words of the messages that fit best, with how telling each is: what the project calls it.
    """

    votes: dict[int, float] = field(default_factory=dict[int, float])
    most: dict[int, float] = field(default_factory=dict[int, float])
    voter: dict[int, int] = field(default_factory=dict[int, int])
    told: dict[int, float] = field(default_factory=dict[int, float])
    echo: dict[str, float] = field(default_factory=dict[str, float])


class Past:
    """One history over the files of one tree.

    Args:
        postings: where messages are kept; those of `commits` are added.
        commits: newest first.
        paths: the files of the tree; a file is known by its place in it.
    """

    def __init__(self, postings: Postings, commits: Sequence[Commit], paths: Sequence[str]) -> None:
        self.commits = commits
        self._postings = postings
        stored = _stored(postings, commits)
        self._commit_of = {stored[commit.id][0]: place for place, commit in enumerate(commits)}
        self._lengths = [stored[commit.id][1] for commit in commits]
        self._norm = bm25.norms(dict(enumerate(self._lengths)))
        self._asked: dict[str, list[tuple[int, int]]] = {}
        self._files: list[list[int]] = []
        self._decay: list[float] = []
        self._by_file: defaultdict[int, list[int]] = defaultdict(list)
        self.often: dict[int, float] = {}
        self.lately: dict[int, float] = {}
        self._told_lengths: dict[int, int] = {}
        self._read(paths)

    def _read(self, paths: Sequence[str]) -> None:
        place_of = {path: place for place, path in enumerate(paths)}
        now = max((commit.time for commit in self.commits[:100]), default=0)
        for place, commit in enumerate(self.commits):
            days = max(0, now - commit.time) / _DAY_S
            decay = 0.5 ** (days / HALF_LIFE_DAYS)
            self._decay.append(decay)
            few = len(commit.paths) <= MOST_PATHS
            files = [place_of[path] for path in commit.paths if path in place_of] if few else []
            self._files.append(files)
            for file in files:
                self._by_file[file].append(place)
                self.often[file] = self.often.get(file, 0.0) + decay
                self.lately.setdefault(file, 1 / (1 + days / 30))
                self._told_lengths[file] = self._told_lengths.get(file, 0) + self._lengths[place]
        self.often = {file: log(1 + often) for file, often in self.often.items()}
        self._told_norm = bm25.norms(self._told_lengths)

    def find(self, wanted: Mapping[str, float]) -> PastHits:
        """What speaks for files in the messages."""
        fitting: dict[int, float] = {}
        hits = PastHits()
        for term, weight in wanted.items():
            counts = self._counts(term)
            if not counts:
                continue
            worth = weight * bm25.rarity(len(self.commits), len(counts)) * (bm25.K1 + 1)
            told: dict[int, int] = {}
            for place, count in counts:
                fitting[place] = fitting.get(place, 0.0) + worth * count / (count + self._norm[place])
                for file in self._files[place]:
                    told[file] = told.get(file, 0) + 1
            worth = weight * bm25.rarity(len(self._told_norm), len(told)) * (bm25.K1 + 1)
            for file, count in told.items():
                hits.told[file] = hits.told.get(file, 0.0) + worth * count / (count + self._told_norm[file])
        self._vote(fitting, hits)
        hits.echo = self._echo(fitting, wanted)
        return hits

    def _echo(self, fitting: Mapping[int, float], wanted: Mapping[str, float]) -> dict[str, float]:
        best = nsmallest(ECHOING, fitting, key=lambda place: (-fitting[place], place))
        heard: dict[str, float] = {}
        for place in best:
            fit = (fitting[place] / fitting[best[0]]) ** 2
            for term in terms(self.commits[place].message.partition("\n")[0]):
                if term not in wanted and term not in STOP_WORDS:
                    heard[term] = heard.get(term, 0.0) + fit
        worth = {term: heard[term] * self.rarity(term) for term in _most(heard, 3 * ECHO_TERMS)}
        top = max(worth.values(), default=1.0)
        return {term: worth[term] / top for term in _most(worth, ECHO_TERMS)}

    def rarity(self, term: str) -> float:
        """How much a term says in messages: that of a word that every other commit has is near 0."""
        return bm25.rarity(len(self.commits), len(self._counts(term)))

    def together(self, chosen: Mapping[int, float]) -> dict[int, float]:
        """Files that changed in the commits that changed the chosen ones, by how often and by the weight of those."""
        found: dict[int, float] = {}
        for file, weight in chosen.items():
            places = self._by_file.get(file, [])[:_TOGETHER_COMMITS]
            for place in places:
                files = self._files[place]
                share = weight / (1 + log(len(files))) / (len(places) + 2)
                for other in files:
                    if other != file:
                        found[other] = found.get(other, 0.0) + share
        return found

    def _counts(self, term: str) -> list[tuple[int, int]]:
        """The commits whose message has the term, by place, and how often."""
        if (known := self._asked.get(term)) is not None:
            return known
        commit_of = self._commit_of
        if len(self._asked) >= _REMEMBERED:
            self._asked.clear()
        self._asked[term] = found = [
            (commit_of[number_of(head)], count_of(head))
            for head in self._postings.lists("message", term)[0]
            if number_of(head) in commit_of
        ]
        return found

    def _vote(self, fitting: Mapping[int, float], hits: PastHits) -> None:
        voters = sorted(fitting, key=lambda place: (-fitting[place], place))[:VOTERS]
        for place in voters:
            files = self._files[place]
            if not files:
                continue
            fit = (fitting[place] / fitting[voters[0]]) ** 2
            share = fit * sqrt(self._decay[place]) / (1 + log(len(self.commits[place].paths)))
            for file in files:
                hits.votes[file] = hits.votes.get(file, 0.0) + share
                if share > hits.most.get(file, 0.0):
                    hits.most[file] = share
                    hits.voter[file] = place


def _most(worth: Mapping[str, float], count: int) -> list[str]:
    return nsmallest(count, worth, key=lambda term: (-round(worth[term], 9), term))


def _stored(postings: Postings, commits: Sequence[Commit]) -> dict[str, tuple[int, int]]:
    stored = postings.stored()
    if missing := [commit for commit in commits if commit.id not in stored]:
        postings.add(_entry(commit) for commit in missing)
        stored = postings.stored()
    return stored


def _entry(commit: Commit) -> Entry:
    found = terms(commit.message)
    counts = [min(count, 0xFFFF) for count in found.values()]
    return Entry(commit.id, found.total(), b"", {"message": (list(found), counts, [0] * len(counts))})
