"""What is known of keys, limits and services: one small JSON document that all server processes share."""

from hashlib import sha256
from typing import TypeVar

from pydantic import BaseModel, Field, ValidationError

from repowright_tools.llm.breaker import Circuit
from repowright_tools.llm.buckets import Bucket
from repowright_tools.llm.lanes import Lane
from repowright_tools.llm.spans import Span

FORGOTTEN_S = 86_400.0
MOST = 100
"""Entries of each kind: what was not used longest is forgotten first."""


class Refusal(BaseModel):
    """A key was refused, and is left alone for a time. `status` is 401, or 403 for one model."""

    status: int
    span: Span


class Key(BaseModel):
    """Attributes:
    organisation: the one that a response has proven; None before, or where responses name none.
    refusals: by model; `*` for every model.
    own: the bucket of RATE_LIMIT_MAX_CALLS, for endpoints that tell no limits.
    """

    organisation: str | None = None
    refusals: dict[str, Refusal] = Field(default_factory=dict[str, Refusal])
    own: Bucket | None = None
    used: float = 0.0


class Sticky(BaseModel):
    """The key that a run used last, and how long its prompt cache is warm there."""

    key: str
    span: Span

    @property
    def used(self) -> float:
        return self.span.start


class Spent(BaseModel):
    """A group that has no money left; it is put last for a time."""

    span: Span

    @property
    def used(self) -> float:
        return self.span.start


class Book(BaseModel):
    """Attributes:
    tick: counts what is sent and what ends, so that their order does not hang on clocks.
    keys: by `key_name`. Key material is never in here.
    lanes: by `lane_name`: what one group of keys may do with one model.
    circuits: by provider and model.
    runs: by run.
    spent: by group.
    """

    tick: int = 0
    keys: dict[str, Key] = Field(default_factory=dict[str, Key])
    lanes: dict[str, Lane] = Field(default_factory=dict[str, Lane])
    circuits: dict[str, Circuit] = Field(default_factory=dict[str, Circuit])
    runs: dict[str, Sticky] = Field(default_factory=dict[str, Sticky])
    spent: dict[str, Spent] = Field(default_factory=dict[str, Spent])

    @classmethod
    def load(cls, text: str | None) -> "Book":
        """What was dumped; a new book when there is none, or none that this version can read."""
        try:
            return cls() if text is None else cls.model_validate_json(text)
        except ValidationError:
            return cls()

    def dump(self) -> str:
        return self.model_dump_json(exclude_defaults=True)

    def next_tick(self) -> int:
        self.tick += 1
        return self.tick

    def forget(self, now: float) -> None:
        """Drop what is over, what was not used for a day, and what is beyond the bounds."""
        self.runs = {run: sticky for run, sticky in self.runs.items() if sticky.span.left_s(now)}
        for lane in self.lanes.values():
            lane.tidy(now)
        _forget(self.keys, now)
        _forget(self.lanes, now)
        _forget(self.circuits, now)
        _forget(self.runs, now)
        _forget(self.spent, now)


Entry = TypeVar("Entry", Key, Lane, Circuit, Sticky, Spent)


def _forget(entries: dict[str, Entry], now: float) -> None:
    old = [name for name, entry in entries.items() if entry.used < now - FORGOTTEN_S]
    if len(entries) - len(old) > MOST:
        old = sorted(entries, key=lambda name: entries[name].used)[: len(entries) - MOST]
    for name in old:
        del entries[name]


def key_id(key: str) -> str:
    """What a key is called wherever it is written down: 16 hex digits that tell nothing about it."""
    return sha256(key.encode()).hexdigest()[:16]


def key_name(provider: str, key: str) -> str:
    return f"{provider} {key_id(key)}"


def group_name(name: str, key: Key) -> str:
    """The keys that share limits: those of one organisation. A key that has not shown its own is a group by itself."""
    return name if key.organisation is None else f"{name.split(' ', 1)[0]} @{key.organisation}"
