"""The one translator from errors to MCP results."""

from typing import Any

from repowright_server.observability.logging import logger
from repowright_server.protocol.envelope import Envelope, WireError
from repowright_server.runs.run import Status, wire_error
from repowright_tools.errors import InternalError, RepowrightError


def refusal(failure: Exception, stage: str, run_id: str | None) -> Envelope:
    """The envelope of a call that was refused: it has changed nothing."""
    if not isinstance(failure, RepowrightError):
        logger(__name__).error("unexpected failure", tool=stage, exc_info=failure)
        failure = InternalError(f"an unexpected {type(failure).__name__} ended the call")
    wire: dict[str, Any] = wire_error(failure, stage)
    message = f"{stage} was refused: {wire['message']}"
    return Envelope(
        run_id=run_id, stage=stage, status=Status.FAILED, status_message=message, error=WireError.model_validate(wire)
    )
