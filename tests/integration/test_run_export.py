"""A run that is exported can be checked, and replayed with nobody there to answer."""

import json
import shutil
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from pydantic import SecretStr

from fakes.messages_api import MessagesApi
from repowright_server.demo import __file__ as demo
from repowright_server.runs.journal import first_break
from support.delivery import KEY, REQUEST, recorded
from support.mcp import call, connected, settings_for
from support.repositories import commit_all, git

pytestmark = pytest.mark.anyio


@dataclass
class Made:
    """What a run came to."""

    run_id: str
    plan: dict[str, Any]
    diff: str


@dataclass
class Desk:
    """A repository, and a home in which runs of it are made."""

    work: Path
    home: Path

    async def run(self, **settings: Any) -> Made:
        """Plan and generate, with a model that answers by itself."""
        async with connected(settings_for(self.home, self.work, **settings)) as client:
            planned = await call(client, "plan_feature", source=str(self.work), request=REQUEST)
            return made(planned, await call(client, "generate_code", run_id=planned["run_id"]))

    async def export(self, *arguments: str) -> tuple[int, str, str]:
        """What `repowright runs export` exits with and prints, on stdout and stderr."""
        command = [sys.executable, "-I", "-m", "repowright_server", "runs", "export", *arguments]
        done = await anyio.run_process(command, env={"REPOWRIGHT_HOME": str(self.home)}, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()


def made(planned: dict[str, Any], code: dict[str, Any]) -> Made:
    assert (planned["status"], code["status"]) == ("COMPLETE", "COMPLETE"), [planned["error"], code["error"]]
    return Made(planned["run_id"], planned["result"], code["result"]["diff"])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    work = tmp_path / "tally"
    shutil.copytree(Path(demo).parent / "sample", work, ignore=shutil.ignore_patterns("__pycache__"))
    git(work, "init", "-q", "-b", "main")
    commit_all(work, "A small library that counts words")
    return Desk(work, tmp_path / "home")


def misplaced(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan with a file that is not there, which its check refuses."""
    return {**plan, "files_to_modify": [*plan["files_to_modify"], "no/such/file.py"]}


async def by_the_api(desk: Desk) -> Made:
    with MessagesApi() as api:
        api.answers["Plan"] += [misplaced(recorded("plan")), recorded("plan")]
        api.answers["Edits"].append(recorded("edits"))
        keys = (SecretStr(KEY),)
        return await desk.run(llm_provider="anthropic", anthropic_api_key=keys, anthropic_base_url=api.url)


async def by_the_host(desk: Desk) -> Made:
    async with connected(settings_for(desk.home, desk.work)) as client:
        asked = await call(client, "plan_feature", source=str(desk.work), request=REQUEST)
        run_id = asked["run_id"]
        await handed(client, "plan_feature", run_id, misplaced(recorded("plan")))
        planned = await handed(client, "plan_feature", run_id, recorded("plan"))
        await call(client, "generate_code", run_id=run_id)
        return made(planned, await handed(client, "generate_code", run_id, recorded("edits")))


async def handed(client: Client, tool: str, run_id: str, answer: dict[str, Any]) -> dict[str, Any]:
    return await call(client, tool, run_id=run_id, submission=answer)


@pytest.mark.parametrize("first", [by_the_api, by_the_host])
async def test_a_recording_replays_the_run_when_nobody_is_there_to_answer(
    desk: Desk, tmp_path: Path, first: Callable[[Desk], Awaitable[Made]]
) -> None:
    before = await first(desk)
    code, printed, complaint = await desk.export(before.run_id, "--recording")
    recording = tmp_path / "recording.json"
    recording.write_text(printed, encoding="utf-8")
    after = await desk.run(llm_provider="scripted", llm_model=str(recording))
    _, again, _ = await desk.export(after.run_id, "--recording")

    assert (code, complaint) == (0, "")
    assert [each["ask"] for each in json.loads(printed)] == ["plan", "plan", "edits"]
    assert after.run_id != before.run_id
    assert (after.plan, after.diff) == (before.plan, before.diff)
    assert again == printed


async def test_an_export_is_one_json_document_whose_journal_can_be_checked(desk: Desk) -> None:
    run = await by_the_api(desk)
    code, printed, complaint = await desk.export(run.run_id)
    document = json.loads(printed)

    assert (code, complaint) == (0, "")
    assert (document["run"]["id"], document["journal_broken_at"]) == (run.run_id, None)
    assert [each["stage"] for each in document["attempts"]] == ["plan_feature", "generate_code"]
    assert document["results"]["plan_feature"] == run.plan
    assert document["journal"] != []
    assert first_break(document["journal"]) is None
    assert document["events"] != []
    assert KEY not in printed


async def test_a_journal_that_was_edited_is_printed_and_said_to_be_broken(desk: Desk) -> None:
    run = await by_the_host(desk)
    with sqlite3.connect(desk.home / "repowright.db") as state:
        state.execute("update journal set at = at + 1 where seq = 2")
    state.close()
    for form in ([], ["--recording"]):
        code, printed, complaint = await desk.export(run.run_id, *form)

        assert code == 1
        assert json.loads(printed) != []
        assert "broken at entry 2" in complaint


async def test_a_run_that_does_not_exist_cannot_be_exported(desk: Desk) -> None:
    code, printed, complaint = await desk.export("r_" + "0" * 32)

    assert (code, printed) == (2, "")
    assert "there is no run" in complaint


async def test_the_help_says_how_a_recording_is_replayed(desk: Desk) -> None:
    code, printed, _ = await desk.export("--help")

    assert code == 0
    assert all(word in printed for word in ("RUN", "--recording", "LLM_PROVIDER=scripted", "LLM_MODEL"))
