"""get_run and cancel_run: what a run is about, without ever starting work."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import anyio
from pydantic import BaseModel, ConfigDict, Field

from repowright_server.protocol import answer, artifacts
from repowright_server.protocol.envelope import CANCEL_RUN, GET_RUN, Envelope, WireAction, WireCost, WireError
from repowright_server.runs.run import Attempt, Status
from repowright_tools.errors import InvalidArguments
from repowright_tools.models import Strict

if TYPE_CHECKING:
    from repowright_server.engine import Engine
    from repowright_server.runs.state import RunState


class GetRunArguments(Strict):
    artifact: str | None = Field(default=None, description="URI of an artifact of the run, to read it page by page.")
    offset: int = Field(default=0, ge=0, description="Character of the artifact at which the page begins.")


class CancelRunArguments(Strict):
    pass


class StageState(BaseModel):
    """One stage of a run. Times are RFC 3339."""

    model_config = ConfigDict(extra="forbid")

    stage: str
    status: Status
    started: str | None
    ended: str | None
    cost: WireCost


class Page(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    next_offset: int | None


class RunResult(BaseModel):
    """The run as it is now: its stages in the order they were called, and the results of those that are complete."""

    model_config = ConfigDict(extra="forbid")

    stages: list[StageState]
    results: dict[str, dict[str, Any]]
    artifact: Page | None = None


RUN_TOOLS: dict[str, type[BaseModel]] = {GET_RUN: GetRunArguments, CANCEL_RUN: CancelRunArguments}


async def get_run(engine: "Engine", run_id: str | None, wait_s: float, args: GetRunArguments) -> Envelope:
    """The run's state; waits up to `wait_s` seconds for work in progress to end, unless an artifact is asked for."""
    if run_id is None:
        raise InvalidArguments("run_id: give the run that a tool returned")
    state = await engine.state(run_id)
    if args.artifact is not None:
        text, next_offset = await artifacts.page(engine, run_id, args.artifact, args.offset)
        envelope = await _envelope(engine, GET_RUN, run_id)
        result = RunResult(stages=[], results={}, artifact=Page(text=text, next_offset=next_offset))
        alone = {"input_required": None, "error": None}  # the page needs their room
        return envelope.model_copy(update={"result": result.model_dump(mode="json"), **alone})
    active = next((each for each in state.attempts if each.active), None)
    if active is not None:
        with anyio.move_on_after(wait_s):
            await (await engine.dispatcher()).ended(active)
    return await _envelope(engine, GET_RUN, run_id)


async def cancel_run(engine: "Engine", run_id: str | None) -> Envelope:
    """End what is in progress or waits for input, and answer when it has ended."""
    if run_id is None:
        raise InvalidArguments("run_id: give the run that is to be cancelled")
    await (await engine.dispatcher()).cancel(run_id, engine.principal)
    return await _envelope(engine, CANCEL_RUN, run_id)


async def _envelope(engine: "Engine", tool: str, run_id: str) -> Envelope:
    """The call itself is complete; the run's own status is in the message and in `result.stages`."""
    state = await engine.state(run_id)
    last = state.attempts[-1] if state.attempts else None
    dispatcher = await engine.dispatcher()
    actions: list[WireAction] = []
    if last is not None:
        await dispatcher.tell(last)
        if last.active and not dispatcher.is_alive(state.run):
            why = "its server is gone: this goes on where it stopped, and repeats nothing that was finished"
            actions.append(WireAction(tool=last.stage, arguments={"run_id": run_id}, why=why))
    stages = [_stage_state(state, each) for each in state.latest]
    result = RunResult(stages=stages, results=state.results)
    message = "nothing was called on the run yet"
    if last is not None:
        said = "interrupted, its server is gone" if actions else last.status_message
        message = f"{last.stage} is {last.status}: {said}"
    return Envelope(
        run_id=run_id,
        stage=tool,
        status=Status.COMPLETE,
        status_message=f"run {run_id}: {message}",
        result=result.model_dump(mode="json"),
        input_required=None if last is None else answer.input_of(last),
        error=None if last is None or last.error is None else WireError.model_validate(last.error),
        cost=WireCost(**asdict(state.cost(None))),
        next_actions=actions,
        artifacts=answer.links(run_id, await artifacts.all_texts(engine, run_id)),
    )


def _stage_state(state: "RunState", attempt: Attempt) -> StageState:
    return StageState(
        stage=attempt.stage,
        status=attempt.status,
        started=artifacts.time_of(attempt.started),
        ended=None if attempt.ended is None else artifacts.time_of(attempt.ended),
        cost=WireCost(**asdict(state.cost(attempt.stage))),
    )
