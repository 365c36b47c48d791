"""The way to remote models: the first that can answer does, unless the answer is known already."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import pairwise

from repowright_tools.errors import ModelNotFound, ModelOverloaded, ModelUnreachable, RateLimited
from repowright_tools.events import EventSink, ModelFallbackEvent
from repowright_tools.llm.cache import cache_key
from repowright_tools.llm.call import Call
from repowright_tools.llm.local import keep
from repowright_tools.llm.measure import measured
from repowright_tools.llm.provider import Usage
from repowright_tools.llm.rounds import Record, Round
from repowright_tools.llm.shared import Route, Shared
from repowright_tools.stage import Journal

_PASSED_ON = (ModelNotFound, ModelOverloaded, ModelUnreachable, RateLimited)
"""Failures after which the next model is asked: those of the service, not of the question or of the answer."""


class Governor:
    """The Answers of one attempt by remote models."""

    def __init__(
        self,
        shared: Shared,
        routes: Callable[[str], Sequence[Route]],
        journal: Journal,
        events: EventSink,
        run: str,
    ) -> None:
        self._shared = shared
        self._routes = routes
        self._journal = journal
        self._events = events
        self._run = run
        self._fresh: dict[str, str] = {}

    async def answer(self, asked: Round) -> Record:
        routes = self._routes(asked.request.ask)
        for route, other in pairwise(routes):
            try:
                return await self._by(route, asked)
            except _PASSED_ON as error:
                self._events.emit(ModelFallbackEvent(asked.request.ask, route.model, other.model, error.message))
        return await self._by(routes[-1], asked)

    async def accepted(self, asked: Round, record: Record) -> None:
        key = self._fresh.pop(asked.step, None)
        if self._shared.cache is not None and key is not None:
            await self._shared.cache.put(key, record)

    async def _by(self, route: Route, asked: Round) -> Record:
        found = await measured(self._shared, route, asked, self._events)
        call = Call(self._shared, route, asked, found, self._journal, self._events, self._run)
        if self._shared.cache is None:
            return await call.answer()
        policy, name = self._shared.policy, route.provider.name
        key = cache_key(name, route.model, policy.endpoint(name).base_url, found.request, policy.max_tokens)
        known = await self._shared.cache.get(key)
        if known is not None:
            # It costs nothing now, whatever it cost then.
            free: Record = {"usage": asdict(Usage()), "usd": 0.0, "calls": 0, "seconds": 0.0, "from_cache": True}
            return await keep(asked, known | free, self._journal, self._events)
        self._fresh[asked.step] = key
        return await call.answer()
