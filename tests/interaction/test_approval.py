"""Nothing leaves the machine without the operator's yes: by elicitation in both eras, or in the terminal."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp.types import ElicitResult, ErrorData, InputRequiredResult

from repowright_server.settings import Settings
from support.mcp import ERAS, Operator, call, connected, settings_for
from support.repositories import add_bare_origin, git, make_repository, write_files

pytestmark = pytest.mark.anyio


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A work tree on `main` with a branch `change`, and a bare origin."""
    folder = tmp_path / "work" / "repository"
    make_repository(folder, {"a.py": "x = 1\n"})
    add_bare_origin(folder, tmp_path / "work" / "origin.git")
    git(folder, "checkout", "-qb", "change")
    write_files(folder, {"a.py": "x = 2\n"})
    git(folder, "commit", "-qam", "x is two")
    git(folder, "checkout", "-q", "main")
    return folder


def settings(repository: Path, **changes: Any) -> Settings:
    origin = repository.parent / "origin.git"
    return settings_for(
        repository.parents[1] / "home", repository.parent, allowed_repositories=(str(origin),), **changes
    )


def pushed(repository: Path) -> list[str]:
    """Branches of the origin beside main."""
    lines = git(
        repository.parent / "origin.git", "for-each-ref", "--format=%(refname:short)", "refs/heads"
    ).splitlines()
    return [line for line in lines if line != "main"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_yes_at_the_client_pushes_the_branch_under_our_prefix(repository: Path, era: str) -> None:
    operator = Operator("accept")
    async with connected(settings(repository), era, elicitation_callback=operator) as client:
        answer = await call(client, "open_pr", source=str(repository), branch="change")

    assert (answer["status"], answer["result"]["action"]) == ("COMPLETE", "pushed")
    assert pushed(repository) == ["repowright/change"]
    assert len(operator.shown) == 1
    assert "repowright/change" in operator.shown[0]


@pytest.mark.parametrize("era", ERAS)
async def test_a_no_at_the_client_fails_and_nothing_is_pushed(repository: Path, era: str) -> None:
    async with connected(settings(repository), era, elicitation_callback=Operator("decline")) as client:
        answer = await call(client, "open_pr", source=str(repository), branch="change")

    assert answer["error"]["code"] == "approval_declined"
    assert pushed(repository) == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_dismissed_question_leaves_the_attempt_waiting(repository: Path, era: str) -> None:
    async with connected(settings(repository), era, elicitation_callback=Operator("cancel")) as client:
        answer = await call(client, "open_pr", source=str(repository), branch="change")

    assert (answer["status"], answer["input_required"]["kind"]) == ("INPUT_REQUIRED", "approval")
    assert answer["input_required"]["command"] == f"repowright approve {answer['run_id']}"
    assert pushed(repository) == []


async def test_a_client_that_fails_to_ask_leaves_the_attempt_waiting(repository: Path) -> None:
    async def fail(_context: Any, _params: Any) -> ErrorData:
        return ErrorData(code=-32603, message="no window to ask in")

    async with connected(settings(repository), "legacy", elicitation_callback=fail) as client:
        answer = await call(client, "open_pr", source=str(repository), branch="change")

    assert (answer["status"], answer["error"]) == ("INPUT_REQUIRED", None)


async def test_a_yes_that_comes_twice_and_after_a_restart_pushes_once_and_answers_alike(repository: Path) -> None:
    """O01"""
    arguments = {"source": str(repository), "branch": "change"}
    yes: dict[str, Any] = {"approval": ElicitResult(action="accept", content={})}
    async with connected(settings(repository), "2026-07-28", elicitation_callback=Operator("accept")) as client:
        asked = await client.session.call_tool("open_pr", arguments, allow_input_required=True)
    assert isinstance(asked, InputRequiredResult)
    answers: list[Any] = []
    async with connected(settings(repository), "2026-07-28", elicitation_callback=Operator("accept")) as client:
        for _ in range(2):
            said = await client.session.call_tool(
                "open_pr", arguments, input_responses=yes, request_state=asked.request_state
            )
            answers.append(said.structured_content)

    assert answers[0]["status"] == "COMPLETE"
    assert answers[1] == answers[0]
    assert pushed(repository) == ["repowright/change"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_ask_gets_the_command_and_the_terminal_says_yes(repository: Path, era: str) -> None:
    async with connected(settings(repository), era) as client:
        waiting = await call(client, "open_pr", source=str(repository), branch="change")
        still = await call(client, "open_pr", run_id=waiting["run_id"], branch="change")
        before = pushed(repository)
        said = approve(repository, waiting["run_id"])
        done = await call(client, "open_pr", run_id=waiting["run_id"], branch="change")

    assert [waiting["status"], still["status"]] == ["INPUT_REQUIRED"] * 2
    assert before == []
    assert said.returncode == 0
    assert waiting["input_required"]["digest"] in said.stdout
    assert (done["status"], pushed(repository)) == ("COMPLETE", ["repowright/change"])


async def test_a_no_in_the_terminal_fails_the_attempt(repository: Path) -> None:
    async with connected(settings(repository)) as client:
        waiting = await call(client, "open_pr", source=str(repository), branch="change")
        said = approve(repository, waiting["run_id"], "--no")
        done = await call(client, "open_pr", run_id=waiting["run_id"], branch="change")

    assert said.returncode == 1
    assert done["error"]["code"] == "approval_declined"
    assert pushed(repository) == []


async def test_an_n_on_the_standard_input_of_the_terminal_is_a_no(repository: Path) -> None:
    async with connected(settings(repository)) as client:
        waiting = await call(client, "open_pr", source=str(repository), branch="change")
        said = approve(repository, waiting["run_id"], answer="n\n")

    assert said.returncode == 1
    assert pushed(repository) == []


async def test_a_yes_is_bound_to_what_was_shown(repository: Path) -> None:
    """The branch moves after the yes: what would be pushed now was never approved."""
    async with connected(settings(repository)) as client:
        waiting = await call(client, "open_pr", source=str(repository), branch="change")
        approve(repository, waiting["run_id"])
        git(repository, "checkout", "-q", "change")
        write_files(repository, {"a.py": "x = 3\n"})
        git(repository, "commit", "-qam", "x is three")
        git(repository, "checkout", "-q", "main")
        anew = await call(client, "open_pr", run_id=waiting["run_id"], branch="change")

    assert anew["status"] == "INPUT_REQUIRED"
    assert pushed(repository) == []


async def test_the_operator_may_say_yes_in_advance(repository: Path) -> None:
    async with connected(settings(repository, approval_policy="auto")) as client:
        answer = await call(client, "open_pr", source=str(repository), branch="change")

    assert answer["status"] == "COMPLETE"


async def test_an_empty_allow_list_refuses_before_anybody_is_asked(repository: Path) -> None:
    operator = Operator("accept")
    nothing = settings_for(repository.parents[1] / "home", repository.parent)
    async with connected(nothing, elicitation_callback=operator) as client:
        answer = await call(client, "open_pr", source=str(repository), branch="change")

    assert answer["error"]["code"] == "push_not_allowed"
    assert (operator.shown, pushed(repository)) == ([], [])


async def test_a_read_only_server_shows_a_dry_run_and_refuses_the_rest(repository: Path) -> None:
    """O05"""
    async with connected(settings(repository, approval_policy="auto"), read_only=True) as client:
        shown = await call(client, "open_pr", source=str(repository), branch="change", dry_run=True)
        refused = await call(client, "open_pr", source=str(repository), branch="change")

    assert shown["result"]["action"] == "dry_run"
    assert refused["error"]["code"] == "read_only"
    assert pushed(repository) == []


async def test_a_run_pauses_at_a_breakpoint_until_the_operator_says_go_on(repository: Path) -> None:
    from interaction.test_thinking import EDITS, FILES, REQUEST, plan

    write_files(repository, FILES)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "a shop")
    async with connected(settings(repository, breakpoints=("plan_feature",))) as client:
        planned = await call(client, "plan_feature", source=str(repository), request=REQUEST, submission=plan())
        paused = await call(client, "generate_code", run_id=planned["run_id"])
        approve(repository, planned["run_id"])
        on = await call(client, "generate_code", run_id=planned["run_id"])
        done = await call(client, "generate_code", run_id=planned["run_id"], submission=EDITS)

    assert paused["input_required"]["kind"] == "breakpoint"
    assert on["input_required"]["kind"] == "brief"
    assert done["status"] == "COMPLETE"


def approve(repository: Path, run_id: str, *more: str, answer: str = "") -> "subprocess.CompletedProcess[str]":
    """The operator's terminal."""
    environment = {"PATH": os.environ["PATH"], "REPOWRIGHT_HOME": str(repository.parents[1] / "home")}
    return subprocess.run(
        [sys.executable, "-I", "-m", "repowright_server", "approve", run_id, *more],
        env=environment, input=answer, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
