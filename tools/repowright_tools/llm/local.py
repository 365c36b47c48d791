"""Answers from this machine, which cost nothing: the caller's, and a recording's."""

import time
from typing import Protocol

from repowright_tools.events import EventSink, ModelCallEvent
from repowright_tools.llm.context import Room
from repowright_tools.llm.provider import ModelReply, ModelRequest, Usage
from repowright_tools.llm.rounds import Filled, Record, Round, charged, cost_of, record_of
from repowright_tools.stage import Charge, Journal, Json
from repowright_tools.threads import in_thread


class LocalProvider(Protocol):
    """Whoever answers without a network.

    Attributes:
        name: what results call it.
    """

    name: str

    def room(self, request: ModelRequest) -> Room:
        """What is left for the context of a request that has none yet."""
        ...

    async def reply(self, request: ModelRequest) -> ModelReply:
        """Answer, whether or not the answer is any good.

        Raises:
            InputRequired: the answer comes with a later call.
            ModelError: there is none.
        """
        ...


class LocalAnswers:
    """The Answers of one attempt by a local provider."""

    def __init__(self, provider: LocalProvider, journal: Journal, events: EventSink) -> None:
        self._provider = provider
        self._journal = journal
        self._events = events

    async def answer(self, asked: Round) -> Record:
        filled = await in_thread(self._fitted, asked)
        if filled.shortened is not None:
            self._events.emit(filled.shortened)
        started = time.monotonic()
        reply = await self._provider.reply(filled.request)
        kept = record_of(self._provider.name, reply, 0.0, time.monotonic() - started)
        return await keep(asked, kept, self._journal, self._events)

    def _fitted(self, asked: Round) -> Filled:
        return asked.fitted(self._provider.room(asked.request))

    async def accepted(self, asked: Round, record: Record) -> None:
        """Nothing to be learnt from it."""


async def keep(asked: Round, kept: Record, journal: Journal, events: EventSink) -> Record:
    """Journal and report an answer that costs nothing now."""
    provider, model = kept["provider"], kept["model"]

    async def effect() -> Json:
        usage = Usage(**kept["usage"])
        tokens = (usage.input_tokens, usage.output_tokens, usage.cached_input_tokens)
        events.emit(ModelCallEvent(asked.request.ask, provider, model, "COMPLETE", *tokens, 0.0, kept["seconds"]))
        return kept

    free = charged(Usage(), 0.0, 0, provider, model)
    charge = Charge(reservation=free, cost_of=cost_of, failure=lambda _: (free, {}))
    record: Record = await journal.step(asked.step, asked.inputs, effect, charge=charge)
    return record
