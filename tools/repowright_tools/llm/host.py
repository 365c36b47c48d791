"""The caller thinks: it gets the question as a brief, and its answer comes with a later call."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from repowright_tools.llm.context import Room
from repowright_tools.llm.provider import ModelReply, ModelRequest
from repowright_tools.stage import Brief, InputRequired, Pending

MAX_BRIEF_BYTES = 27 * 1024
"""A brief is always inline, also for hosts that show only text, of which an answer has at most 32,000 characters."""


class HostProvider:
    """Never answers: an answer that was handed in is taken before any provider is asked.

    `submit` is the call that takes an answer: `{"tool": ..., "arguments": {...}}`.
    """

    name = "host"

    def __init__(self, submit: Mapping[str, Any]) -> None:
        self._submit = dict(submit)

    def room(self, request: ModelRequest) -> Room:
        rest = [request.instructions, dict(request.schema), self._submit, *_feedback(request)]
        return Room(MAX_BRIEF_BYTES - sum(map(_json_bytes, rest)), _json_bytes)

    async def reply(self, request: ModelRequest) -> ModelReply:
        brief = Brief(
            instructions=request.instructions,
            context="\n\n".join(request.context),
            response_schema=dict(request.schema),
            feedback=list(_feedback(request)),
            submit=self._submit,
        )
        tool = self._submit.get("tool", "the same tool")
        todo = "Mend the answer as `feedback` says" if brief.feedback else "Think about the brief"
        message = f"{todo}, and call {tool} with the arguments in `submit` and your answer as `submission`."
        raise InputRequired(Pending(kind="brief", message=message, brief=brief))


def _feedback(request: ModelRequest) -> Sequence[str]:
    return request.exchanges[-1].findings if request.exchanges else ()


def _json_bytes(value: object) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
