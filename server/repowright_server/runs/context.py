"""The ports of one attempt, made from the run and the adapters."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection

from repowright_server.runs import store
from repowright_server.runs.journal import RunJournal, cost_of_entries, entries_of
from repowright_server.runs.ports import NestedStages, OperatorApproval, StoredResults, StoredSubmission, results_of
from repowright_server.runs.run import digest
from repowright_tools import DELIVERY
from repowright_tools.errors import PriceUnknown
from repowright_tools.events import BreakpointEvent
from repowright_tools.git.source import SourceSpec, bind
from repowright_tools.git.workspace import Identity, Workspace
from repowright_tools.index.index import Index
from repowright_tools.llm.factory import build_model
from repowright_tools.stage import BoundRepository, StageContext
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from repowright_server.app import Engine
    from repowright_server.runs.dispatch import Dispatcher
    from repowright_server.runs.execution import Execution
    from repowright_server.runs.run import Attempt


async def make_context(
    engine: "Engine",
    dispatcher: "Dispatcher",
    execution: "Execution",
    attempt: "Attempt",
    nested: Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]],
) -> StageContext:
    """Bind the run to its repository if it is not yet, stop at a breakpoint, and hand out the ports.

    Raises:
        SourceError: the repository cannot be bound.
        InputRequired: the run is paused after an earlier stage.
    """
    state, run_id, settings = dispatcher.store, execution.run.id, engine.settings
    base = settings.workspace_base_path or settings.repowright_home / "workspaces"
    await in_thread(base.mkdir, mode=0o700, parents=True, exist_ok=True)
    identity = Identity(settings.git_user_name, settings.git_user_email)
    workspace = Workspace(base / run_id, identity, settings.max_workspace_size)
    repository = await _bound(engine, dispatcher, execution, workspace)
    journal = RunJournal(state, run_id, attempt.stage, attempt.scope)
    approval = OperatorApproval(state, run_id, journal, automatic=settings.approval_policy == "auto")
    results = await state.transaction(lambda db: results_of(db, run_id))
    await _pause(engine, execution, attempt, approval, results)

    def spent() -> float:
        cost = state.transact(lambda db: cost_of_entries(entries_of(db, run_id)))
        if cost.usd is None:
            raise PriceUnknown("what the run has cost so far includes a call whose price is unknown")
        return cost.usd

    return StageContext(
        run_id=run_id,
        repository=repository,
        results=StoredResults(results),
        model=build_model(
            engine.model_policy(),
            journal=journal,
            events=execution.history,
            submissions=StoredSubmission(state, execution.attempt.id, journal),
            submit={"tool": execution.attempt.stage, "arguments": {"run_id": run_id}},
            spent=spent,
        ),
        sandbox=engine.sandbox(),
        forge=engine.forge(),
        workspace=workspace,
        index=Index(),
        journal=journal,
        approval=approval,
        events=execution.history,
        stages=NestedStages(nested),
    )


async def _bound(
    engine: "Engine", dispatcher: "Dispatcher", execution: "Execution", workspace: Workspace
) -> BoundRepository:
    if execution.run.repository is not None:
        return execution.run.repository
    spec = SourceSpec.model_validate(execution.run.source)
    repository = await bind(spec, workspace, engine.source_policy())

    def keep(db: Connection) -> None:
        store.change_run(db, execution.run.id, repository=repository.model_dump(mode="json"))

    await dispatcher.store.transaction(keep)
    execution.run = execution.run.model_copy(update={"repository": repository})
    return repository


async def _pause(
    engine: "Engine",
    execution: "Execution",
    attempt: "Attempt",
    approval: OperatorApproval,
    results: dict[str, dict[str, Any]],
) -> None:
    """Stop before a stage as long as an earlier one is a breakpoint whose result nobody has approved."""
    if attempt.stage not in DELIVERY:
        return
    for name in DELIVERY[: DELIVERY.index(attempt.stage)]:
        if name in engine.settings.breakpoints and name in results:
            execution.history.emit(BreakpointEvent(name, "HIT"))
            what = f"go on to {attempt.stage} after {name}"
            shown = engine.stages[name].summarise(engine.stages[name].result.model_validate(results[name]))
            await approval.require_digest("breakpoint", what, shown, digest([execution.run.id, name, results[name]]))
            execution.history.emit(BreakpointEvent(name, "RESUMED"))
