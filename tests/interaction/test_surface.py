"""What a client sees before it calls anything: tools, resources, prompts."""

from pathlib import Path

import pytest
from mcp import MCPError
from mcp.types import Tool

from repowright_server.protocol.publish import text_of, tools
from repowright_server.protocol.published import FOLDER
from support.mcp import ERAS, connected, settings_for

pytestmark = pytest.mark.anyio

TOOLS = [
    "analyse_repo",
    "plan_feature",
    "generate_code",
    "run_tests_sandboxed",
    "open_pr",
    "generate_cursor_rules",
    "deliver_feature",
    "get_run",
    "cancel_run",
]


@pytest.mark.parametrize("era", ERAS)
async def test_nine_tools_are_listed_in_order_with_title_schemas_and_all_annotations(tmp_path: Path, era: str) -> None:
    async with connected(settings_for(tmp_path), era) as client:
        listed = (await client.list_tools()).tools

    assert [tool.name for tool in listed] == TOOLS
    for tool in listed:
        assert tool.title
        assert tool.description
        assert tool.output_schema is not None
        assert tool.input_schema["additionalProperties"] is False
        assert {"run_id", "wait_s"} <= set(tool.input_schema["properties"])
        assert tool.annotations is not None
        hints = tool.annotations.model_dump()
        assert all(
            isinstance(hints[name], bool)
            for name in ("read_only_hint", "destructive_hint", "idempotent_hint", "open_world_hint")
        )


@pytest.mark.parametrize("tool", tools(), ids=lambda tool: tool.name)
def test_what_is_published_of_a_tool_is_what_its_stage_says(tool: Tool) -> None:
    """The generated file is the snapshot: `make generate` writes it anew, and the review sees what changed."""
    assert (FOLDER / f"{tool.name}.json").read_text(encoding="utf-8") == text_of(tool)


async def test_the_surface_is_the_same_for_every_client(tmp_path: Path) -> None:
    seen: list[object] = []
    for era in ERAS:
        async with connected(settings_for(tmp_path / era), era) as client:
            seen.append([tool.model_dump(exclude={"meta"}) for tool in (await client.list_tools()).tools])

    assert seen[0] == seen[1]


@pytest.mark.parametrize("era", ERAS)
async def test_an_unknown_tool_is_a_protocol_error(tmp_path: Path, era: str) -> None:
    """M02"""
    async with connected(settings_for(tmp_path), era) as client:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("no_such_tool", {})

    assert refused.value.error.code == -32602


@pytest.mark.parametrize("era", ERAS)
async def test_prompts_and_resources_are_offered(tmp_path: Path, era: str) -> None:
    async with connected(settings_for(tmp_path), era) as client:
        prompts = {prompt.name for prompt in (await client.list_prompts()).prompts}
        resources = {str(resource.uri) for resource in (await client.list_resources()).resources}
        templates = {each.uri_template for each in (await client.list_resource_templates()).resource_templates}
        prompt = await client.get_prompt("deliver_feature", {"source": "/x", "request": "do it"})

    assert prompts == {"deliver_feature", "onboard", "fix_failing_tests"}
    assert "repowright://runs" in resources
    below = "repowright://runs/{run_id}"
    assert {below, *(f"{below}/{name}" for name in ("plan", "diff", "tests", "log", "map", "evidence"))} <= templates
    assert "do it" in str(prompt.messages)


async def test_the_texts_of_a_run_that_does_not_exist_are_not_found(tmp_path: Path) -> None:
    async with connected(settings_for(tmp_path)) as client:
        with pytest.raises(MCPError) as refused:
            await client.read_resource("repowright://runs/r_" + "0" * 32 + "/log")

    assert refused.value.error.code == -32602
