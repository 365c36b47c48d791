"""Ports for tests of one stage: real where it is cheap, loud where a stage must not reach."""

import json
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from repowright_tools.errors import ApprovalDeclined, BudgetExceeded, PriceUnknown
from repowright_tools.events import Event
from repowright_tools.stage import BoundRepository, Charge, Cost, InputRequired, Json, Pending, StageContext

T = TypeVar("T", bound=BaseModel)


class MemoryJournal:
    """A journal that lives as long as the test.

    `effects` counts what was really begun; `charged` is what it cost, failures included.
    """

    def __init__(self) -> None:
        self.finished: dict[str, str] = {}
        self.started: set[str] = set()
        self.effects: list[str] = []
        self.charged: list[Cost] = []

    async def recorded(self, name: str, inputs: Json) -> Json | None:
        found = self.finished.get(_key(name, inputs))
        return None if found is None else json.loads(found)

    async def step(
        self,
        name: str,
        inputs: Json,
        effect: Callable[[], Awaitable[Json]],
        *,
        reconcile: Callable[[], Awaitable[Json | None]] | None = None,
        charge: Charge | None = None,
    ) -> Json:
        key = _key(name, inputs)
        if key in self.finished:
            return json.loads(self.finished[key])
        result = await reconcile() if key in self.started and reconcile else None
        if result is None:
            self._afford(charge)
            self.started.add(key)
            self.effects.append(name)
            try:
                result = await effect()
            except Exception as error:
                if charge is not None:
                    self.charged.append(charge.failure(error)[0])
                raise
        if charge is not None:
            self.charged.append(charge.cost_of(result))
        self.finished[key] = json.dumps(result)
        return json.loads(self.finished[key])

    def _afford(self, charge: Charge | None) -> None:
        if charge is None or charge.limit_usd is None:
            return
        prices = [charge.reservation.usd, *(cost.usd for cost in self.charged)]
        if None in prices:
            raise PriceUnknown("a price is unknown")
        if sum(price for price in prices if price is not None) > charge.limit_usd:
            raise BudgetExceeded("the budget is too small")

    async def void(self, prefix: str) -> None:
        for key in [key for key in self.finished if key.startswith(prefix)]:
            del self.finished[key]


def _key(name: str, inputs: Json) -> str:
    return f"{name}:{sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()}"


class RecordedEvents:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


class OperatorSays:
    """An operator with one answer: True, False, or None for nobody there yet."""

    def __init__(self, answer: bool | None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    async def require(self, *, what: str, shown: str) -> None:
        self.asked.append((what, shown))
        if self.answer is None:
            digest = sha256(shown.encode()).hexdigest()
            raise InputRequired(Pending(kind="approval", message=what, digest=digest))
        if not self.answer:
            raise ApprovalDeclined("declined")


class Earlier:
    def __init__(self, results: Mapping[str, BaseModel]) -> None:
        self.results = results

    def get(self, stage: str, shape: type[T]) -> T | None:
        found = self.results.get(stage)
        return None if found is None else shape.model_validate(found.model_dump(by_alias=True))


class OutOfReach:
    """A port the stage under test must not use."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        raise AssertionError(f"the stage reached for {self._name}.{attribute}")


def bound(root: Path, commit: str, **changes: Any) -> BoundRepository:
    values: dict[str, Any] = {
        "source": str(root),
        "kind": "local",
        "root": str(root),
        "commit": commit,
        "branch": "main",
        "default_branch": "main",
        "dirty": False,
        "origin": None,
    }
    return BoundRepository.model_validate(values | changes)


def stage_context(
    repository: BoundRepository, *, results: Mapping[str, BaseModel] | None = None, **ports: object
) -> StageContext:
    """A context whose journal and events are in memory; every other port is out of reach unless given."""
    everything: dict[str, object] = {
        name: OutOfReach(name) for name in ("model", "sandbox", "forge", "workspace", "index", "stages")
    }
    everything |= {"journal": MemoryJournal(), "events": RecordedEvents(), "approval": OperatorSays(True)}
    return StageContext(
        run_id="r_" + "0" * 32,
        repository=repository,
        results=Earlier(results or {}),
        **cast(Any, everything | ports),
    )
