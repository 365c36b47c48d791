"""What happens in a stage, as typed events. The log, progress and the run's history are subscribers.

Each event carries an explicit status where it has one; nothing is ever inferred from text.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

Outcome = Literal["STARTED", "COMPLETE", "FAILED", "CANCELLED", "INPUT_REQUIRED"]


@dataclass(frozen=True)
class StageEvent:
    """A stage began or ended."""

    stage: str
    status: Outcome
    message: str


@dataclass(frozen=True)
class TaskEvent:
    """One piece of a stage's work (a plan's task, a sandbox phase) began or ended."""

    task: str
    status: Outcome
    message: str


@dataclass(frozen=True)
class ModelCallEvent:
    """A model call ended. Tokens as the provider counts them; `usd` is None when the price is unknown."""

    ask: str
    provider: str
    model: str | None
    status: Outcome
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    usd: float | None
    seconds: float


@dataclass(frozen=True)
class ModelWaitEvent:
    """A model call waits: for capacity, or before it is repeated."""

    ask: str
    provider: str
    model: str
    seconds: float
    why: str


@dataclass(frozen=True)
class ModelFallbackEvent:
    """A model cannot answer, and another one is asked instead."""

    ask: str
    model: str
    instead: str
    why: str


@dataclass(frozen=True)
class ContextShortenedEvent:
    """A prompt was cut to fit its limit; counts in tokens."""

    ask: str
    before: int
    after: int
    dropped: str


@dataclass(frozen=True)
class BreakpointEvent:
    """A run paused after a stage, or went on."""

    stage: str
    status: Literal["HIT", "RESUMED"]


@dataclass(frozen=True)
class ProgressEvent:
    """Work goes on. `total` is None when unknown."""

    message: str
    done: int | None = None
    total: int | None = None


Event = (
    StageEvent
    | TaskEvent
    | ModelCallEvent
    | ModelWaitEvent
    | ModelFallbackEvent
    | ContextShortenedEvent
    | BreakpointEvent
    | ProgressEvent
)


class EventSink(Protocol):
    """Where a stage reports. Never blocks, never raises."""

    def emit(self, event: Event) -> None: ...
