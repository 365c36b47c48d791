"""What happened in an attempt: the one sink of its events, which feeds the log, the progress and the run's history."""

import time
from dataclasses import asdict
from typing import Any

import anyio

from repowright_server.observability.logging import logger
from repowright_tools.events import (
    BreakpointEvent,
    ContextShortenedEvent,
    Event,
    ModelCallEvent,
    ModelFallbackEvent,
    ModelWaitEvent,
    ProgressEvent,
    StageEvent,
    TaskEvent,
)
from repowright_tools.secrets import redact

MOST_EVENTS = 10_000
"""Events that one attempt may add to the history; what comes after is still logged."""


class History:
    """Events of one attempt, on their way to the store. `latest` is what a waiting caller is told."""

    def __init__(self, run_id: str, stage: str) -> None:
        self.latest = f"{stage} is about to start"
        self.changed = anyio.Event()
        self._run_id = run_id
        self._rows: list[dict[str, Any]] = []
        self._kept = 0

    def emit(self, event: Event) -> None:
        self.latest = redact(describe(event))
        kind = type(event).__name__.removesuffix("Event")
        body = {name: redact(value) if isinstance(value, str) else value for name, value in asdict(event).items()}
        told = {f"of_{name}": value for name, value in body.items() if name != "message" and value is not None}
        logger(__name__).info(self.latest, run_id=self._run_id, kind=kind, **told)
        if self._kept < MOST_EVENTS:
            self._kept += 1
            text = {"text": self.latest}
            self._rows.append({"run_id": self._run_id, "at": time.time(), "kind": kind, "body": body | text})
        self.changed.set()
        self.changed = anyio.Event()

    def drain(self) -> list[dict[str, Any]]:
        """The rows that are not in the store yet; the caller puts them there."""
        rows, self._rows = self._rows, []
        return rows

    def put_back(self, rows: list[dict[str, Any]]) -> None:
        """Rows that were drained and could not be stored."""
        self._rows = [*rows, *self._rows]


def describe(event: Event) -> str:
    """An event in one line for people."""
    match event:
        case StageEvent():
            return event.message
        case TaskEvent():
            return f"{event.task}: {event.message}"
        case ModelCallEvent():
            price = "price unknown" if event.usd is None else f"{event.usd:.4f} USD"
            tokens = f"{event.input_tokens} in, {event.output_tokens} out"
            who = " ".join(filter(None, (event.provider, event.model)))
            if event.status != "COMPLETE":
                return f"{who} did not answer {event.ask}: {tokens}, {price}"
            return f"{who} answered {event.ask}: {tokens}, {price}"
        case ModelWaitEvent():
            return f"{event.ask} waits {event.seconds:.0f} s for {event.provider} {event.model}: {event.why}"
        case ModelFallbackEvent():
            return f"{event.ask} goes to {event.instead} instead of {event.model}: {event.why}"
        case ContextShortenedEvent():
            return f"context of {event.ask} shortened from {event.before} to {event.after} tokens ({event.dropped})"
        case BreakpointEvent():
            return f"breakpoint after {event.stage} {event.status.lower()}"
        case ProgressEvent():
            count = "" if event.done is None else f" ({event.done}{'' if event.total is None else f'/{event.total}'})"
            return f"{event.message}{count}"
