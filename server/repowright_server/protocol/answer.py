"""From an attempt, as it is in the store, to the envelope and the texts of a tool's answer."""

import json
from dataclasses import asdict
from typing import Any

from mcp.types import CallToolResult, ResourceLink, TextContent

from repowright_server.protocol import approvals
from repowright_server.protocol.artifacts import Texts, texts_of
from repowright_server.protocol.envelope import (
    GET_RUN,
    URI,
    Envelope,
    WireAction,
    WireArtifact,
    WireCost,
    WireError,
    WireInput,
)
from repowright_server.protocol.truncate import (
    MOST_STRUCTURED_BYTES,
    MOST_TEXT_CHARS,
    NOTE_CHARS,
    shorten,
    shorten_text,
    size,
)
from repowright_server.runs.run import MOST_STATUS_CHARS, Attempt, Status
from repowright_tools.stage import AnyStage, Brief, Cost

_SPARE = 2_000
"""Bytes that are kept for the counts in `truncated`."""
_MOST_ACTION_BYTES = 4_000
_MOST_ERROR_CHARS = 4_000
_MOST_SUMMARY_CHARS = 3_000
_MOST_FEEDBACK_BYTES = 16_000


def envelope_of(attempt: Attempt, stage: AnyStage, cost: Cost) -> Envelope:
    """The whole answer, before anything is cut."""
    complete = attempt.status is Status.COMPLETE
    texts: Texts = texts_of(stage, attempt.result) if complete and attempt.result is not None else {}
    return Envelope(
        run_id=attempt.run_id,
        stage=attempt.stage,
        status=attempt.status,
        status_message=attempt.status_message,
        result=attempt.result if complete else None,
        input_required=input_of(attempt),
        error=None if attempt.error is None else WireError.model_validate(attempt.error),
        cost=WireCost(**asdict(cost)),
        next_actions=_next_actions(attempt, stage),
        artifacts=links(attempt.run_id, texts),
    )


def input_of(attempt: Attempt) -> WireInput | None:
    """What the attempt waits for, as the caller may answer it."""
    if attempt.status is not Status.INPUT_REQUIRED or attempt.pending is None:
        return None
    kind, brief = attempt.pending["kind"], attempt.pending["brief"]
    return WireInput(
        kind=kind,
        brief=None if brief is None else Brief.model_validate(brief),
        command=None if kind == "brief" else approvals.command(attempt.run_id),
        digest=attempt.pending["digest"],
    )


def links(run_id: str, texts: Texts) -> list[WireArtifact]:
    return [
        WireArtifact(uri=f"{URI}/{run_id}/{name}", name=name, mime_type=kind, bytes=len(text.encode()))
        for name, (kind, text) in texts.items()
    ]


def tool_result(envelope: Envelope, summary: str) -> CallToolResult:
    """The answer within its limits. The text repeats the structured content, for hosts that show only one of them."""
    body = envelope.model_dump(mode="json")
    lost = _shorten_messages(body)
    result: dict[str, Any] | None = body["result"]
    waiting: dict[str, Any] = body["input_required"] or {}
    if waiting.get("brief") is not None:
        lost |= _shorten_feedback(waiting["brief"])
    if result is not None:
        room = MOST_STRUCTURED_BYTES - (size(body) - size(result)) - _SPARE
        lost |= shorten(result, room)
    body["truncated"] |= lost
    content: list[Any] = [TextContent(type="text", text=_text(body, shorten_text(summary, _MOST_SUMMARY_CHARS)))]
    content += [
        ResourceLink(type="resource_link", uri=each["uri"], name=each["name"], mime_type=each["mime_type"])
        for each in body["artifacts"]
    ]
    failed = envelope.status is Status.FAILED
    return CallToolResult(content=content, structured_content=body, is_error=failed)


def _shorten_messages(body: dict[str, Any]) -> dict[str, int]:
    """Cut what repeats a caller's or a program's words at any length; the log has the whole."""
    lost: dict[str, int] = {}
    error: dict[str, Any] = body["error"] or {}
    for owner, field, name, most in (
        (body, "status_message", "status_message", MOST_STATUS_CHARS),
        (error, "message", "error.message", _MOST_ERROR_CHARS),
    ):
        text: str = owner.get(field, "")
        if len(text) > most:
            owner[field] = shorten_text(text, most)
            lost[name] = len(text) - most + NOTE_CHARS
    return lost


