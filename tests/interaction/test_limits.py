"""Every answer keeps its limits, whatever went in: 32,000 characters of text, 64 KiB of structured content."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.types import CallToolResult

from interaction.test_thinking import FILES, REQUEST
from support.mcp import call, connected, settings_for
from support.repositories import git, make_repository, write_files

pytestmark = pytest.mark.anyio


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    make_repository(tmp_path / "repository", FILES)
    return tmp_path / "repository"


async def both(client: Client, tool: str, **arguments: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The structured content, and the same as a host reads it that shows only text."""
    result = await client.call_tool(tool, arguments)
    assert isinstance(result, CallToolResult)
    text = "".join(part.text for part in result.content if part.type == "text")
    structured: dict[str, Any] = result.structured_content
    assert len(text) <= 32_000
    assert len(json.dumps(structured, ensure_ascii=False, separators=(",", ":")).encode()) <= 64 * 1024
    return structured, json.loads(text.split("\n\n")[-1])


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("run_tests_sandboxed", {"patch": "x" * 200_000, "wait_s": 0}),
        ("run_tests_sandboxed", {"patch": "x" * 200_000}),
        ("analyse_repo", {"z" * 100_000: 1}),
        ("get_run", {"run_id": "\u6f22" * 100_000}),
        ("plan_feature", {"request": REQUEST, "submission": {f"{n}{'k' * 90_000}": 1 for n in range(20)}}),
    ],
    ids=["patch in progress", "patch failed", "unknown argument", "unknown run", "unknown nested names"],
)
async def test_what_a_caller_sends_at_any_length_does_not_come_back_at_that_length(
    tmp_path: Path, repository: Path, tool: str, arguments: dict[str, Any]
) -> None:
    async with connected(settings_for(tmp_path / "home", repository)) as client:
        structured, text = await both(client, tool, **arguments)

    assert text == structured
    assert ("error.message" in structured["truncated"]) == ("left out" in str(structured["error"]))


async def test_the_next_action_means_the_same_work_though_long_arguments_are_left_out_of_it(
    tmp_path: Path, repository: Path
) -> None:
    nowhere = settings_for(tmp_path / "home", repository, docker_host="unix:///nonexistent.sock")
    async with connected(nowhere) as client:
        failed = await call(client, "deliver_feature", request="x" * 19_000, open_pr=False)
        action = failed["next_actions"][0]
        again = await call(client, action["tool"], **action["arguments"])

    assert action["arguments"] == {"run_id": failed["run_id"]}
    assert again["error"] == failed["error"]


@pytest.mark.parametrize("line", ["\u6f22\u5b57\n", '"\\\t\x01"\n', "plain\n"], ids=["wide", "escaped", "plain"])
async def test_pages_of_an_artifact_make_it_whole_again_in_the_text_too(
    tmp_path: Path, repository: Path, line: str
) -> None:
    new_file = {"path": "w.txt", "content": line * (60_000 // len(line))}
    async with connected(settings_for(tmp_path / "home", repository)) as client:
        made = await call(
            client, "generate_code", source=str(repository), instruction="x", submission={"new_files": [new_file]}
        )
        uri = f"repowright://runs/{made['run_id']}/diff"
        whole = getattr((await client.read_resource(uri)).contents[0], "text", "")
        pages: list[tuple[str, str]] = []
        offset = 0
        while offset is not None:
            structured, text = await both(client, "get_run", run_id=made["run_id"], artifact=uri, offset=offset)
            pages.append((structured["result"]["artifact"]["text"], text["result"]["artifact"]["text"]))
            offset = structured["result"]["artifact"]["next_offset"]

    assert ["".join(kind) for kind in zip(*pages, strict=True)] == [whole, whole]


async def test_a_brief_is_inline_whole_beside_whatever_else_the_run_has(tmp_path: Path, repository: Path) -> None:
    write_files(repository, {f"m{n}.py": "def f():\n    return 1\n" * 50 for n in range(60)})
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "more")
    async with connected(settings_for(tmp_path / "home", repository)) as client:
        first = await call(client, "analyse_repo", source=str(repository), token_budget=20_000)
        await call(client, "plan_feature", run_id=first["run_id"], request="please " * 2_000)
        again, _ = await both(client, "plan_feature", run_id=first["run_id"])
        structured, text = await both(client, "get_run", run_id=first["run_id"])
        uri = f"repowright://runs/{first['run_id']}/results/analyse_repo"
        page, page_text = await both(client, "get_run", run_id=first["run_id"], artifact=uri)

    assert again["input_required"] == structured["input_required"] == text["input_required"]
    assert page["result"]["artifact"] == page_text["result"]["artifact"]
