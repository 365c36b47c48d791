"""Asking the person at the client, in the way their protocol era has, and writing the answer down."""

import json
from typing import TYPE_CHECKING, Any, Literal

import anyio
from mcp import MCPError
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult

from repowright_server.observability.logging import logger
from repowright_server.protocol.truncate import shorten_text
from repowright_server.runs.run import Attempt, Status

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context

    from repowright_server.runs.store import Store

MODERN = "2026-07-28"
"""Protocol revision since which a server asks by returning InputRequiredResult."""
_QUESTION = "approval"
_SHOWN_CHARS = 8_000
_NOTHING_TO_FILL_IN: dict[str, Any] = {"type": "object", "properties": {}}

Decision = Literal["granted", "declined", "dismissed"]


def can_ask(context: "Context[Any, Any]", attempt: Attempt) -> bool:
    """Whether the attempt waits for a yes, and the client can put the question to its user."""
    if attempt.status is not Status.INPUT_REQUIRED or (attempt.pending or {}).get("kind") == "brief":
        return False
    capabilities = context.client_capabilities
    ways = None if capabilities is None else capabilities.elicitation
    return ways is not None and (ways.form is not None or ways.url is None)  # neither named means forms


def is_modern(context: "Context[Any, Any]") -> bool:
    return (context.protocol_version or "") >= MODERN


def question(attempt: Attempt) -> InputRequiredResult:
    """The question for clients of 2026-07-28; the state that comes back with the answer is the run."""
    state = {"run_id": attempt.run_id, "stage": attempt.stage, "digest": (attempt.pending or {}).get("digest")}
    form = ElicitRequestFormParams(message=_message(attempt), requested_schema=_NOTHING_TO_FILL_IN)
    return InputRequiredResult(
        input_requests={_QUESTION: ElicitRequest(params=form)}, request_state=json.dumps(state, sort_keys=True)
    )


def answered(context: "Context[Any, Any]") -> tuple[str, str, Decision] | None:
    """The run, the digest and the decision that a retried call carries; None for a call that answers nothing."""
    if context.request_state is None:
        return None
    state = json.loads(context.request_state)  # sealed by the SDK: only what `question` wrote arrives here
    reply = (context.input_responses or {}).get(_QUESTION)
    return state["run_id"], state["digest"], _decision(reply)


async def elicit(context: "Context[Any, Any]", attempt: Attempt, wait_s: float) -> Decision:
    """Ask a client of an older revision; no answer within `wait_s` seconds, or an error, counts as dismissed."""
    with anyio.move_on_after(wait_s):
        try:
            reply = await context.session.elicit_form(
                message=_message(attempt), requested_schema=_NOTHING_TO_FILL_IN, related_request_id=context.request_id
            )
        except MCPError as error:
            logger(__name__).warning("the client cannot ask its user", run_id=attempt.run_id, reason=str(error))
            return "dismissed"
        return _decision(reply)
    return "dismissed"


async def record(state: "Store", run_id: str, digest: str, decision: Decision) -> None:
    """Write the decision down; the attempt that waits for it acts on it when it goes on."""
    from repowright_server.runs import store

    if decision != "dismissed":
        granted = decision == "granted"
        await state.transaction(lambda db: store.set_approval(db, run_id, digest, granted=granted, by="elicitation"))


def command(run_id: str) -> str:
    """The shell line that says yes in the operator's terminal."""
    return f"repowright approve {run_id}"


def _message(attempt: Attempt) -> str:
    pending = attempt.pending or {}
    shown = shorten_text(str(pending.get("message", "")), _SHOWN_CHARS)
    return f"{shown}\n\nDigest {pending.get('digest')}. The whole text: {command(attempt.run_id)}"


def _decision(reply: object) -> Decision:
    if isinstance(reply, ElicitResult):
        return {"accept": "granted", "decline": "declined"}.get(reply.action, "dismissed")  # type: ignore[return-value]  # the values are Decisions
    return "dismissed"
