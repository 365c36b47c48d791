"""From a request to a pull request, over stdio, with a real engine, a forge and a Messages API on loopback."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from fakes.github import FakeGitHub
from fakes.messages_api import MessagesApi
from repowright_tools.sandbox.policy import SandboxPolicy
from support.delivery import KEY, NAME, REQUEST, Delivery, make_delivery, recorded
from support.mcp import ERAS, Operator, call
from support.repositories import git

pytestmark = [pytest.mark.anyio, pytest.mark.docker]


@pytest.fixture
def github(tmp_path: Path) -> Iterator[FakeGitHub]:
    with FakeGitHub(tmp_path) as server:
        yield server


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    with MessagesApi() as server:
        server.answers["Plan"].append(recorded("plan"))
        server.answers["Edits"].append(recorded("edits"))
        yield server


@pytest.fixture
def delivery(tmp_path: Path, github: FakeGitHub, sandbox_policy: SandboxPolicy) -> Delivery:
    return make_delivery(tmp_path, github, sandbox_policy)


def with_key(tmp_path: Path, github: FakeGitHub, api: MessagesApi, policy: SandboxPolicy) -> Delivery:
    settings = {"LLM_PROVIDER": "anthropic", "ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": api.url}
    return make_delivery(tmp_path, github, policy, **settings)


async def finished(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The answer, however many calls it takes."""
    with anyio.fail_after(100):
        answer = await call(client, tool, **arguments)
        while answer["status"] in ("QUEUED", "IN_PROGRESS"):
            answer = await call(client, tool, **{"run_id": answer["run_id"], **arguments})
    return answer


@pytest.mark.parametrize("era", ERAS)
async def test_the_assistant_at_the_client_delivers_a_feature_without_a_key(delivery: Delivery, era: str) -> None:
    operator = Operator("accept")
    async with Client(delivery.server(), mode=era, elicitation_callback=operator) as client:
        asked = await finished(client, "deliver_feature", source=str(delivery.work), request=REQUEST)
        again = await finished(client, "deliver_feature", run_id=asked["run_id"], submission=recorded("plan"))
        done = await finished(client, "deliver_feature", run_id=asked["run_id"], submission=recorded("edits"))

    submits = [each["input_required"]["brief"]["submit"]["tool"] for each in (asked, again)]
    (pull,) = delivery.github.pulls(NAME)
    assert submits == ["deliver_feature", "deliver_feature"]
    assert (done["status"], done["result"]["run_tests_sandboxed"]["verdict"]) == ("COMPLETE", "passed")
    assert done["result"]["open_pr"]["number"] == pull.number
    assert changes(delivery.github.diff(NAME, pull.number)) == changes(done["result"]["generate_code"]["diff"])
    assert len(operator.shown) == 1
    assert git(delivery.work, "status", "--porcelain") == ""


@pytest.mark.parametrize("era", ERAS)
async def test_the_servers_own_model_delivers_the_same_and_says_what_it_cost(
    tmp_path: Path, github: FakeGitHub, api: MessagesApi, sandbox_policy: SandboxPolicy, era: str
) -> None:
    delivery = with_key(tmp_path, github, api, sandbox_policy)
    async with Client(delivery.server(), mode=era, elicitation_callback=Operator("accept")) as client:
        done = await finished(client, "deliver_feature", source=str(delivery.work), request=REQUEST)
        again = await finished(client, "deliver_feature", run_id=done["run_id"], request=REQUEST)

    assert done["status"] == "COMPLETE"
    assert [asked.schema for asked in api.ledger] == ["Plan", "Edits"]
    assert (done["cost"]["calls"], done["cost"]["provider"]) == (2, "anthropic")
    assert done["cost"]["usd"] > 0
    assert again["result"] == done["result"]
    assert len(github.pulls(NAME)) == 1


async def test_every_line_on_stdout_is_a_json_rpc_message(delivery: Delivery, tmp_path: Path) -> None:
    """M01"""
    log = tmp_path / "stdout.log"
    spy = ["bash", "-c", f'"$@" | tee {log}', "spy"]
    async with Client(delivery.server(*spy), elicitation_callback=Operator("accept")) as client:
        first = await finished(client, "generate_code", source=str(delivery.work), instruction=REQUEST)
        await finished(client, "generate_code", run_id=first["run_id"], submission=recorded("edits"))
        await finished(client, "run_tests_sandboxed", run_id=first["run_id"])
        await finished(client, "open_pr", run_id=first["run_id"])
        await finished(client, "generate_cursor_rules", run_id=first["run_id"])
        await call(client, "open_pr", run_id=first["run_id"], surprise=1)

    lines = log.read_text(encoding="utf-8").splitlines()
    assert len(lines) >= 7
    assert {json.loads(line)["jsonrpc"] for line in lines} == {"2.0"}


