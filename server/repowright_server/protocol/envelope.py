"""The envelope that every tool returns, and its schema."""

from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from repowright_server.runs.run import Status
from repowright_tools.stage import Brief

URI = "repowright://runs"
GET_RUN = "get_run"
CANCEL_RUN = "cancel_run"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WireCost(_Part):
    """What the stage cost, in get_run the whole run. `usd` is null when a price is unknown."""

    usd: float | None = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    calls: int = 0
    provider: str = ""
    model: str | None = None


class WireError(_Part):
    code: str
    message: str
    stage: str
    retryable: bool
    retry_at: str | None
    what_to_do: str


class WireInput(_Part):
    kind: str = Field(json_schema_extra={"enum": ["brief", "approval", "breakpoint"]})
    brief: Brief | None = None
    command: str | None = None
    digest: str | None = None


class WireAction(_Part):
    tool: str
    arguments: dict[str, Any]
    why: str


class WireArtifact(_Part):
    uri: str
    name: str
    mime_type: str
    bytes: int


class Envelope(_Part):
    """One shape for every answer of every tool."""

    run_id: str | None = None
    stage: str
    status: Status
    status_message: str
    result: dict[str, Any] | None = None
    input_required: WireInput | None = None
    error: WireError | None = None
    cost: WireCost = Field(default_factory=WireCost)
    next_actions: list[WireAction] = Field(default_factory=list[WireAction])
    artifacts: list[WireArtifact] = Field(default_factory=list[WireArtifact])
    truncated: dict[str, int] = Field(default_factory=dict[str, int])


@cache
def output_schema(result: type[BaseModel]) -> dict[str, Any]:
    """The schema of an envelope around this result; every field is always present."""
    envelope = _envelope_schema()
    inner = result.model_json_schema(mode="serialization", by_alias=True)
    definitions = envelope["$defs"] | inner.pop("$defs", {}) | {"Result": inner}
    own = {"result": {"anyOf": [{"$ref": "#/$defs/Result"}, {"type": "null"}]}}
    return envelope | {"properties": envelope["properties"] | own, "$defs": definitions}


@cache
def _envelope_schema() -> dict[str, Any]:
    return Envelope.model_json_schema(mode="serialization")
