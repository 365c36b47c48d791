"""Bad input gets its own code and advice, and changes nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.mcp import ERAS, call, connected, settings_for
from support.repositories import git, make_repository

pytestmark = pytest.mark.anyio


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    make_repository(tmp_path / "repository", {"app.py": "def run() -> int:\n    return 1\n"})
    (tmp_path / "plain").mkdir()
    git_folder = tmp_path / "empty"
    git_folder.mkdir()
    git(git_folder, "init", "-q")
    return tmp_path / "repository"


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("analyse_repo", {"source": "repository"}, "url_not_allowed path_not_absolute"),
    ("analyse_repo", {"source": "./repository"}, "path_not_absolute"),
    ("analyse_repo", {"source": "/etc"}, "path_not_allowed"),
    ("analyse_repo", {"source": "{root}/../../../../../etc"}, "path_not_allowed"),
    ("analyse_repo", {"source": "{root}/missing"}, "path_not_found"),
    ("analyse_repo", {"source": "{root}/plain"}, "not_a_repository"),
    ("analyse_repo", {"source": "{root}/empty"}, "empty_repository"),
    ("analyse_repo", {"source": "{root}/repository", "ref": "no-such-branch"}, "unknown_ref"),
    ("analyse_repo", {"source": "{root}/repository", "ref": "--output=/tmp/x"}, "invalid_ref"),
    ("analyse_repo", {"source": "{root}/repository", "ref": "HEAD@{1}"}, "invalid_ref"),
    ("analyse_repo", {"source": "ext::sh -c id"}, "url_not_allowed"),
    ("analyse_repo", {"source": "file:///etc"}, "url_not_allowed"),
    ("analyse_repo", {"source": "-x"}, "url_not_allowed path_not_absolute"),
    ("analyse_repo", {"source": "--upload-pack=touch /tmp/x"}, "url_not_allowed path_not_absolute"),
    ("analyse_repo", {"source": "https://user:password@github.com/ada/tool"}, "url_not_allowed"),
    ("analyse_repo", {"source": "https://elsewhere.example/ada/tool"}, "host_not_allowed"),
    ("analyse_repo", {"source": "https://169.254.169.254/latest"}, "host_not_allowed"),
    ("analyse_repo", {"source": "{root}/repository", "token_budget": "many"}, "invalid_arguments"),
    ("analyse_repo", {"source": "{root}/repository", "surprise": 1}, "invalid_arguments"),
    ("analyse_repo", {"run_id": "r_00000000000000000000000000000000"}, "unknown_run"),
    ("analyse_repo", {"run_id": "nonsense"}, "unknown_run"),
    ("plan_feature", {"source": "{root}/repository"}, "invalid_arguments"),
    ("generate_code", {"source": "{root}/repository"}, "invalid_arguments"),
    ("deliver_feature", {"source": "{root}/repository"}, "invalid_arguments"),
    ("get_run", {}, "invalid_arguments"),
    ("get_run", {"run_id": "r_00000000000000000000000000000000"}, "unknown_run"),
    ("cancel_run", {"run_id": "r_00000000000000000000000000000000"}, "unknown_run"),
]


@pytest.mark.parametrize(("tool", "arguments", "codes"), CASES, ids=[f"{tool}-{args}" for tool, args, _ in CASES])
async def test_bad_input_is_refused_with_its_own_code_and_advice(
    tmp_path: Path, repository: Path, tool: str, arguments: dict[str, Any], codes: str
) -> None:
    """R01 R02 R15 G04 M02"""
    filled = {
        name: value.replace("{root}", str(tmp_path)) if isinstance(value, str) else value
        for name, value in arguments.items()
    }
    before = git(repository, "status", "--porcelain=v2", "--branch")
    async with connected(settings_for(tmp_path / "home", tmp_path)) as client:
        envelope = await call(client, tool, **filled)

    assert envelope["status"] == "FAILED"
    assert envelope["error"]["code"] in codes.split()
    assert envelope["error"]["what_to_do"]
    assert git(repository, "status", "--porcelain=v2", "--branch") == before


@pytest.mark.parametrize("era", ERAS)
async def test_a_source_is_needed_unless_there_is_a_single_root(tmp_path: Path, era: str) -> None:
    make_repository(tmp_path / "one", {"a.py": "x = 1\n"})
    make_repository(tmp_path / "two", {"b.py": "y = 1\n"})
    async with connected(settings_for(tmp_path / "home", tmp_path / "one", tmp_path / "two"), era) as client:
        refused = await call(client, "analyse_repo")
    async with connected(settings_for(tmp_path / "home", tmp_path / "two"), era) as client:
        found = await call(client, "analyse_repo")

    assert refused["error"]["code"] == "invalid_arguments"
    assert found["result"]["root"] == str((tmp_path / "two").resolve())


TOKEN = "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gJ6"
WITH_A_SECRET: list[tuple[str, dict[str, Any]]] = [
    ("generate_code", {"instruction": f"{TOKEN} is to be used"}),
    ("generate_code", {"instruction": "x", "submission": {"new_files": [{"path": "n", "content": f"KEY={TOKEN}"}]}}),
    ("plan_feature", {"request": "x", "constraints": ["fast", TOKEN]}),
    ("open_pr", {"branch": "change", "labels": [TOKEN]}),
]


@pytest.mark.parametrize(("tool", "arguments"), WITH_A_SECRET)
async def test_arguments_that_hold_a_secret_are_refused_and_nothing_of_it_is_kept(
    tmp_path: Path, repository: Path, tool: str, arguments: dict[str, Any]
) -> None:
    """K01 K04"""
    async with connected(settings_for(tmp_path / "home", tmp_path)) as client:
        refused = await call(client, tool, source=str(repository), **arguments)
        await call(client, "analyse_repo", source=str(repository))

    assert refused["error"]["code"] == "invalid_arguments"
    assert TOKEN not in str(refused)
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []


async def test_without_a_key_a_thinking_stage_says_so_and_the_others_work(tmp_path: Path, repository: Path) -> None:
    keyless = settings_for(tmp_path / "home", tmp_path, llm_provider="anthropic")
    async with connected(keyless) as client:
        refused = await call(client, "plan_feature", source=str(repository), request="anything")
        fine = await call(client, "analyse_repo", source=str(repository))

    assert refused["error"]["code"] == "no_api_key"
    assert fine["status"] == "COMPLETE"


async def test_a_refused_call_on_a_run_leaves_the_run_as_it_was(tmp_path: Path, repository: Path) -> None:
    async with connected(settings_for(tmp_path / "home", tmp_path)) as client:
        first = await call(client, "analyse_repo", source=str(repository))
        refused = await call(client, "analyse_repo", run_id=first["run_id"], surprise=1)
        again = await call(client, "get_run", run_id=first["run_id"])

    assert (refused["run_id"], refused["error"]["code"]) == (first["run_id"], "invalid_arguments")
    assert [(each["stage"], each["status"]) for each in again["result"]["stages"]] == [("analyse_repo", "COMPLETE")]


async def test_another_ref_on_a_run_is_refused_because_the_run_is_bound_to_one_commit(
    tmp_path: Path, repository: Path
) -> None:
    git(repository, "branch", "other")
    async with connected(settings_for(tmp_path / "home", tmp_path)) as client:
        first = await call(client, "analyse_repo", source=str(repository), ref="main")
        same = await call(client, "analyse_repo", run_id=first["run_id"], ref="main")
        other = await call(client, "analyse_repo", run_id=first["run_id"], ref="other")

    assert same["result"] == first["result"]
    assert other["error"]["code"] == "invalid_arguments"


@pytest.mark.parametrize("broken", ["database", "folder", "url"])
async def test_a_state_that_cannot_be_opened_is_a_named_error(tmp_path: Path, repository: Path, broken: str) -> None:
    """D02"""
    home = tmp_path / "home"
    home.mkdir()
    if broken == "database":
        (home / "repowright.db").write_bytes(b"no database" * 1_000)
    if broken == "folder":
        (home / "servers").write_text("in the way")
    url = "nonsense://x" if broken == "url" else None
    run_id = "r_" + "0" * 32
    async with connected(settings_for(home, tmp_path, database_url=url)) as client:
        new = await call(client, "analyse_repo", source=str(repository))
        known = await call(client, "get_run", run_id=run_id)

    assert [new["error"]["code"], known["error"]["code"]] == ["state_unavailable"] * 2
    assert [new["run_id"], known["run_id"]] == [None, run_id]


@pytest.mark.parametrize("line", ["{nonsense", "[]", '{"jsonrpc": "2.0", "id": 7, "method": "ping", "x": "\\ud800"}'])
def test_a_line_that_is_no_message_is_answered_with_an_error_and_the_server_lives(tmp_path: Path, line: str) -> None:
    """M02"""
    environment = {"PATH": os.environ["PATH"], "REPOWRIGHT_HOME": str(tmp_path), "LLM_PROVIDER": "host"}
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    first = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
    with subprocess.Popen(
        [sys.executable, "-I", "-m", "repowright_server", "serve"],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as server:  # fmt: skip
        assert server.stdin is not None
        assert server.stdout is not None
        answers: list[dict[str, Any]] = []
        for each in (line, first):
            server.stdin.write(f"{each}\n")
            server.stdin.flush()
            answers.append(json.loads(server.stdout.readline()))
        server.stdin.close()

    assert (answers[0]["id"], answers[0]["error"]["code"]) == (None, -32700)
    assert answers[1]["id"] == 1
