"""Who executes an attempt: this process, outside of the request that asked for it."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import anyio
import anyio.abc
from sqlalchemy.engine import Connection

from repowright_server.observability.logging import logger
from repowright_server.observability.redaction import redact_values
from repowright_server.runs import store
from repowright_server.runs.call import StageCall
from repowright_server.runs.claim import Claim, Claims
from repowright_server.runs.execution import Execution
from repowright_server.runs.history import History
from repowright_server.runs.recovery import Presence
from repowright_server.runs.run import MOST_STATUS_CHARS, Attempt, Run, Status, wire_error
from repowright_server.runs.store import Store
from repowright_tools.errors import InternalError, RepowrightError, StageTimeout, UnknownRun
from repowright_tools.events import StageEvent
from repowright_tools.stage import AnyStage, InputRequired, StageContext

TICK_S = 0.25
"""Seconds between looks at the store for what other processes ask of this one, and at what they do."""
CLOSING_S = 1.5
"""Seconds that work in progress has to clean up when the server closes; hosts kill after 2."""
CANCELLING_S = 10.0
"""Seconds that a cancellation waits for the work to end; what takes longer ends by itself."""
RETRY_S = 1.0
"""Seconds between tries to write down an outcome while the state cannot be written."""


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
            self._tasks.start_soon(self._give_notice, attempt.run_id)

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

    async def tell(self, attempt: Attempt) -> None:
        """A caller gets the attempt as it is now: a failure is no news any more, and the next call tries again.

        The failures of the stages within it, which it repeats, are told with it.
        """
        if attempt.status is Status.FAILED and not attempt.told:
            await self.store.transaction(lambda db: store.mark_told(db, attempt.run_id))

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
        with anyio.move_on_after(CANCELLING_S):
            await self._end_execution(run)
        await self.store.transaction(lambda db: self._end_waiting(db, run_id))

    async def _end_execution(self, run: Run) -> None:
        here = [each for each in self._executions.values() if each.run.id == run.id]
        for execution in here:
            execution.cancel()
            await execution.ended.wait()
        if not here and self._presence.is_alive(run.holder):
            await self._ask_to_cancel(run.id, "asked")
            while await self._is_being_cancelled(run.id):  # noqa: ASYNC110 - the event is in another process
                await anyio.sleep(TICK_S)

    def _end_waiting(self, db: Connection, run_id: str) -> None:
        run = store.run_of(db, run_id)
        if run is not None and not self._presence.is_alive(run.holder):  # else somebody has called on it since
            _mark_attempts(db, run_id, Status.CANCELLED, "cancelled", None, waiting=True)

    async def _ask_to_cancel(self, run_id: str, how: str) -> None:
        await self.store.transaction(lambda db: store.change_run(db, run_id, cancel=how))

    async def _give_notice(self, run_id: str) -> None:
        """Tell the process that executes the run that a call here was cut off."""
        try:
            await self._ask_to_cancel(run_id, "unattended")
        except RepowrightError as error:  # nobody waits for it, and it must not take the server with it
            logger(__name__).warning("cannot pass a cancellation on", run_id=run_id, reason=error.message)

    def is_alive(self, run: Run) -> bool:
        """Whether some server process, this one or another, executes something on the run."""
        return self._presence.is_alive(run.holder)

    async def _is_executed(self, run_id: str) -> bool:
        run = await self.store.transaction(lambda db: store.run_of(db, run_id))
        return run is not None and self._presence.is_alive(run.holder)

    async def _is_being_cancelled(self, run_id: str) -> bool:
        """Whether the work that was asked to end goes on; a lease taken since has no such request any more."""
        run = await self.store.transaction(lambda db: store.run_of(db, run_id))
        return run is not None and run.cancel is not None and self._presence.is_alive(run.holder)

    async def _tick(self) -> None:
        """Keep the history in the store fresh, and obey cancellations that other processes asked for."""
        while True:
            await anyio.sleep(TICK_S)
            for execution in list(self._executions.values()):
                try:
                    await self._flush(execution)
                    await self._obey(execution)
                except Exception as error:  # a look that fails must not end every run of the server; the next may not
                    logger(__name__).warning("cannot look at the state", run_id=execution.run.id, reason=str(error))

    async def _obey(self, execution: Execution) -> None:
        run_id = execution.run.id

        def asked(db: Connection) -> bool:
            run = store.run_of(db, run_id)
            if run is None or run.cancel is None:
                return False
            if run.cancel == "unattended" and execution.attached > 0:
                store.change_run(db, run_id, cancel=None)  # it was not the last call; later nobody is cut off
                return False
            return True

        if await self.store.transaction(asked):
            execution.cancel()

    # --- executing --------------------------------------------------------------------------------------------------

    async def _execute(self, execution: Execution) -> None:
        failure: RepowrightError | None = None
        try:
            with execution.scope:
                async with self._room:
                    with anyio.move_on_after(self._timeout_s) as deadline:
                        failure = await self._perform_quietly(execution)
                    if deadline.cancelled_caught:
                        failure = StageTimeout(f"{execution.attempt.stage} took longer than {self._timeout_s:g} s")
        finally:
            with anyio.CancelScope(shield=True):
                await self._settle(execution, failure)

    async def _settle(self, execution: Execution, failure: RepowrightError | None) -> None:
        """Write down how it ended and give the lease back, however long the state cannot be written.

        Nothing may escape: it would take every other run, and the server, with it.
        """
        while True:
            try:
                await self._flush(execution)
                await self.store.transaction(lambda db: _end(db, execution, failure))
                break
            except Exception as error:
                logger(__name__).error("cannot write an outcome down", run_id=execution.run.id, exc_info=error)
                if self.closing:  # the next server finds the lease of a dead process, and goes on
                    break
                await anyio.sleep(RETRY_S)
        del self._executions[execution.attempt.id]
        execution.ended.set()

    async def _perform_quietly(self, execution: Execution) -> RepowrightError | None:
        """Perform the attempt. Its outcome is in the store; the error is returned in case it could not be put there."""
        try:
            await self._perform(execution, execution.attempt)
        except InputRequired:
            return None
        except RepowrightError as error:
            return error
        except Exception as failure:
            return _bug(failure, execution.run)
        return None

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
            body: dict[str, Any] = redact_values(result.model_dump(mode="json", by_alias=True))
            said = _first_line(stage.summarise(result)) or f"{stage.name} is complete."
        except InputRequired as waiting:
            first = _first_line(waiting.pending.message) or f"{stage.name} waits for an answer"
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
        changes["status_message"] = redact_values(changes["status_message"])[:MOST_STATUS_CHARS]
        with anyio.CancelScope(shield=True):  # an outcome that exists must not be lost to a late cancellation
            await self.store.transaction(lambda db: store.change_attempt(db, attempt.id, **changes))

    async def _flush(self, execution: Execution) -> None:
        rows = execution.history.drain()
        if rows:
            try:
                await self.store.transaction(lambda db: store.add_events(db, rows))
            except Exception:
                execution.history.put_back(rows)
                raise


def _end(db: Connection, execution: Execution, failure: RepowrightError | None) -> None:
    """Give the lease back. What is still open of the attempt failed or was cancelled; else it can be resumed."""
    run_id, stage = execution.run.id, execution.attempt.stage
    if failure is not None:
        error = wire_error(failure, stage)
        _mark_attempts(db, run_id, Status.FAILED, error["message"], error)
    elif execution.cancelled:
        _mark_attempts(db, run_id, Status.CANCELLED, f"{stage} was cancelled", None)
    store.change_run(db, run_id, holder=None, cancel=None)


def _mark_attempts(
    db: Connection, run_id: str, status: Status, message: str, error: dict[str, Any] | None, *, waiting: bool = False
) -> None:
    """End the attempts in progress, and with `waiting` those that wait for input."""
    for each in store.attempts_of(db, run_id):
        if each.active or (waiting and each.status is Status.INPUT_REQUIRED):
            said, now = message[:MOST_STATUS_CHARS], time.time()
            store.change_attempt(db, each.id, status=status, status_message=said, error=error, ended=now)


def _first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "")


def _bug(failure: Exception, run: Run) -> InternalError:
    logger(__name__).error("unexpected failure", run_id=run.id, exc_info=failure)
    return InternalError(f"an unexpected {type(failure).__name__} ended the stage")
