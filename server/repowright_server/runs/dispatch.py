"""Who executes an attempt: this process, outside of the request that asked for it."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import anyio
import anyio.abc

from repowright_server.observability.logging import logger
from repowright_server.observability.redaction import redact_values
from repowright_server.runs import store
from repowright_server.runs.call import StageCall
from repowright_server.runs.claim import Claim, Claims
from repowright_server.runs.execution import Execution
from repowright_server.runs.history import History
from repowright_server.runs.recovery import Presence
from repowright_server.runs.run import Attempt, Run, Status, wire_error
from repowright_server.runs.store import Store
from repowright_tools.errors import InternalError, RepowrightError, StageTimeout, UnknownRun
from repowright_tools.events import StageEvent
from repowright_tools.secrets import redact
from repowright_tools.stage import AnyStage, InputRequired, StageContext

TICK_S = 0.25
"""Seconds between looks at the store for what other processes ask of this one, and at what they do."""
CLOSING_S = 1.5
"""Seconds that work in progress has to clean up when the server closes; hosts kill after 2."""


class ContextFactory(Protocol):
    """Binds the run's repository, if it is not bound yet, and builds the ports of an attempt."""

    async def __call__(
        self, execution: Execution, attempt: Attempt, nested: Callable[[str, dict[str, Any]], Any]
    ) -> StageContext: ...


