"""Small stages that do what a test tells them, behind a real dispatcher and a real store."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from repowright_server.runs.call import StageCall
from repowright_server.runs.dispatch import Dispatcher
from repowright_server.runs.execution import Execution
from repowright_server.runs.journal import RunJournal
from repowright_server.runs.ports import NestedStages, OperatorApproval, StoredResults, StoredSubmission, results_for
from repowright_server.runs.recovery import Presence
from repowright_server.runs.run import Attempt
from repowright_server.runs.store import Store
from repowright_tools.errors import InvalidArguments
from repowright_tools.models import Result, StageArguments
from repowright_tools.stage import AnyStage, Hints, InputRequired, Pending, Stage, StageContext
from support.ports import OutOfReach, bound

Act = Callable[[StageContext], Awaitable[str]]


class ToyArguments(StageArguments):
    word: str | None = None
    submission: dict[str, Any] | None = None


class ToyResult(Result):
    said: str


class Toy(Stage[ToyArguments, ToyResult]):
    """A stage whose work is a function of the test."""

    title = "Toy"
    arguments = ToyArguments
    result = ToyResult
    hints = Hints(read_only=True, destructive=False, idempotent=True, open_world=False)

    def __init__(self, name: str, act: Act, *, builds_on: tuple[str, ...] = (), needs_word: bool = False) -> None:
        self.name = name  # type: ignore[misc]  # one class stands for many stages here
        self.builds_on = builds_on  # type: ignore[misc]  # as above
        self._act = act
        self._needs_word = needs_word

    def require(self, args: ToyArguments, *, starts_run: bool) -> None:
        if self._needs_word and args.word is None:
            raise InvalidArguments("word: is needed")

    async def run(self, ctx: StageContext, args: ToyArguments) -> ToyResult:
        return ToyResult(said=f"{await self._act(ctx)}{args.word or ''}")


@dataclass
class Bench:
    """A dispatcher over toy stages; `call` makes calls as the protocol does."""

    dispatcher: Dispatcher
    store: Store
    stages: dict[str, AnyStage]

    def call(
        self, stage: str, run_id: str | None = None, submission: dict[str, Any] | None = None, **own: Any
    ) -> StageCall:
        arguments = ToyArguments.model_validate(own).model_dump(exclude={"submission"})
        given: frozenset[str] = frozenset(own if submission is None else [*own, "submission"])
        return StageCall(
            stage=self.stages[stage],
            arguments=arguments,
            given=given,
            submission=[] if submission is None else [submission],
            run_id=run_id,
            source={"source": "here", "location": "/here"} if run_id is None else None,
        )

    async def finished(
        self, stage: str, run_id: str | None = None, submission: dict[str, Any] | None = None, **own: Any
    ) -> Attempt:
        """Call and wait for the end."""
        with anyio.fail_after(20):
            claim = await self.dispatcher.submit(self.call(stage, run_id, submission, **own))
            attempt = await self.dispatcher.ended(claim.attempt)
            await self.dispatcher.tell(attempt)
            return attempt


@asynccontextmanager
async def bench(home: Path, *stages: AnyStage, most: int = 4, timeout_s: float = 60) -> AsyncGenerator[Bench]:
    """A server's worth of runs on the state in `home`."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = Store(None, home)
    by_name = {stage.name: stage for stage in stages}

    async def context(
        execution: Execution, attempt: Attempt, nested: Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
    ) -> StageContext:
        results = await state.transaction(lambda db: results_for(db, attempt))
        journal = RunJournal(state, execution.run.id, attempt.stage, attempt.scope)
        out: Any = OutOfReach("port")
        return StageContext(
            run_id=execution.run.id,
            repository=bound(home, "0" * 40),
            results=StoredResults(results),
            model=Submitted(StoredSubmission(state, execution.attempt.id, journal)),  # type: ignore[arg-type]  # toys take raw answers
            sandbox=out,
            forge=out,
            workspace=out,
            index=out,
            journal=journal,
            approval=OperatorApproval(state, execution.run.id, journal, automatic=False),
            events=execution.history,
            stages=NestedStages(nested),
        )

    async with anyio.create_task_group() as tasks:
        dispatcher = Dispatcher(
            state, Presence(home), by_name, context, tasks,
            order=tuple(by_name), most=most, timeout_s=timeout_s,
        )  # fmt: skip
        try:
            yield Bench(dispatcher, state, by_name)
        finally:
            with anyio.CancelScope(shield=True):
                await dispatcher.close()
            tasks.cancel_scope.cancel()


@dataclass
class Submitted:
    """The raw submission in the place of a model."""

    submission: StoredSubmission

    async def word(self, journal: Any, name: str) -> str:
        """The word of the next answer; suspends until there is one."""

        async def effect() -> dict[str, Any]:
            answer = await self.submission.take()
            if answer is None:
                raise InputRequired(Pending(kind="brief", message=f"{name} is needed"))
            return dict(answer)

        return str((await journal.step(f"ask:{name}", {"ask": name}, effect))["word"])


@dataclass
class Gate:
    """Lets a test see that work has begun, and decide when it ends."""

    entered: anyio.Event = field(default_factory=anyio.Event)
    open: anyio.Event = field(default_factory=anyio.Event)
    passed: int = 0

    async def __call__(self, _ctx: StageContext) -> str:
        self.entered.set()
        await self.open.wait()
        self.passed += 1
        return "done"
