"""From an attempt, as it is in the store, to the envelope and the texts of a tool's answer."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from mcp.types import CallToolResult, ResourceLink, TextContent

from repowright_server.protocol import approvals
from repowright_server.protocol.artifacts import Texts, texts_of
from repowright_server.protocol.envelope import URI, Envelope, WireAction, WireArtifact, WireCost, WireError, WireInput
from repowright_server.protocol.truncate import (
    MOST_STRUCTURED_BYTES,
    MOST_TEXT_CHARS,
    shorten,
    shorten_text,
    size,
)
from repowright_server.runs.run import Attempt, Status
from repowright_tools.stage import AnyStage, Brief, Cost


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
    if body["result"] is not None:
        result = body["result"]
        room = MOST_STRUCTURED_BYTES - (size(body) - size(result)) - 2_000
        body["truncated"] = shorten(result, room) | body["truncated"]
    text = _text(body, summary)
    content: list[Any] = [TextContent(type="text", text=text)]
    content += [
        ResourceLink(type="resource_link", uri=each["uri"], name=each["name"], mime_type=each["mime_type"])
        for each in body["artifacts"]
    ]
    failed = envelope.status is Status.FAILED
    return CallToolResult(content=content, structured_content=body, is_error=failed)


def _text(body: Mapping[str, Any], summary: str) -> str:
    whole = f"{summary}\n\n{json.dumps(body, ensure_ascii=False)}"
    if len(whole) <= MOST_TEXT_CHARS:
        return whole
    waiting: dict[str, Any] = body["input_required"] or {}
    brief: dict[str, Any] | None = waiting.get("brief")
    if brief is not None:
        call = json.dumps({"submit": brief["submit"], "feedback": brief["feedback"]}, ensure_ascii=False)
        return shorten_text(f"{summary}\n\n{call}\n\n{brief['instructions']}\n\n{brief['context']}")
    shorter = json.loads(json.dumps(body))
    room = MOST_TEXT_CHARS - len(summary) - 2_000
    shorter["truncated"] |= shorten(shorter["result"] or {}, room - size({**shorter, "result": None}))
    return shorten_text(f"{summary}\n\n{json.dumps(shorter, ensure_ascii=False)}")


def _next_actions(attempt: Attempt, stage: AnyStage) -> list[WireAction]:
    again = {"run_id": attempt.run_id}
    match attempt.status:
        case Status.QUEUED | Status.IN_PROGRESS:
            why = "attach to this work again; it goes on meanwhile and is never started twice"
            return [
                WireAction(tool=attempt.stage, arguments=again | _own(attempt), why=why),
                WireAction(tool="cancel_run", arguments=again, why="end it"),
            ]
        case Status.INPUT_REQUIRED:
            kind = (attempt.pending or {}).get("kind")
            if kind == "brief":
                submit = (attempt.pending or {})["brief"]["submit"]
                why = "think about the brief, and hand in the answer as `submission`"
                return [WireAction(tool=submit["tool"], arguments=submit["arguments"], why=why)]
            why = f"go on once the operator has said yes ({approvals.command(attempt.run_id)})"
            return [WireAction(tool=attempt.stage, arguments=again | _own(attempt), why=why)]
        case Status.COMPLETE:
            result = stage.result.model_validate(attempt.result)
            return [
                WireAction(tool=each.tool, arguments=again | each.arguments, why=each.why)
                for each in stage.next_actions(result)
            ]
        case Status.FAILED | Status.CANCELLED:
            why = "try again; what was finished and journalled is not repeated"
            return [WireAction(tool=attempt.stage, arguments=again | _own(attempt), why=why)]


def _own(attempt: Attempt) -> dict[str, Any]:
    """The attempt's arguments, as a call on its run gives them."""
    return {name: value for name, value in attempt.arguments.items() if value is not None and name != "source"}


def summary_of(attempt: Attempt, stage: AnyStage) -> str:
    """A few lines for people and models."""
    head = f"{attempt.stage} on run {attempt.run_id} is {attempt.status}: {attempt.status_message}"
    if attempt.status is Status.COMPLETE and attempt.result is not None:
        return f"{head}\n{stage.summarise(stage.result.model_validate(attempt.result))}"
    if attempt.error is not None:
        return f"{head}\n{attempt.error['what_to_do']}"
    return head
