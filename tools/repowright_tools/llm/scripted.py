"""A recorded model, for tests and the demo. It says so in every result: its provider is `scripted`."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from repowright_tools.errors import ScriptExhausted
from repowright_tools.llm.context import Room
from repowright_tools.llm.policy import ModelPolicy
from repowright_tools.llm.provider import ModelReply, ModelRequest, Usage
from repowright_tools.llm.tokens import request_texts
from repowright_tools.threads import in_thread
from repowright_tools.tokens import estimate_tokens


class RecordedUsage(BaseModel):
    model_config = ConfigDict(extra="forbid")

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0


class RecordedAnswer(BaseModel):
    """One answer: to which ask, what was said, and what it would have cost in tokens."""

    model_config = ConfigDict(extra="forbid")

    ask: str
    answer: Any
    usage: RecordedUsage = Field(default_factory=RecordedUsage)


class Recording(RootModel[list[RecordedAnswer]]):
    """A JSON file: the answers in order. The n-th entry of an ask answers its n-th round."""


class ScriptedProvider:
    """Replays the recording that the policy's `model` is the path of.

    It keeps no position of its own: which answer is due follows from the round, so that a resumed attempt hears
    exactly what it would have heard.
    """

    name = "scripted"

    def __init__(self, policy: ModelPolicy) -> None:
        self._path = policy.model
        self._max_input_tokens = policy.max_call_input_tokens

    def room(self, request: ModelRequest) -> Room:
        return Room(self._max_input_tokens - sum(map(estimate_tokens, request_texts(request))), estimate_tokens)

    async def reply(self, request: ModelRequest) -> ModelReply:
        if self._path is None:
            raise ScriptExhausted("no recording is set")
        recording = await in_thread(_read, Path(self._path))
        entries = [entry for entry in recording.root if entry.ask == request.ask]
        if len(entries) < request.number:
            raise ScriptExhausted(
                f"the recording {self._path} has {len(entries)} answers to {request.ask!r}; "
                f"number {request.number} was asked for"
            )
        entry = entries[request.number - 1]
        return ModelReply(entry.answer, Usage(**entry.usage.model_dump()), Path(self._path).name)


def _read(path: Path) -> Recording:
    try:
        return Recording.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ScriptExhausted(f"the recording {path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise ScriptExhausted(
            f"the recording {path} is not a list of {{ask, answer}}: {error.errors()[0]['msg']}"
        ) from error
