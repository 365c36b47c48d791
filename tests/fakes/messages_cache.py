"""The prompt cache of a fake model API: counts stable prefixes as the Messages API does.

Source of the rules: https://platform.claude.com/docs/en/build-with-claude/prompt-caching (what is a prefix, four
breakpoints, a lookback of twenty blocks, five minutes from the last use, a least length). The entry is there for others
from the moment its answer begins.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from fakes.messages_ledger import CHARACTERS_PER_TOKEN, Asked

LIFETIME_S = 300.0
MOST_BREAKPOINTS = 4
LOOKBACK_BLOCKS = 20
"""How many ends of blocks are tried for each breakpoint, itself included."""


class TooManyBreakpoints(Exception):
    """More than four blocks are marked: the API answers 400."""


@dataclass(frozen=True)
class Counted:
    """How many of the first tokens of a prompt are read and written, and the entries that its answer leaves alive."""

    read: int = 0
    written: int = 0
    entries: frozenset[tuple[str, str, str]] = frozenset()


@dataclass(frozen=True)
class _Prefix:
    entry: tuple[str, str, str]
    tokens: int
    marked: bool


class PromptCache:
    """What was written, by organisation, model and prefix. Not synchronised: callers hold the API's lock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._expiry: dict[tuple[str, str, str], float] = {}

    def count(self, asked: Asked, least_tokens: int) -> Counted:
        """Look a request up. Nothing changes before `keep`.

        Raises:
            TooManyBreakpoints: see there.
        """
        prefixes = list(_prefixes(asked))
        marks = [place for place, prefix in enumerate(prefixes) if prefix.marked]
        if len(marks) > MOST_BREAKPOINTS:
            raise TooManyBreakpoints(
                f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be provided. Found {len(marks)}."
            )
        tried = {place for mark in marks for place in range(max(0, mark - LOOKBACK_BLOCKS + 1), mark + 1)}
        found = [prefixes[place] for place in sorted(tried) if self._lives(prefixes[place].entry)]
        long_enough = [prefixes[mark] for mark in marks if prefixes[mark].tokens >= least_tokens]
        read = found[-1].tokens if found else 0
        written = max(0, long_enough[-1].tokens - read) if long_enough else 0
        return Counted(read, written, frozenset(prefix.entry for prefix in [*found[-1:], *long_enough]))

    def keep(self, counted: Counted) -> None:
        """The answer begins: entries are written, or live on."""
        for entry in counted.entries:
            self._expiry[entry] = self._clock() + LIFETIME_S

    def _lives(self, entry: tuple[str, str, str]) -> bool:
        now = self._clock()
        return self._expiry.get(entry, now) > now


def _prefixes(asked: Asked) -> list[_Prefix]:
    digest, characters = hashlib.sha256(), 0
    prefixes: list[_Prefix] = []
    for block in asked.blocks:
        digest.update(f"{len(block.content)} {block.content}".encode())
        characters += block.characters
        entry = (asked.organisation, asked.model, digest.hexdigest())
        prefixes.append(_Prefix(entry, characters // CHARACTERS_PER_TOKEN, block.marked))
    return prefixes