async def test_no_key_and_no_token_shows_up_anywhere(
    tmp_path: Path, github: FakeGitHub, api: MessagesApi, sandbox_policy: SandboxPolicy
) -> None:
    """K01"""
    delivery = with_key(tmp_path, github, api, sandbox_policy)
    log = tmp_path / "spied.log"
    spy = ["bash", "-c", f'"$@" 2> {tmp_path}/stderr.log | tee {log}', "spy"]
    async with Client(delivery.server(*spy), elicitation_callback=Operator("accept")) as client:
        await finished(client, "deliver_feature", source=str(delivery.work), request=REQUEST)

    prompts = "".join(asked.text for asked in api.ledger)
    pull = github.pulls(NAME)[0]
    secrets = [KEY, github.token]
    files = [path for path in (tmp_path / "home").rglob("*") if path.is_file()] + [log, tmp_path / "stderr.log"]
    assert [secret for secret in secrets if secret in prompts + pull.title + pull.body] == []
    assert [path for path in files for secret in secrets if secret.encode() in path.read_bytes()] == []
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "home").iterdir()} == {0}


SLOW = {
    "tests/test_slow.py": "import time\n\n\ndef test_slow():\n    time.sleep(4)\n",
}


async def test_a_killed_server_takes_its_container_along_and_the_next_one_finishes_without_asking_again(
    tmp_path: Path, github: FakeGitHub, api: MessagesApi, sandbox_policy: SandboxPolicy, docker_client: Any
) -> None:
    """S17 D01"""
    edits = recorded("edits")
    edits["new_files"] = [{"path": path, "content": text} for path, text in SLOW.items()]
    api.answers["Edits"][:] = [edits]
    delivery = with_key(tmp_path, github, api, sandbox_policy)
    pid = tmp_path / "pid"
    spy = ["bash", "-c", f'echo $$ > {pid}; exec "$@"', "spy"]
    async with Client(delivery.server(*spy)) as client:
        made = await finished(client, "plan_feature", source=str(delivery.work), request=REQUEST)
        run_id = made["run_id"]
        await finished(client, "generate_code", run_id=run_id)
        started = await call(client, "run_tests_sandboxed", run_id=run_id, baseline=False, wait_s=0)
        await appears(docker_client, run_id)
        subprocess.run(["kill", f"-{signal.SIGKILL}", pid.read_text().strip()], check=True)
        await vanishes(docker_client, run_id)
    asked = len(api.ledger)
    async with Client(delivery.server()) as client:
        done = await finished(client, "run_tests_sandboxed", run_id=run_id, baseline=False)

    assert started["status"] in ("QUEUED", "IN_PROGRESS")
    assert (done["status"], done["result"]["verdict"]) == ("COMPLETE", "passed")
    assert len(api.ledger) == asked == 2


@pytest.mark.parametrize("how", ["cancel_run", "cancelled call", "end of input"])
@pytest.mark.parametrize("era", ERAS)
async def test_a_run_that_ends_early_takes_its_container_along_within_two_seconds(
    delivery: Delivery, docker_client: Any, era: str, how: str
) -> None:
    """S21 M05"""
    for path, text in SLOW.items():
        (delivery.work / path).write_text(text, encoding="utf-8")
    mode: Any = era
    async with Client(delivery.server(), mode=mode) as client:
        started = await call(client, "run_tests_sandboxed", source=str(delivery.work), baseline=False, wait_s=0)
        run_id = started["run_id"]
        async with anyio.create_task_group() as calls:
            calls.start_soon(finished_quietly, client, run_id)
            await appears(docker_client, run_id)
            if how == "cancel_run":
                ended = await call(client, "cancel_run", run_id=run_id)
                assert ended["result"]["stages"][0]["status"] == "CANCELLED"
            if how == "cancelled call":
                calls.cancel_scope.cancel()
            if how != "end of input":
                await vanishes(docker_client, run_id)
            calls.cancel_scope.cancel()
    await vanishes(docker_client, run_id)


async def finished_quietly(client: Client, run_id: str) -> None:
    """A call that is attached for as long as it takes, whatever becomes of it."""
    await client.call_tool("run_tests_sandboxed", {"run_id": run_id, "baseline": False})


async def appears(client: Any, run_id: str) -> None:
    """The run's tests have begun in a container."""
    with anyio.fail_after(60):
        while not running(client, run_id):
            await anyio.sleep(0.05)


async def vanishes(client: Any, run_id: str) -> None:
    """No container of the run is left after 2 seconds."""
    with anyio.fail_after(2):
        while running(client, run_id):
            await anyio.sleep(0.05)


def changes(diff: str) -> list[str]:
    """A diff without the lines whose form depends on git's settings."""
    return [line for line in diff.splitlines() if not line.startswith("index ")]


def running(client: Any, run_id: str) -> list[Any]:
    return list(client.containers(filters={"label": f"run_id={run_id}"}))
