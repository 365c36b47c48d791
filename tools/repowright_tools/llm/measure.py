"""How long a prompt may be, and a request that is not longer."""

from dataclasses import dataclass, replace

from repowright_tools.events import ContextShortenedEvent, EventSink, ProgressEvent
from repowright_tools.llm.context import Room
from repowright_tools.llm.provider import ModelRequest
from repowright_tools.llm.rounds import Round
from repowright_tools.llm.shared import Route, Shared
from repowright_tools.llm.tokens import Tokens, request_texts
from repowright_tools.threads import in_thread

NEAR = 0.8
"""From this part of the limit on an estimate is not trusted, and the provider is asked to count."""
_MOST_COUNTS = 3
_TIGHTER = 0.98
"""Parts of a prompt differ in characters a token: in proportion alone it could stay just too long."""


@dataclass(frozen=True)
class Measured:
    """A request that fits.

    Attributes:
        request: with its context.
        tokens: what it has, as counted here; `Tokens.factor` makes an estimate for a model of it.
        most: tokens that it cannot exceed; None where no budget has to hold them.
        shortened: what there is to tell when not all of the context fits.
    """

    request: ModelRequest
    tokens: int
    most: int | None
    shortened: ContextShortenedEvent | None


async def measured(shared: Shared, route: Route, asked: Round, events: EventSink) -> Measured:
    """The request with as much context as the limits allow.

    The limit is the smaller of `max_call_input_tokens` and what the model's context window leaves beside the longest
    answer. Estimates are corrected by what earlier calls of the model returned; near the limit the provider counts.

    Raises:
        ContextTooLarge: not even the first section fits.
    """
    ruler = _Ruler(shared, route, asked)
    room, found = await in_thread(ruler.first)
    notice = shared.tokens.notice()
    if notice is not None:
        events.emit(ProgressEvent(notice))
    for _ in range(_MOST_COUNTS):
        near = found.tokens * shared.tokens.factor(route.model) > NEAR * ruler.limit
        counted = await count(route, found.request) if near else None
        if counted is None or counted <= ruler.limit:
            break
        room = replace(room, limit=int(room.limit * _TIGHTER * ruler.limit / counted))
        found = await in_thread(ruler.fitted, room)
    if found.shortened is not None:
        events.emit(found.shortened)
    return found


async def count(route: Route, request: ModelRequest) -> int | None:
    """What the provider counts, with the first key that it lets count; None when none does."""
    for key in route.provider.keys:
        counted = await route.provider.count(request, route.model, key)
        if counted is not None:
            return counted
    return None


class _Ruler:
    """Measures the prompts of one round. Long texts take milliseconds, the lists of vocabulary and prices more: for a
    thread.
    """

    limit = 0

    def __init__(self, shared: Shared, route: Route, asked: Round) -> None:
        self._shared = shared
        self._route = route
        self._asked = asked
        self._beside = 0

    def first(self) -> tuple[Room, Measured]:
        """The room that there is, and what fits it by estimate."""
        policy, model = self._shared.policy, self._route.model
        window = self._shared.prices.context_window(self._route.provider.price_list, model)
        most = policy.max_call_input_tokens
        self.limit = most if window is None else min(most, window - policy.max_tokens)
        self._beside = sum(map(self._shared.tokens.count, request_texts(self._asked.request)))
        room = Room(int(self.limit / self._shared.tokens.factor(model)) - self._beside, self._shared.tokens.count)
        return room, self.fitted(room)

    def fitted(self, room: Room) -> Measured:
        filled = self._asked.fitted(room)
        budgeted = self._shared.policy.max_run_cost_usd is not None
        most = Tokens.bound(request_texts(filled.request)) if budgeted else None
        return Measured(filled.request, self._beside + filled.size, most, filled.shortened)
