"""The one loop behind every provider: ask, check the answer, say what is wrong, ask again."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from repowright_tools.errors import AnswerRejected
from repowright_tools.events import EventSink
from repowright_tools.llm.answers import LEAK_FINDING, judge
from repowright_tools.llm.context import PREAMBLE, clean, clean_sections
from repowright_tools.llm.local import keep
from repowright_tools.llm.provider import Exchange, ModelReply, ModelRequest, Usage
from repowright_tools.llm.rounds import Record, Round, record_of, step_name
from repowright_tools.stage import Answer, Ask, Journal, Json, RejectedAnswer, Section
from repowright_tools.threads import in_thread

T = TypeVar("T", bound=BaseModel)

MAX_REFUSALS = 5
"""Refused answers that come back with feedback. The one after them fails the ask."""

_SHORT = 10_000
"""Characters that are cleaned in about half a millisecond, hardly more than it takes to use a thread."""


class Submissions(Protocol):
    """The answer that the caller handed in with the present call."""

    async def take(self) -> Json | None:
        """The answer, the first time; None after that, or when there is none."""
        ...


class Answers(Protocol):
    """Whoever answers a round."""

    async def answer(self, asked: Round) -> Record:
        """The answer, journalled with its cost under the round's step.

        Raises:
            InputRequired: the answer comes with a later call.
            ModelError: there is none.
        """
        ...

    async def accepted(self, asked: Round, record: Record) -> None:
        """Told of an answer that passed its check."""
        ...


class ThinkingModel:
    """The Model port, with any provider behind it."""

    def __init__(self, answers: Answers, journal: Journal, events: EventSink, submissions: Submissions) -> None:
        self._answers = answers
        self._journal = journal
        self._events = events
        self._submissions = submissions

    async def think(self, ask: Ask[T]) -> Answer[T]:
        """See `Model.think`. Rounds are journal steps `ask:NAME:NUMBER`; a resumed attempt replays those it has."""
        texts = (ask.instructions, *(text for section in ask.context for text in (section.title, section.text)))
        short = sum(map(len, texts)) <= _SHORT
        asked = _first_round(ask) if short else await in_thread(_first_round, ask)
        rejected: list[RejectedAnswer[T]] = []
        while True:
            record = await self._round(asked)
            value, findings = await self._judge(ask, record)
            if value is not None and not findings:
                await self._answers.accepted(asked, record)
                return Answer(value, record["provider"], tuple(rejected))
            rejected.append(RejectedAnswer(value, findings))
            if len(rejected) > MAX_REFUSALS:
                await self._journal.void(step_name(ask.name, ""))
                raise AnswerRejected(f"answer {len(rejected)} to {ask.name!r} was refused: {'; '.join(findings)}")
            exchange = Exchange(_as_text(record["answer"]), findings)
            request = asked.request
            request = replace(request, number=request.number + 1, exchanges=(*request.exchanges, exchange))
            asked = Round(request, asked.sections)

    async def _round(self, asked: Round) -> Record:
        """One answer: from the journal, from the caller, or from the provider."""
        recorded: Record | None = await self._journal.recorded(asked.step, asked.inputs)
        if recorded is not None:
            return recorded
        submitted = await self._submissions.take()
        if submitted is None:
            return await self._answers.answer(asked)
        kept = record_of("host", ModelReply(submitted, Usage(), None), 0.0, 0.0)
        return await keep(asked, kept, self._journal, self._events)

    async def _judge(self, ask: Ask[T], record: Record) -> tuple[T | None, list[str]]:
        return (None, [LEAK_FINDING]) if record["secret"] else await judge(ask, record["answer"])


def _first_round(ask: Ask[T]) -> Round:
    """The question, clean. Looking for secrets in a long context takes tens of milliseconds: it is for a thread."""
    sections: list[Section] = clean_sections(ask.context)
    request = ModelRequest(
        ask=ask.name,
        number=1,
        instructions=f"{PREAMBLE}\n\n{clean(ask.instructions)}",
        context=(),
        schema=_schema_of(ask.schema),
    )
    return Round(request, sections)


@lru_cache
def _schema_of(shape: type[BaseModel]) -> Mapping[str, Any]:
    return shape.model_json_schema()


def _as_text(answer: Json) -> str:
    """JSON for a model to read: letters as they are, but nothing that UTF-8 cannot hold."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()
