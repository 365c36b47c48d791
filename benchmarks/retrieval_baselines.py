"""The known ways to rank files for a question, which the ranker is held against."""

import math
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[A-Za-z_]\w+")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_CHUNK_LINES = 60
_K1, _B = 1.2, 0.75
_RRF_K = 20
_STOP_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "can", "do", "does", "for", "from", "has", "have", "how",
    "i", "if", "in", "into", "is", "it", "its", "make", "me", "my", "new", "no", "not", "of", "on", "or", "our", "out",
    "should", "so", "some", "such", "than", "that", "the", "their", "them", "then", "there", "this", "to", "up", "us",
    "use", "we", "what", "when", "where", "which", "who", "will", "with", "would", "you", "your",
})  # fmt: skip

Ranking = list[str]


class Porter:
    """Stems of the Porter stemmer that SQLite's FTS5 brings along."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:")
        self._db.execute("CREATE VIRTUAL TABLE t USING fts5(word, tokenize='porter ascii')")
        self._db.execute("CREATE VIRTUAL TABLE v USING fts5vocab(t, instance)")
        self._known: dict[str, str] = {}

    def learn(self, words: Iterable[str]) -> None:
        new = sorted({word for word in words if word not in self._known})
        self._db.execute("DELETE FROM t")
        self._db.executemany("INSERT INTO t(rowid, word) VALUES(?, ?)", enumerate(new))
        stems = dict(self._db.execute("SELECT doc, term FROM v"))
        self._known |= {word: stems.get(number, word) for number, word in enumerate(new)}

    def stem(self, word: str) -> str:
        return self._known.get(word, word)


def split_words(text: str) -> list[str]:
    """Words and parts of identifiers in lower case; an identifier of several parts is there as a whole as well."""
    found: list[str] = []
    for word in _WORD.findall(text):
        parts = [part.lower() for part in _PARTS.findall(word)]
        found += parts
        if len(parts) > 1:
            found.append(word.lower())
    return found


def asked(question: str) -> list[str]:
    words = list(dict.fromkeys(split_words(question)))
    return [word for word in words if word not in _STOP_WORDS] or words


@dataclass(frozen=True)
class Text:
    """A file under the baselines: counts of stems, in all and in every 60 lines, and of the plain words."""

    stems: Counter[str]
    length: int
    chunks: list[tuple[Counter[str], int]]
    lower: str


class Reader:
    """Turns texts into counts, of the words alone that some question has: the others change no score."""

    def __init__(self, porter: Porter, questions: Iterable[str]) -> None:
        self._porter = porter
        words = {word for question in questions for word in asked(question)}
        porter.learn(words)
        self._stems = {porter.stem(word) for word in words}

    def text(self, data: str) -> Text:
        lines = data.split("\n")
        chunks = [self.counts("\n".join(lines[at : at + _CHUNK_LINES])) for at in range(0, len(lines), _CHUNK_LINES)]
        total: Counter[str] = Counter()
        for counts, _ in chunks:
            total.update(counts)
        return Text(total, sum(length for _, length in chunks), chunks, data.lower())

    def counts(self, data: str) -> tuple[Counter[str], int]:
        words = Counter(split_words(data))
        self._porter.learn(words)
        found: Counter[str] = Counter()
        for word, count in words.items():
            if (stem := self._porter.stem(word)) in self._stems:
                found[stem] += count
        return found, words.total()

    def stems_of(self, question: str) -> list[str]:
        return list(dict.fromkeys(self._porter.stem(word) for word in asked(question)))


def bm25(wanted: Sequence[str], documents: Mapping[str, tuple[Counter[str], int]]) -> dict[str, float]:
    """By document, those that have none of the words left out."""
    mean = sum(length for _, length in documents.values()) / max(len(documents), 1)
    scores: defaultdict[str, float] = defaultdict(float)
    for word in wanted:
        having = {key: counts[word] for key, (counts, _) in documents.items() if word in counts}
        idf = math.log(1 + (len(documents) - len(having) + 0.5) / (len(having) + 0.5))
        for key, count in having.items():
            length = 1 - _B + _B * documents[key][1] / mean
            scores[key] += idf * count * (_K1 + 1) / (count + _K1 * length)
    return scores


def ranked(scores: Mapping[str, float]) -> Ranking:
    return sorted(scores, key=lambda key: (-scores[key], key))


def keyword_count(question: str, texts: Mapping[str, Text]) -> Ranking:
    """As a reader with ripgrep would: the files that have most of the words, then those that have them most often."""
    words = asked(question)
    scores: dict[str, float] = {}
    for path, text in texts.items():
        counts = [text.lower.count(word) for word in words]
        if different := sum(count > 0 for count in counts):
            scores[path] = different + (1 - 1 / (1 + sum(counts))) / 2
    return ranked(scores)


def fused(rankings: Iterable[Ranking]) -> Ranking:
    """Reciprocal rank fusion (Cormack, Clarke and Buettcher, 2009) with k = 20."""
    scores: defaultdict[str, float] = defaultdict(float)
    for ranking in rankings:
        for place, path in enumerate(ranking):
            scores[path] += 1 / (_RRF_K + place + 1)
    return ranked(scores)


class Baselines:
    """All of them over the candidates of one case.

    Args:
        texts: by path; `names` are the words of the symbols each defines.
        history: words and paths of the commits that may be known, each with how many words it has.
    """

    def __init__(
        self,
        reader: Reader,
        texts: Mapping[str, Text],
        names: Mapping[str, tuple[Counter[str], int]],
        history: Sequence[tuple[Counter[str], int, Sequence[str]]],
    ) -> None:
        self._reader, self._texts, self._names, self._history = reader, texts, names, history
        self._paths = {path: reader.counts(path) for path in texts}

    def rankings(self, question: str) -> dict[str, Ranking]:
        wanted = self._reader.stems_of(question)
        content = bm25(wanted, {path: (text.stems, text.length) for path, text in self._texts.items()})
        paths = bm25(wanted, self._paths)
        with_path = ranked({path: content.get(path, 0) + 0.5 * paths.get(path, 0) for path in {*content, *paths}})
        chunk = self._best_chunks(wanted)
        names = bm25(wanted, {path: self._with_path(path) for path in self._texts})
        fusion = fused([with_path, ranked(chunk), ranked(names), ranked(self._past(wanted))])
        return {"keyword count": keyword_count(question, self._texts), "BM25 + path": with_path, "fusion": fusion}

    def _with_path(self, path: str) -> tuple[Counter[str], int]:
        (names, length), (parts, more) = self._names.get(path, (Counter(), 0)), self._paths[path]
        return names + parts, length + more

    def _best_chunks(self, wanted: Sequence[str]) -> dict[str, float]:
        pieces = {
            f"{path}\0{number}": chunk for path, text in self._texts.items() for number, chunk in enumerate(text.chunks)
        }
        best: dict[str, float] = {}
        for key, score in bm25(wanted, pieces).items():
            path = key.partition("\0")[0]
            best[path] = max(best.get(path, 0.0), score)
        return best

    def _past(self, wanted: Sequence[str]) -> dict[str, float]:
        """Commit messages vote for the files they changed, each a share."""
        found = bm25(wanted, {str(number): (words, size) for number, (words, size, _) in enumerate(self._history)})
        votes: defaultdict[str, float] = defaultdict(float)
        for number in ranked(found)[:100]:
            paths = [path for path in self._history[int(number)][2] if path in self._texts]
            for path in paths:
                votes[path] += found[number] / len(paths)
        return votes
