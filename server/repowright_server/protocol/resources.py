"""What was done, as resources below repowright://runs."""

import json
from typing import TYPE_CHECKING, Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ResourceNotFoundError

from repowright_server.protocol import artifacts
from repowright_server.protocol.envelope import URI
from repowright_tools.errors import ArtifactMissing, UnknownRun

if TYPE_CHECKING:
    from repowright_server.engine import Engine
    from repowright_server.protocol.tools import RepowrightServer

_TEXTS = {
    "plan": ("application/json", "The plan of a run"),
    "diff": ("text/x-diff", "The change of a run"),
    "tests": ("application/json", "The tests of a run"),
    "log": ("text/plain", "What happened in a run"),
    "map": ("text/plain", "The repository map of a run"),
    "evidence": ("application/json", "What a run can prove: digests, approvals, journal"),
}
_NEWEST = 100


def publish_resources(server: "RepowrightServer") -> None:
    """Register the list of runs, each run, and each of its texts."""

    @server.resource(URI, name="runs", title="Runs", mime_type="application/json")
    async def runs() -> str:
        """The newest runs, newest first."""
        engine = server.engine  # a resource without parameters gets no context
        return json.dumps([] if engine is None else await engine.newest_runs(_NEWEST), indent=1)

    @server.resource(f"{URI}/{{run_id}}", name="run", title="A run", mime_type="application/json")
    async def run(run_id: str, context: Context["Engine", Any]) -> str:
        """Stages, statuses and artifacts of a run."""
        engine = _engine(context)
        try:
            state = await engine.state(run_id)
        except UnknownRun as error:
            raise ResourceNotFoundError(str(error)) from error
        stages = [{"stage": each.stage, "status": each.status, "message": each.status_message} for each in state.latest]
        names = sorted(await artifacts.all_texts(engine, run_id))
        return json.dumps({"run_id": run_id, "stages": stages, "artifacts": names}, indent=1)

    @server.resource(
        f"{URI}/{{run_id}}/results/{{stage}}", name="result", title="A result", mime_type="application/json"
    )
    async def result(run_id: str, stage: str, context: Context["Engine", Any]) -> str:
        """The whole result of one stage of a run."""
        return await _text(context, run_id, f"results/{stage}")

    for name, (mime_type, title) in _TEXTS.items():
        _publish_text(server, name, title, mime_type)


def _publish_text(server: "RepowrightServer", name: str, title: str, mime_type: str) -> None:
    @server.resource(f"{URI}/{{run_id}}/{name}", name=name, title=title, description=title, mime_type=mime_type)
    async def text(run_id: str, context: Context["Engine", Any]) -> str:
        return await _text(context, run_id, name)


async def _text(context: Context["Engine", Any], run_id: str, name: str) -> str:
    try:
        return (await artifacts.read(_engine(context), run_id, name))[1]
    except (UnknownRun, ArtifactMissing) as error:
        raise ResourceNotFoundError(str(error)) from error


def _engine(context: Context["Engine", Any]) -> "Engine":
    return context.request_context.lifespan_context
