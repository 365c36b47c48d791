"""Why a file is an answer, in words."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from repowright_tools.index.parse import Symbol
from repowright_tools.index.search.evidence import Evidence, Tree
from repowright_tools.index.search.focus import Focus
from repowright_tools.index.search.past import Past
from repowright_tools.index.search.words import terms, terms_of_word

_MOST = 5  # words that are quoted for one reason


@dataclass(frozen=True)
class Reasons:
    """What is known when an answer is explained."""

    tree: Tree
    focus: Focus
    evidence: Evidence
    past: Past | None
    having: Mapping[int, Sequence[str]]

    def why(self, file: int, symbols: Sequence[Symbol], windows: Sequence[int], named: str | None) -> str:
        """The reasons for one file, what is surest first.

        Args:
            file: its place in the tree.
            symbols: that it defines.
            windows: the first lines of its windows (`Document.windows`).
            named: what in the request names the file or what it defines.
        """
        worth = self.evidence.text.worth
        reasons = [f"the request names {named}"] if named else []
        in_path = terms(self.tree.paths[file])
        if found := self._listed(term for term in worth if term in in_path):
            reasons.append(f"its path has {found}")
        if best := _definition(symbols, worth):
            reasons.append(f"it defines {best.name} (line {best.line})")
        reasons += self._text(file, windows)
        reasons += self._links(file)
        return "; ".join(reasons)

    def _text(self, file: int, windows: Sequence[int]) -> Iterator[str]:
        text, document = self.evidence.text, self.tree.document[file]
        if document is None:
            return
        if found := self._listed(self.having.get(document, ())):
            window = text.window.get(document, 0)
            yield f"its text has {found}" + (f", most from line {windows[window]}" if 0 < window < len(windows) else "")

    def _links(self, file: int) -> Iterator[str]:
        if self.past and self.evidence.past and file in self.evidence.past.voter:
            commit = self.past.commits[self.evidence.past.voter[file]]
            said = terms(commit.message)
            if found := self._listed(term for term in self.evidence.text.worth if term in said):
                yield f"it changed for {found} in commit {commit.id[:7]}"
        if (through := self.evidence.through.get(file)) is not None:
            yield f"it is linked with {self.tree.paths[through]}"

    def _listed(self, found: Iterable[str]) -> str:
        """Words of the request that stand for the terms, the most telling first."""
        worth = self.evidence.text.worth
        ordered = sorted(found, key=lambda term: (-round(worth.get(term, 0.0), 9), term))
        said = dict.fromkeys(self.focus.words[term] for term in ordered if term in self.focus.words)
        return ", ".join(f"'{word}'" for word in list(said)[:_MOST])


def _definition(symbols: Sequence[Symbol], worth: Mapping[str, float]) -> Symbol | None:
    """The definition whose name has the most of what is asked for, the first of equals."""
    best: Symbol | None = None
    most = 0.0
    for symbol in symbols:
        score = sum(worth.get(term, 0.0) for term in terms_of_word(symbol.name))
        if score > most:
            best, most = symbol, score
    return best
