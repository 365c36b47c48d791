"""A run and its attempts: what stages share, and one execution of one stage on it."""

import hashlib
import json
import secrets
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from repowright_tools.errors import RepowrightError
from repowright_tools.secrets import redact
from repowright_tools.stage import BoundRepository

MOST_STATUS_CHARS = 2_000
"""Characters of a status message; the log has the whole."""


class Status(StrEnum):
    """Statuses of an attempt, spelled so on the wire."""

    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    INPUT_REQUIRED = "INPUT_REQUIRED"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Run(Record):
    """The durable record that stages share.

    Attributes:
        id: `r_` and 32 hex digits, unguessable.
        principal: who it belongs to; `local` for a server on stdio.
        source: the repository as parsed before the run existed (SourceSpec as JSON).
        repository: the repository that the run is bound to; None until the first attempt has bound it.
        holder: the server process that executes an attempt of the run now; None when none does.
        cancel: `asked` ends the attempt in progress; `unattended` ends it only if no call is attached to it.
        created: seconds since the epoch.
    """

    id: str
    principal: str
    source: dict[str, Any]
    repository: BoundRepository | None = None
    holder: str | None = None
    cancel: str | None = None
    created: float


class Attempt(Record):
    """One execution of one stage on a run.

    Attributes:
        key: digest of what identifies the attempt: run, stage, arguments and the results it builds on.
        scope: digest under which its journal steps are kept; the key, and the answer it was started with, if any.
        parent: the attempt of deliver_feature that this one is part of.
        submissions: digests of the answers that were handed in, oldest first.
        submission: an answer that was handed in and not yet consumed, as a list of none or one.
        pending: what an INPUT_REQUIRED attempt waits for (Pending as JSON).
        error: the error of a FAILED attempt, as in the envelope.
        dropped_by: scope of the later attempt of an earlier stage that made its result void; None while it stands.
        told: whether a caller has had the news that it failed: until then the next call gets them, and starts nothing.
        started, ended: seconds since the epoch.
    """

    id: int
    run_id: str
    stage: str
    key: str
    scope: str
    call: str
    parent: int | None = None
    arguments: dict[str, Any]
    status: Status
    status_message: str
    submissions: list[str] = Field(default_factory=list[str])
    submission: list[Any] = Field(default_factory=list[Any])
    pending: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    dropped_by: str | None = None
    told: bool = False
    started: float
    ended: float | None = None

    @property
    def active(self) -> bool:
        """Whether a server process executes it, or was executing it when that process died."""
        return self.status in (Status.QUEUED, Status.IN_PROGRESS)


def new_run_id() -> str:
    return f"r_{secrets.token_hex(16)}"


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of a value, in hex."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def wire_error(error: RepowrightError, stage: str) -> dict[str, Any]:
    """An error as it is in the envelope and in the store."""
    return {
        "code": error.code,
        "message": redact(error.message),
        "stage": error.stage or stage,
        "retryable": error.retryable,
        "retry_at": None if error.retry_at is None else error.retry_at.isoformat(),
        "what_to_do": error.what_to_do,
    }
