"""What a call means for its run: start an attempt, attach to one, or return a result again. One transaction.

    same key      in progress                         -> attach
                  COMPLETE                            -> its result again
                  FAILED, and no caller knows it yet  -> the failure, once: no outcome is lost between two polls
                  FAILED, CANCELLED                   -> a new attempt that resumes from the journal
                  INPUT_REQUIRED                      -> as it is, or on with it when there is an answer
                  in progress, but its process died   -> the same attempt goes on here
    another key   in progress                         -> stage_busy
                  else                                -> a new attempt; results of later stages are dropped

A call that gives no arguments of its own, or an answer to a waiting attempt, means the stage's latest attempt.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from repowright_server.runs import store
from repowright_server.runs.call import StageCall
from repowright_server.runs.run import Attempt, Run, Status, digest, new_run_id
from repowright_tools.errors import AnswerRejected, InvalidArguments, StageBusy, UnknownRun
from repowright_tools.stage import AnyStage


@dataclass(frozen=True)
class Claim:
    """The attempt that the call is about, and whether this process has to execute it."""

    run: Run
    attempt: Attempt
    execute: bool


class Claims:
    """Takes claims for one server process."""

    def __init__(self, holder: str, is_alive: Callable[[str | None], bool], order: Sequence[str]) -> None:
        self._holder = holder
        self._is_alive = is_alive
        self._order = order

    def take(self, db: Connection, call: StageCall) -> Claim:
        """Decide, and take the run's lease when there is something to execute.

        Raises:
            UnknownRun, StageBusy, InvalidArguments: as their names say; nothing has changed then.
        """
        joined = self._join(db, call)
        if joined is not None:
            return joined
        run = self._run(db, call)
        key = self.key(db, run.id, call.stage, call.arguments)
        latest = self._meant(db, run.id, call, key)
        active = next((each for each in store.attempts_of(db, run.id) if each.parent is None and each.active), None)
        if active is not None and self._is_alive(run.holder):
            if latest is not None and latest.id == active.id and call.known_to(latest):
                return Claim(run, active, execute=False)
            raise StageBusy(f"{active.stage} is in progress on run {run.id}")
        if active is not None and (latest is None or latest.id != active.id):
            self._give_up(db, active)
            latest = self._meant(db, run.id, call, key)
        return self._decide(db, run, call, key, latest)

    def _decide(self, db: Connection, run: Run, call: StageCall, key: str, latest: Attempt | None) -> Claim:
        if latest is None:
            return self._start(db, run, call, key)
        if latest.status is Status.COMPLETE:
            return Claim(run, latest, execute=False) if call.known_to(latest) else self._restart(db, run, call, latest)
        if latest.status is Status.FAILED and not latest.told and call.known_to(latest):
            return Claim(run, latest, execute=False)
        if latest.status in (Status.FAILED, Status.CANCELLED):
            return self._restart(db, run, call, latest)
        if latest.status is Status.INPUT_REQUIRED and call.known_to(latest) and not self._approved(db, latest):
            return Claim(run, latest, execute=False)
        return self._go_on(db, run, call, latest)

    def nested(self, db: Connection, parent: Attempt, stage: AnyStage, arguments: dict[str, Any]) -> Attempt:
        """The attempt of `stage` that is part of `parent`: the latest if it is the same work, else a new one."""
        key = self.key(db, parent.run_id, stage, arguments)
        if parent.scope != parent.key:
            key = digest([key, parent.scope])  # another answer was handed in at the start: other work
        latest = self.latest(db, parent.run_id, stage.name)
        if latest is None or latest.key != key:
            return self._add(db, parent.run_id, stage.name, key, arguments, parent=parent.id)
        if latest.status is Status.COMPLETE:
            return latest
        if latest.status in (Status.FAILED, Status.CANCELLED):
            return self._add(db, parent.run_id, stage.name, key, arguments, parent=parent.id, scope=latest.scope)
        store.change_attempt(db, latest.id, status=Status.IN_PROGRESS, pending=None, parent=parent.id)
        return store.attempt_of(db, latest.id)

    def latest(self, db: Connection, run_id: str, stage: str) -> Attempt | None:
        found = [each for each in store.attempts_of(db, run_id) if each.stage == stage and each.dropped_by is None]
        return found[-1] if found else None

    def key(self, db: Connection, run_id: str, stage: AnyStage, arguments: Mapping[str, Any]) -> str:
        """Digest of the run, the stage, its arguments and the results it builds on."""
        earlier = [self.latest(db, run_id, name) for name in stage.builds_on]
        results = [None if each is None or each.status is not Status.COMPLETE else each.result for each in earlier]
        own = {name: value for name, value in arguments.items() if name not in ("source", "ref", "submission")}
        return digest([run_id, stage.name, own, results])

    def _join(self, db: Connection, call: StageCall) -> Claim | None:
        """An identical call without a run that is in flight already."""
        if call.run_id is not None:
            return None
        for attempt in store.active_calls(db, self._digest(call)):
            run = store.run_of(db, attempt.run_id)
            if run is not None and run.principal == call.principal and self._is_alive(run.holder):
                return Claim(run, attempt, execute=False)
        return None

    def _digest(self, call: StageCall) -> str:
        return digest([call.stage.name, call.arguments, call.answers, call.source, call.principal])

    def _run(self, db: Connection, call: StageCall) -> Run:
        if call.run_id is None:
            run = Run(id=new_run_id(), principal=call.principal, source=dict(call.source or {}), created=time.time())
            store.add_run(db, run)
            return run
        known = store.run_of(db, call.run_id)
        if known is None or known.principal != call.principal:
            raise UnknownRun(f"there is no run {call.run_id}")
        if call.source is not None and call.source["location"] != known.source["location"]:
            raise InvalidArguments(f"run {known.id} is bound to {known.source.get('source')}; leave `source` out")
        ref = call.arguments.get("ref")
        if ref is not None and ref != known.source.get("ref"):
            raise InvalidArguments(f"run {known.id} is bound to one commit; leave `ref` out, or start a new run")
        return known

    def _meant(self, db: Connection, run_id: str, call: StageCall, key: str) -> Attempt | None:
        """The stage's latest attempt, if the call is about it."""
        latest = self.latest(db, run_id, call.stage.name)
        if latest is None or latest.key == key or not call.bare:
            return latest if latest is not None and latest.key == key else None
        return latest if latest.status is not Status.COMPLETE or call.incomplete else None

    def _approved(self, db: Connection, attempt: Attempt) -> bool:
        """Whether the operator has answered what the attempt waits for."""
        waits_for = (attempt.pending or {}).get("digest")
        return waits_for is not None and store.approval_of(db, attempt.run_id, waits_for) is not None

    def _start(self, db: Connection, run: Run, call: StageCall, key: str) -> Claim:
        call.stage.require(call.stage.arguments.model_validate(call.arguments), starts_run=call.run_id is None)
        attempt = self._add(
            db, run.id, call.stage.name, key, call.arguments, status=Status.QUEUED,
            scope=digest([key, call.answers]) if call.answers else key,
            call=self._digest(call) if call.run_id is None else "",
            submissions=call.answers, submission=list(call.submission),
        )  # fmt: skip
        return self._lease(db, run, attempt)

    def _restart(self, db: Connection, run: Run, call: StageCall, before: Attempt) -> Claim:
        """A new attempt of the same work. It resumes from the journal, unless another answer makes it other work."""
        known = call.known_to(before)
        refused = (before.error or {}).get("code") == AnswerRejected.code  # its answers are void: a new one goes on
        attempt = self._add(
            db, run.id, before.stage, before.key, before.arguments, status=Status.QUEUED,
            scope=before.scope if known or refused else digest([before.key, call.answers]),
            submissions=before.submissions if known else [*before.submissions * refused, *call.answers],
            submission=before.submission if known else list(call.submission),
        )  # fmt: skip
        return self._lease(db, run, attempt)

    def _go_on(self, db: Connection, run: Run, call: StageCall, latest: Attempt) -> Claim:
        changes: dict[str, Any] = {"status": Status.QUEUED, "pending": None, "ended": None, "parent": None}
        changes["status_message"] = f"{latest.stage} goes on"
        if not call.known_to(latest):
            if latest.pending is not None and latest.pending["kind"] != "brief":
                raise InvalidArguments(
                    f"{latest.stage} waits for the operator's {latest.pending['kind']}, no submission"
                )
            changes["submissions"] = [*latest.submissions, *call.answers]
            changes["submission"] = list(call.submission)
        store.change_attempt(db, latest.id, **changes)
        return self._lease(db, run, store.attempt_of(db, latest.id))

    def _add(
        self, db: Connection, run_id: str, stage: str, key: str, arguments: dict[str, Any], **more: Any
    ) -> Attempt:
        values = {
            "scope": key,
            "call": "",
            "status": Status.IN_PROGRESS,
            "status_message": f"{stage} is about to start",
        }
        attempt = store.add_attempt(db, run_id=run_id, stage=stage, key=key, arguments=arguments, **(values | more))
        self._drop_later(db, attempt)
        return attempt

    def _lease(self, db: Connection, run: Run, attempt: Attempt) -> Claim:
        store.change_run(db, run.id, holder=self._holder, cancel=None)
        return Claim(run.model_copy(update={"holder": self._holder, "cancel": None}), attempt, execute=True)

    def _give_up(self, db: Connection, interrupted: Attempt) -> None:
        """Another stage is called on a run whose executing process died: the dead work stays resumable by its key."""
        for each in store.attempts_of(db, interrupted.run_id):
            if each.active:
                message = f"{each.stage} was interrupted, and another stage was called since"
                store.change_attempt(db, each.id, status=Status.CANCELLED, ended=time.time(), status_message=message)

    def _drop_later(self, db: Connection, attempt: Attempt) -> None:
        if attempt.stage not in self._order:
            return
        later = self._order[self._order.index(attempt.stage) + 1 :]
        for each in store.attempts_of(db, attempt.run_id):
            if each.stage in later and each.dropped_by is None and not each.active:
                store.change_attempt(db, each.id, dropped_by=attempt.scope)
