"""The ports of a stage that are kept in the store: earlier results, the operator's yes, answers, nested stages."""

from collections.abc import Awaitable, Callable, Iterable
from hashlib import sha256
from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy.engine import Connection

from repowright_server.runs import store
from repowright_server.runs.journal import RunJournal
from repowright_server.runs.run import Attempt, Status
from repowright_server.runs.store import Store
from repowright_tools.errors import ApprovalDeclined
from repowright_tools.models import StageArguments
from repowright_tools.stage import InputRequired, Json, Pending

T = TypeVar("T", bound=BaseModel)


class StoredResults:
    """Complete results of the run's stages, as they were when the attempt began."""

    def __init__(self, results: dict[str, dict[str, Any]]) -> None:
        self._results = results

    def get(self, stage: str, shape: type[T]) -> T | None:
        found = self._results.get(stage)
        return None if found is None else shape.model_validate(found, strict=False)


def results_of(db: Connection, run_id: str) -> dict[str, dict[str, Any]]:
    """The latest complete result of each stage that still stands."""
    latest = {each.stage: each for each in store.attempts_of(db, run_id) if each.dropped_by is None}
    return _complete(latest.values())


def results_for(db: Connection, attempt: Attempt) -> dict[str, dict[str, Any]]:
    """The results that an attempt may use: those that stand, and what it replaces, which a second try learns from."""
    before = [each for each in store.attempts_of(db, attempt.run_id) if each.id < attempt.id]
    replaced = [each for each in before if each.stage == attempt.stage or each.dropped_by == attempt.scope]
    return _complete(replaced) | results_of(db, attempt.run_id)


def _complete(attempts: Iterable[Attempt]) -> dict[str, dict[str, Any]]:
    done = {each.stage: each.result for each in attempts if each.status is Status.COMPLETE}
    return {name: result for name, result in done.items() if result is not None}


class OperatorApproval:
    """The yes of the person who runs the server, by elicitation or in the terminal; kept in the store by digest."""

    def __init__(self, state: Store, run_id: str, journal: RunJournal, *, automatic: bool) -> None:
        self._store = state
        self._run_id = run_id
        self._journal = journal
        self._automatic = automatic

    async def require(self, *, what: str, shown: str) -> None:
        await self.require_digest("approval", what, shown, sha256(shown.encode()).hexdigest())

    async def require_digest(self, kind: str, what: str, shown: str, digest: str) -> None:
        """Return if what has this digest is approved; see the Approval port for what is raised."""
        answer = True if self._automatic else await self._answer(digest)
        if answer is None:
            raise InputRequired(
                Pending.model_validate({"kind": kind, "message": f"{what}\n\n{shown}", "digest": digest})
            )
        await self._journal.note_approval({"what": what, "digest": digest, "granted": answer})
        if not answer:
            await self._store.transaction(lambda db: store.withdraw_approval(db, self._run_id, digest))
            raise ApprovalDeclined(f"the operator declined: {what}")

    async def _answer(self, digest: str) -> bool | None:
        return await self._store.transaction(lambda db: store.approval_of(db, self._run_id, digest))


class StoredSubmission:
    """The answer that came with the call, handed out once.

    It leaves the store together with the journal's entry of what became of it: a process that dies in between would
    otherwise lose an answer that its author takes for delivered.
    """

    def __init__(self, state: Store, attempt_id: int, journal: RunJournal) -> None:
        self._store = state
        self._attempt_id = attempt_id
        self._journal = journal
        self._taken = False

    async def take(self) -> Json | None:
        waiting = (await self._store.transaction(lambda db: store.attempt_of(db, self._attempt_id))).submission
        if self._taken or not waiting:
            return None
        self._taken = True
        self._journal.with_next_result(lambda db: store.change_attempt(db, self._attempt_id, submission=[]))
        return waiting[0]


class NestedStages:
    """Runs a stage of the run as part of deliver_feature."""

    def __init__(self, perform: Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]) -> None:
        self._perform = perform

    async def run(self, stage: str, arguments: StageArguments) -> dict[str, Any]:
        return await self._perform(stage, arguments.model_dump(mode="json", by_alias=True, exclude={"submission"}))