class Dispatcher:
    """Takes calls, executes attempts, and lets callers wait for them. One a process."""

    def __init__(
        self, state: Store, presence: Presence, stages: Mapping[str, AnyStage], make_context: ContextFactory,
        tasks: anyio.abc.TaskGroup, *, order: tuple[str, ...], most: int, timeout_s: float,
    ) -> None:  # fmt: skip
        self.store = state
        self.closing = False
        self._presence = presence
        self._stages = stages
        self._claims = Claims(presence.holder, presence.is_alive, order)
        self._make_context = make_context
        self._room = anyio.CapacityLimiter(most)
        self._timeout_s = timeout_s
        self._executions: dict[int, Execution] = {}
        self._tasks = tasks
        tasks.start_soon(self._tick)

    async def close(self) -> None:
        """End what is in progress and leave it resumable."""
        self.closing = True
        with anyio.move_on_after(CLOSING_S, shield=True):
            for execution in list(self._executions.values()):
                execution.scope.cancel()
            for execution in list(self._executions.values()):
                await execution.ended.wait()
        self._presence.leave()
        self.store.close()

    async def submit(self, call: StageCall) -> Claim:
        """Find or make the attempt that the call is about, and start it here if it has to be executed."""
        claims: list[Claim] = []
        with anyio.CancelScope(shield=True):  # a lease that was taken must be followed by the work
            claims.append(await self._claim(call))
        return claims[0]

    async def _claim(self, call: StageCall) -> Claim:
        claim = await self.store.transaction(lambda db: self._claims.take(db, call))
        if claim.execute:
            execution = Execution(claim.run, claim.attempt, History(claim.run.id, claim.attempt.stage))
            self._executions[claim.attempt.id] = execution
            self._tasks.start_soon(self._execute, execution)
        return claim

    # --- waiting ----------------------------------------------------------------------------------------------------

    def attach(self, attempt_id: int) -> None:
        execution = self._executions.get(attempt_id)
        if execution is not None:
            execution.attached += 1

    def detach(self, attempt: Attempt, *, abandoned: bool) -> None:
        """A call stops waiting. If it was cut off, and no other call waits, the attempt ends as CANCELLED."""
        execution = self._executions.get(attempt.id)
        if execution is not None:
            execution.attached -= 1
            if abandoned and execution.attached <= 0 and not self.closing:
                execution.cancel()
        elif abandoned and not self.closing:
            self._tasks.start_soon(self._ask_to_cancel, attempt.run_id, "unattended")

    async def ended(self, attempt: Attempt) -> Attempt:
        """The attempt when it is no longer active, wherever it is executed; its process dying also ends the wait."""
        execution = self._executions.get(attempt.id)
        if execution is not None:
            await execution.ended.wait()
        while True:
            now = await self.attempt(attempt.id)
            if not now.active or not await self._is_executed(now.run_id):
                return now
            await anyio.sleep(TICK_S)

    async def latest_message(self, attempt: Attempt) -> str:
        execution = self._executions.get(attempt.id)
        if execution is not None:
            return execution.history.latest
        rows = await self.store.transaction(lambda db: store.events_of(db, attempt.run_id))
        return str(rows[-1]["body"]["text"]) if rows else attempt.status_message

    async def attempt(self, attempt_id: int) -> Attempt:
        return await self.store.transaction(lambda db: store.attempt_of(db, attempt_id))

    # --- cancelling -------------------------------------------------------------------------------------------------

    async def cancel(self, run_id: str, principal: str) -> None:
        """End what is in progress or waits for input on the run; returns when it has ended.

        Raises:
            UnknownRun: there is no such run of this principal.
        """
        run = await self.store.transaction(lambda db: store.run_of(db, run_id))
        if run is None or run.principal != principal:
            raise UnknownRun(f"there is no run {run_id}")
        here = [each for each in self._executions.values() if each.run.id == run_id]
        for execution in here:
            execution.cancel()
            await execution.ended.wait()
        if not here and self._presence.is_alive(run.holder):
            await self._ask_to_cancel(run_id, "asked")
            while await self._is_executed(run_id):  # noqa: ASYNC110 - the event is in another process
                await anyio.sleep(TICK_S)
        await self.store.transaction(lambda db: _mark_open_attempts(db, run_id, Status.CANCELLED, "cancelled", None))

    async def _ask_to_cancel(self, run_id: str, how: str) -> None:
        await self.store.transaction(lambda db: store.change_run(db, run_id, cancel=how))

    async def _is_executed(self, run_id: str) -> bool:
        run = await self.store.transaction(lambda db: store.run_of(db, run_id))
        return run is not None and self._presence.is_alive(run.holder)

    async def _cancellation(self, run_id: str) -> str | None:
        run = await self.store.transaction(lambda db: store.run_of(db, run_id))
        return None if run is None else run.cancel

    async def _tick(self) -> None:
        """Keep the history in the store fresh, and obey cancellations that other processes asked for."""
        while True:
            await anyio.sleep(TICK_S)
            for execution in list(self._executions.values()):
                await self._flush(execution)
                asked = await self._cancellation(execution.run.id)
                if asked == "asked" or (asked == "unattended" and execution.attached <= 0):
                    execution.cancel()

    # --- executing --------------------------------------------------------------------------------------------------

    async def _execute(self, execution: Execution) -> None:
        run_id = execution.run.id
        late: StageTimeout | None = None
        try:
            with execution.scope:
                async with self._room:
                    with anyio.move_on_after(self._timeout_s) as deadline:
                        await self._perform_quietly(execution)
                    if deadline.cancelled_caught:
                        late = StageTimeout(f"{execution.attempt.stage} took longer than {self._timeout_s:g} s")
        finally:
            with anyio.CancelScope(shield=True):
                if late is not None:
                    error = wire_error(late, execution.attempt.stage)
                    await self._mark_open(run_id, Status.FAILED, late.message, error)
                elif execution.cancelled:
                    await self._mark_open(run_id, Status.CANCELLED, f"{execution.attempt.stage} was cancelled", None)
                await self._flush(execution)
                await self.store.transaction(lambda db: store.change_run(db, run_id, holder=None, cancel=None))
                del self._executions[execution.attempt.id]
                execution.ended.set()

    async def _perform_quietly(self, execution: Execution) -> None:
        """Perform the attempt; its outcome is in the store, so nothing is left to raise."""
        try:
            await self._perform(execution, execution.attempt)
        except (InputRequired, RepowrightError):
            return

    async def _perform(self, execution: Execution, attempt: Attempt) -> dict[str, Any]:
        stage = self._stages[attempt.stage]
        message = f"{stage.name} is in progress"
        await self._record(attempt, status=Status.IN_PROGRESS, status_message=message)
        execution.history.emit(StageEvent(stage.name, "STARTED", f"run {execution.run.id}: {message}"))
        try:
            arguments = stage.arguments.model_validate(attempt.arguments)

            async def nested(name: str, own: dict[str, Any]) -> dict[str, Any]:
                return await self._nested(execution, name, own)

            context = await self._make_context(execution, attempt, nested)
            result = await stage.run(context, arguments)
        except InputRequired as waiting:
            first = waiting.pending.message.splitlines()[0]
            pending = waiting.pending.model_dump(mode="json")
            await self._record(attempt, status=Status.INPUT_REQUIRED, status_message=first, pending=pending)
            execution.history.emit(StageEvent(stage.name, "INPUT_REQUIRED", first))
            raise
        except Exception as failure:
            error = failure if isinstance(failure, RepowrightError) else _bug(failure, execution.run)
            wire = wire_error(error, stage.name)
            error.stage = wire["stage"]
            await self._record(attempt, status=Status.FAILED, status_message=wire["message"], error=wire, ended=True)
            execution.history.emit(StageEvent(stage.name, "FAILED", f"{wire['stage']} failed: {wire['message']}"))
            raise error from failure
        body: dict[str, Any] = redact_values(result.model_dump(mode="json", by_alias=True))
        said = stage.summarise(result).splitlines()[0]
        await self._record(attempt, status=Status.COMPLETE, status_message=said, result=body, ended=True)
        execution.history.emit(StageEvent(stage.name, "COMPLETE", said))
        return body

    async def _nested(self, execution: Execution, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        parent, stage = execution.attempt, self._stages[name]
        attempt = await self.store.transaction(lambda db: self._claims.nested(db, parent, stage, arguments))
        if attempt.status is Status.COMPLETE and attempt.result is not None:
            return attempt.result
        return await self._perform(execution, attempt)

    async def _record(self, attempt: Attempt, *, ended: bool = False, **changes: Any) -> None:
        if ended:
            changes["ended"] = time.time()
        changes["status_message"] = redact(changes["status_message"])[:2_000]
        with anyio.CancelScope(shield=True):  # an outcome that exists must not be lost to a late cancellation
            await self.store.transaction(lambda db: store.change_attempt(db, attempt.id, **changes))

    async def _mark_open(self, run_id: str, status: Status, message: str, error: dict[str, Any] | None) -> None:
        await self.store.transaction(lambda db: _mark_open_attempts(db, run_id, status, message, error))

    async def _flush(self, execution: Execution) -> None:
        rows = execution.history.drain()
        if rows:
            await self.store.transaction(lambda db: store.add_events(db, rows))


def _mark_open_attempts(db: Any, run_id: str, status: Status, message: str, error: dict[str, Any] | None) -> None:
    for each in store.attempts_of(db, run_id):
        if each.active or (each.status is Status.INPUT_REQUIRED and status is Status.CANCELLED):
            changes = {"status": status, "status_message": message, "error": error, "ended": time.time()}
            store.change_attempt(db, each.id, **changes)


def _bug(failure: Exception, run: Run) -> InternalError:
    logger(__name__).error("unexpected failure", run_id=run.id, exc_info=failure)
    return InternalError(f"an unexpected {type(failure).__name__} ended the stage")