def _shorten_feedback(brief: dict[str, Any]) -> dict[str, int]:
    """A brief is inline whole; only what was wrong with the last answer can be longer than anybody would read."""
    lost = shorten(feedback := {"feedback": brief["feedback"]}, _MOST_FEEDBACK_BYTES)
    brief["feedback"] = feedback["feedback"]
    return {f"input_required.brief.{name}": count for name, count in lost.items()}


def _text(body: dict[str, Any], summary: str) -> str:
    room = MOST_TEXT_CHARS - len(summary) - len("\n\n")
    whole = _json(body)
    if len(whole) > room and body["result"] is not None:
        shorter = json.loads(whole)
        rest = len(_json(shorter | {"result": None}))
        lost = shorten(shorter["result"], room - rest - _SPARE)
        shorter["truncated"] = {
            name: lost.get(name, 0) + body["truncated"].get(name, 0) for name in {**body["truncated"], **lost}
        }
        whole = _json(shorter)
        if len(whole) > room:  # a brief beside it needs the room
            shorter["result"], shorter["truncated"] = None, body["truncated"] | {"result": len(_json(body["result"]))}
            whole = _json(shorter)
    return shorten_text(f"{summary}\n\n{whole}")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _next_actions(attempt: Attempt, stage: AnyStage) -> list[WireAction]:
    again = {"run_id": attempt.run_id}
    match attempt.status:
        case Status.QUEUED | Status.IN_PROGRESS:
            why = "attach to this work again; it goes on meanwhile and is never started twice"
            whole = _again(attempt)
            return [
                WireAction(tool=attempt.stage, arguments=whole, why=why)
                if size(whole) <= _MOST_ACTION_BYTES
                else WireAction(tool=GET_RUN, arguments=again, why="wait for this work, which goes on meanwhile"),
                WireAction(tool="cancel_run", arguments=again, why="end it"),
            ]
        case Status.INPUT_REQUIRED:
            kind = (attempt.pending or {}).get("kind")
            if kind == "brief":
                submit = (attempt.pending or {})["brief"]["submit"]
                why = "think about the brief, and hand in the answer as `submission`"
                return [WireAction(tool=submit["tool"], arguments=submit["arguments"], why=why)]
            why = f"go on once the operator has said yes ({approvals.command(attempt.run_id)})"
            return [WireAction(tool=attempt.stage, arguments=_repeat(attempt), why=why)]
        case Status.COMPLETE:
            result = stage.result.model_validate(attempt.result)
            return [
                WireAction(tool=each.tool, arguments=again | each.arguments, why=each.why)
                for each in stage.next_actions(result)
            ]
        case Status.FAILED if not (attempt.error or {}).get("retryable"):
            return []  # the same call would fail the same way: `what_to_do` says what comes first
        case Status.FAILED | Status.CANCELLED:
            why = "try again; what was finished and journalled is not repeated"
            return [WireAction(tool=attempt.stage, arguments=_repeat(attempt), why=why)]


def _again(attempt: Attempt) -> dict[str, Any]:
    """The arguments of a call of the same work on its run."""
    own = {name: value for name, value in attempt.arguments.items() if value is not None and name != "source"}
    return {"run_id": attempt.run_id, **own}


def _repeat(attempt: Attempt) -> dict[str, Any]:
    """The same of an attempt that is not complete: without arguments a call means it too, when they are long."""
    whole = _again(attempt)
    return whole if size(whole) <= _MOST_ACTION_BYTES else {"run_id": attempt.run_id}


def summary_of(attempt: Attempt, stage: AnyStage) -> str:
    """A few lines for people and models."""
    head = f"{attempt.stage} on run {attempt.run_id} is {attempt.status}: {attempt.status_message}"
    if attempt.status is Status.COMPLETE and attempt.result is not None:
        return f"{head}\n{stage.summarise(stage.result.model_validate(attempt.result))}"
    if attempt.error is not None:
        return f"{head}\n{attempt.error['what_to_do']}"
    return head
