"""The ports of one attempt, made from the run and the adapters."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection

from repowright_server.runs import store
from repowright_server.runs.journal import RunJournal
from repowright_server.runs.ports import NestedStages, OperatorApproval, StoredResults, StoredSubmission, results_for
from repowright_server.runs.run import digest
from repowright_server.runs.store import Store
from repowright_server.settings import Settings
from repowright_tools import DELIVERY
from repowright_tools.events import BreakpointEvent
from repowright_tools.git.source import SourceSpec, bind
from repowright_tools.git.workspace import Workspace
from repowright_tools.stage import AnyStage, BoundRepository, StageContext
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from repowright_server.adapters import Adapters
    from repowright_server.runs.execution import Execution
    from repowright_server.runs.run import Attempt


class Contexts:
    """Makes the context of each attempt that this process executes."""

    def __init__(self, settings: Settings, adapters: "Adapters", state: Store, stages: Mapping[str, AnyStage]) -> None:
        self._settings = settings
        self._adapters = adapters
        self._store = state
        self._stages = stages

    async def __call__(
        self,
        execution: "Execution",
        attempt: "Attempt",
        nested: Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]],
    ) -> StageContext:
        """Bind the run to its repository if it is not yet, stop at a breakpoint, and hand out the ports.

        Raises:
            SourceError: the repository cannot be bound.
            InputRequired: the run is paused after an earlier stage.
        """
        run_id = execution.run.id
        workspace = await in_thread(self._adapters.workspace, run_id)
        repository = await self._bound(execution, workspace)
        journal = RunJournal(self._store, run_id, attempt.stage, attempt.scope)
        automatic = self._settings.approval_policy == "auto"
        approval = OperatorApproval(self._store, run_id, journal, automatic=automatic)
        results = await self._store.transaction(lambda db: results_for(db, attempt))
        await self._pause(execution, attempt, approval, results)
        return StageContext(
            run_id=run_id,
            repository=repository,
            results=StoredResults(results),
            model=self._adapters.models(self._store).model(
                stage=attempt.stage,
                run=run_id,
                journal=journal,
                events=execution.history,
                submissions=StoredSubmission(self._store, execution.attempt.id, journal),
                submit={"tool": execution.attempt.stage, "arguments": {"run_id": run_id}},
            ),
            sandbox=self._adapters.sandbox(),
            forge=self._adapters.forge(),
            workspace=workspace,
            index=await self._adapters.index(repository),
            journal=journal,
            approval=approval,
            events=execution.history,
            stages=NestedStages(nested),
        )

    async def _bound(self, execution: "Execution", workspace: Workspace) -> BoundRepository:
        if execution.run.repository is not None:
            return execution.run.repository
        spec = SourceSpec.model_validate(execution.run.source)
        repository = await bind(spec, workspace, self._adapters.source_policy())

        def keep(db: Connection) -> None:
            store.change_run(db, execution.run.id, repository=repository.model_dump(mode="json"))

        await self._store.transaction(keep)
        execution.run = execution.run.model_copy(update={"repository": repository})
        return repository

    async def _pause(
        self,
        execution: "Execution",
        attempt: "Attempt",
        approval: OperatorApproval,
        results: dict[str, dict[str, Any]],
    ) -> None:
        """Stop before a stage as long as an earlier one is a breakpoint whose result nobody has approved."""
        if attempt.stage not in DELIVERY:
            return
        for name in DELIVERY[: DELIVERY.index(attempt.stage)]:
            if name in self._settings.breakpoints and name in results:
                execution.history.emit(BreakpointEvent(name, "HIT"))
                stage = self._stages[name]
                shown = stage.summarise(stage.result.model_validate(results[name]))
                what, of_what = f"go on to {attempt.stage} after {name}", [execution.run.id, name, results[name]]
                await approval.require_digest("breakpoint", what, shown, digest(of_what))
                execution.history.emit(BreakpointEvent(name, "RESUMED"))
