"""Publishes the stages as tools, beside get_run and cancel_run."""

from typing import TYPE_CHECKING, Any

import anyio
from mcp import MCPError
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import INVALID_PARAMS, CallToolResult, InputRequiredResult, Tool

from repowright_server.protocol import approvals, run_tools
from repowright_server.protocol.answer import envelope_of, summary_of, tool_result
from repowright_server.protocol.arguments import make_call, split, validate
from repowright_server.protocol.attach import attached
from repowright_server.protocol.envelope import GET_RUN
from repowright_server.protocol.errors import refusal
from repowright_server.protocol.published import published_tools
from repowright_server.protocol.stdio import serve_stdio
from repowright_server.runs.run import Attempt
from repowright_tools import PIPELINE
from repowright_tools.errors import StateUnavailable
from repowright_tools.stage import AnyStage

if TYPE_CHECKING:
    from repowright_server.engine import Engine


class RepowrightServer(MCPServer["Engine"]):
    """An MCPServer whose tools are the stages: strict arguments, one envelope, work outside of the request."""

    engine: "Engine | None" = None

    async def run_stdio_async(self) -> None:
        await serve_stdio(self._lowlevel_server, self.close_soon)

    def close_soon(self) -> None:
        """The client is gone or a signal came: what is cut off from now on stays resumable."""
        if self.engine is not None:
            self.engine.close_soon()

    async def list_tools(self) -> list[Tool]:
        return published_tools()

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context["Engine", Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        if name not in PIPELINE and name not in run_tools.RUN_TOOLS:
            raise MCPError(code=INVALID_PARAMS, message=f"Unknown tool: {name}")
        if context is None:
            raise MCPError(code=INVALID_PARAMS, message="Tools are called by a client")
        engine = context.request_context.lifespan_context
        try:
            if name in run_tools.RUN_TOOLS:
                return await _call_run_tool(engine, name, arguments)
            return await _call_stage(engine, engine.stages[name], arguments, context)
        except Exception as failure:
            look = not isinstance(failure, StateUnavailable)  # which takes its time to say so
            return _refused(failure, name, await engine.known_run(arguments.get("run_id"), look=look))


def _refused(failure: Exception, tool: str, run_id: str | None) -> CallToolResult:
    envelope = refusal(failure, tool, run_id)
    advice = "" if envelope.error is None else f"\n{envelope.error.what_to_do}"
    return tool_result(envelope, envelope.status_message + advice)


async def _call_run_tool(engine: "Engine", name: str, raw: dict[str, Any]) -> CallToolResult:
    common, own = split(raw, run_tools.RUN_TOOLS[name])
    if name == GET_RUN:
        wait_s = engine.wait_s(common.wait_s)
        args = validate(run_tools.GetRunArguments, own)
        envelope = await run_tools.get_run(engine, common.run_id, wait_s, args)
    else:
        envelope = await run_tools.cancel_run(engine, common.run_id)
    return tool_result(envelope, envelope.status_message)


async def _call_stage(
    engine: "Engine", stage: AnyStage, raw: dict[str, Any], context: Context["Engine", Any]
) -> CallToolResult | InputRequiredResult:
    common, own = split(raw, stage.arguments)
    deadline = anyio.current_time() + engine.wait_s(common.wait_s)
    answered = approvals.answered(context)
    if answered is None:
        call = make_call(engine, stage, common.run_id, own)
        dispatcher = await engine.dispatcher()
    else:
        run_id, digest, decision = answered
        call = make_call(engine, stage, run_id, own)  # its arguments come again: a call that comes twice is the same
        dispatcher = await engine.dispatcher()
        await approvals.record(dispatcher.store, run_id, digest, decision)
    claim = await dispatcher.submit(call)
    try:
        dismissed = answered is not None and answered[2] == "dismissed"
        while True:
            left = deadline - anyio.current_time()
            attempt = await attached(dispatcher, claim.attempt, max(left, 0.0), context.report_progress)
            left = deadline - anyio.current_time()
            if dismissed or not approvals.can_ask(context, attempt):
                return await result_of(engine, attempt)
            if approvals.is_modern(context):
                return approvals.question(attempt)
            decision = await approvals.elicit(context, attempt, left) if left > 0 else "dismissed"
            if decision == "dismissed":
                return await result_of(engine, attempt)
            await approvals.record(dispatcher.store, attempt.run_id, (attempt.pending or {})["digest"], decision)
            claim = await dispatcher.submit(make_call(engine, stage, attempt.run_id, own))
    except StateUnavailable as failure:  # the work goes on all the same, and its run must not be lost
        return _refused(failure, stage.name, claim.run.id)


async def result_of(engine: "Engine", attempt: Attempt) -> CallToolResult:
    stage = engine.stages[attempt.stage]
    state = await engine.state(attempt.run_id)
    await (await engine.dispatcher()).tell(attempt)
    return tool_result(envelope_of(attempt, stage, state.cost(attempt.stage)), summary_of(attempt, stage))
