"""A small ask and a small journalled model, for tests of the model layer."""

from collections.abc import Mapping
from typing import Any, TypeVar

import anyio
from pydantic import BaseModel, ConfigDict

from repowright_tools.llm.factory import Models
from repowright_tools.llm.policy import Endpoint, ModelPolicy
from repowright_tools.stage import Answer, Ask, Journal, Json, Model, Section
from support.ports import MemoryJournal, RecordedEvents

T = TypeVar("T", bound=BaseModel)
SUBMIT = {"tool": "plan_feature", "arguments": {"run_id": "r_" + "0" * 32}}


class Word(BaseModel):
    """One word."""

    model_config = ConfigDict(extra="forbid", strict=True)

    word: str


def word_ask(*sections: Section, expected: str | None = None, instructions: str = "Say a word.") -> Ask[Word]:
    """Asks for a word; `expected` is the only one its check accepts."""

    async def check(word: Word) -> list[str]:
        return [] if expected in (None, word.word) else [f"{word.word!r} is not the word"]

    context = sections or (Section("Question", "Which word?", untrusted=False),)
    return Ask("word", instructions, context, Word, check)


class Handed:
    """Answers that callers hand in, one for each call."""

    def __init__(self, *answers: Json) -> None:
        self.waiting = list(answers)

    async def take(self) -> Json | None:
        return self.waiting.pop(0) if self.waiting else None


def quick_policy(url: str | None = None, **changes: Any) -> ModelPolicy:
    """The provider anthropic at `url`, which waits milliseconds where a real one waits seconds."""
    values: dict[str, Any] = {
        "provider": "anthropic",
        "timeout_s": 5.0,
        "max_retries": 3,
        "retry_initial_wait_s": 0.005,
        "retry_max_wait_s": 2.0,
    }
    keys = changes.pop("keys", ("key-one-on-loopback",))
    endpoints: dict[str, Any] = {"endpoints": {"anthropic": Endpoint(keys, url)}}
    return ModelPolicy(**(values | endpoints | changes))


class Thinker:
    """A model with its journal and events at hand."""

    def __init__(
        self,
        policy: ModelPolicy,
        *handed: Json,
        journal: Journal | None = None,
        submit: Mapping[str, Any] | None = None,
        models: Models | None = None,
    ) -> None:
        self.journal = journal if isinstance(journal, MemoryJournal) else MemoryJournal()
        self.events = RecordedEvents()
        self.handed = Handed(*handed)
        self.models = models or Models(policy)
        self.model: Model = self.models.model(
            stage="plan_feature",
            run="r_" + "0" * 32,
            journal=journal or self.journal,
            events=self.events,
            submissions=self.handed,
            submit=SUBMIT if submit is None else submit,
        )

    async def think(self, ask: Ask[T]) -> Answer[T]:
        """As the model does, and leave no connection open."""
        try:
            return await self.model.think(ask)
        finally:
            with anyio.CancelScope(shield=True):
                await self.models.aclose()
