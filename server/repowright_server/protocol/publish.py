"""What a client sees of each tool, made from the stages: `python -m repowright_server.protocol.publish` writes it.

The files in `published/` are what the server lists. They are generated, and checked to be fresh, because making the
schemas anew at each start would delay every first answer; in a review they show each change of a tool's surface.
"""

import json
from typing import Any

from mcp.types import Tool, ToolAnnotations
from pydantic import BaseModel

from repowright_server.protocol import run_tools
from repowright_server.protocol.arguments import Common, schema_of
from repowright_server.protocol.envelope import CANCEL_RUN, GET_RUN, output_schema
from repowright_server.protocol.published import FOLDER
from repowright_tools.pipeline import load_stages
from repowright_tools.stage import Hints

_GET_RUN_DESCRIPTION = """Show a run: its stages with status, cost and results. Never starts work.

With `artifact` and `offset`, read one of its texts (plan, diff, tests, log, map, evidence, whole results) page by page.
Waits up to `wait_s` seconds for work in progress to end.
"""
_CANCEL_RUN_DESCRIPTION = """End what is in progress or waits for input on a run, its containers included.

Finished work is kept; calling the stage again resumes it.
"""
_RUN_TOOLS: dict[str, tuple[str, str, Hints]] = {
    GET_RUN: (
        "Look at a run",
        _GET_RUN_DESCRIPTION,
        Hints(read_only=True, destructive=False, idempotent=True, open_world=False),
    ),
    CANCEL_RUN: (
        "Cancel a run",
        _CANCEL_RUN_DESCRIPTION,
        Hints(read_only=False, destructive=False, idempotent=True, open_world=False),
    ),
}


def tools() -> list[Tool]:
    """Every tool as its stage, or this module, describes it; in the order in which they are listed."""
    stages = [
        _tool(each.name, each.title, type(each).__doc__ or "", each.arguments, each.result, each.hints)
        for each in load_stages().values()
    ]
    others = [
        _tool(name, title, description, run_tools.RUN_TOOLS[name], run_tools.RunResult, hints)
        for name, (title, description, hints) in _RUN_TOOLS.items()
    ]
    return [*stages, *others]


def text_of(tool: Tool) -> str:
    """The file of a tool."""
    shown: dict[str, Any] = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps(shown, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write() -> None:
    """Write every tool's file, and remove those of tools that are no more."""
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for tool in tools():
        (FOLDER / f"{tool.name}.json").write_text(text_of(tool), encoding="utf-8")


def _tool(name: str, title: str, description: str, own: type[BaseModel], result: type[BaseModel], hints: Hints) -> Tool:
    schema = schema_of(own)
    if name in run_tools.RUN_TOOLS:
        schema = schema | {"required": ["run_id"]}
    common = schema_of(Common)["properties"]
    return Tool(
        name=name,
        title=title,
        description="\n".join(line.strip() for line in description.strip().splitlines()),
        input_schema=schema | {"properties": schema["properties"] | common, "additionalProperties": False},
        output_schema=output_schema(result),
        annotations=ToolAnnotations(
            title=title,
            read_only_hint=hints.read_only,
            destructive_hint=hints.destructive,
            idempotent_hint=hints.idempotent,
            open_world_hint=hints.open_world,
        ),
    )


if __name__ == "__main__":
    write()
