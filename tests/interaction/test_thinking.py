"""The assistant at the client thinks: briefs, submissions, feedback; in both protocol eras."""

from pathlib import Path
from typing import Any

import pytest

from support.mcp import ERAS, call, connected, settings_for
from support.repositories import git, make_repository

pytestmark = pytest.mark.anyio

FILES = {
    "shop/__init__.py": "",
    "shop/basket.py": "def total(prices: list[int]) -> int:\n    return sum(prices)\n",
    "tests/test_basket.py": "from shop.basket import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n",
}
REQUEST = "Give the basket a discount"


def plan(**changes: Any) -> dict[str, Any]:
    task = {
        "id": "T1", "title": "Discount", "description": "Add discount().", "files_to_modify": ["shop/basket.py"],
        "new_files_needed": [], "symbols": ["total"], "depends_on": [], "covers": ["R1"],
    }  # fmt: skip
    whole: dict[str, Any] = {
        "summary": "Add a discount to the basket",
        "complexity": 1,
        "requirements": [{"id": "R1", "text": "A discount in percent is taken off the total."}],
        "acceptance": [{"id": "A1", "requirement": "R1", "check": {"kind": "assertion", "value": "10 % of 10 is 1"}}],
        "tasks": [task],
        "files_to_modify": ["shop/basket.py"],
        "new_files_needed": [],
        "dependencies": [],
        "risks": [],
        "test_plan": "Unit tests.",
        "estimated_time_minutes": 5,
        "rollback": "Revert the commit.",
        "questions": [],
    }
    return whole | changes


EDITS = {
    "edits": [
        {
            "path": "shop/basket.py",
            "old": "    return sum(prices)\n",
            "new": "    return sum(prices)\n\n\ndef discounted(prices: list[int], percent: int) -> float:\n"
            "    return total(prices) * (100 - percent) / 100\n",
        }
    ]
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    make_repository(tmp_path / "repository", FILES)
    return tmp_path / "repository"


@pytest.mark.parametrize("era", ERAS)
async def test_a_plan_and_its_code_come_from_submissions_and_the_work_tree_is_untouched(
    tmp_path: Path, repository: Path, era: str
) -> None:
    async with connected(settings_for(tmp_path / "home", repository), era) as client:
        asked = await call(client, "plan_feature", source=str(repository), request=REQUEST)
        brief = asked["input_required"]["brief"]
        planned = await call(client, brief["submit"]["tool"], **brief["submit"]["arguments"], submission=plan())
        asked_for_code = await call(client, "generate_code", run_id=planned["run_id"])
        submit = asked_for_code["input_required"]["brief"]["submit"]
        made = await call(client, submit["tool"], **submit["arguments"], submission=EDITS)

    assert (asked["status"], asked["input_required"]["kind"]) == ("INPUT_REQUIRED", "brief")
    assert REQUEST in brief["context"]
    assert brief["response_schema"]["properties"]["tasks"]
    assert brief["feedback"] == []
    assert planned["result"]["plan"]["summary"] == "Add a discount to the basket"
    assert planned["cost"]["provider"] == "host"
    assert made["result"]["files"] == [
        {"path": "shop/basket.py", "change": "modified", "additions": 4, "deletions": 0, "task": "T1"}
    ]
    assert "+def discounted" in made["result"]["diff"]
    assert git(repository, "status", "--porcelain") == ""
    assert (
        git(Path(made["result"]["repository"]), "rev-parse", made["result"]["branch"]) == made["result"]["head_commit"]
    )


@pytest.mark.parametrize("era", ERAS)
async def test_the_fetch_line_brings_the_branch_into_the_users_repository(
    tmp_path: Path, repository: Path, era: str
) -> None:
    async with connected(settings_for(tmp_path / "home", repository), era) as client:
        made = await call(client, "generate_code", source=str(repository), instruction=REQUEST, submission=EDITS)

    git(repository, *made["result"]["fetch"].removeprefix(f"git -C {repository} ").split())

    assert git(repository, "rev-parse", made["result"]["branch"]) == made["result"]["head_commit"]


async def test_a_plan_that_names_a_missing_file_comes_back_with_the_nearest_and_changes_nothing(
    tmp_path: Path, repository: Path
) -> None:
    wrong = plan(files_to_modify=["shop/bascket.py"])
    wrong["tasks"] = [{**wrong["tasks"][0], "files_to_modify": ["shop/bascket.py"]}]
    async with connected(settings_for(tmp_path / "home", repository)) as client:
        back = await call(client, "plan_feature", source=str(repository), request=REQUEST, submission=wrong)
        mended = await call(client, "plan_feature", run_id=back["run_id"], submission=plan())

    feedback = "\n".join(back["input_required"]["brief"]["feedback"])
    assert back["status"] == "INPUT_REQUIRED"
    assert "shop/bascket.py" in feedback
    assert "shop/basket.py" in feedback
    assert mended["status"] == "COMPLETE"


@pytest.mark.parametrize(("old", "said"), [("return", "2"), ("no such text", "not")])
async def test_an_edit_that_is_not_unique_or_not_there_comes_back_and_the_tree_stays(
    tmp_path: Path, repository: Path, old: str, said: str
) -> None:
    """G08"""
    (repository / "shop/basket.py").write_text("def a() -> int:\n    return 1\n\n\ndef b() -> int:\n    return 2\n")
    git(repository, "commit", "-qam", "two returns")
    edits = {"edits": [{"path": "shop/basket.py", "old": old, "new": "yield"}]}
    async with connected(settings_for(tmp_path / "home", repository)) as client:
        back = await call(client, "generate_code", source=str(repository), instruction="x", submission=edits)

    feedback = "\n".join(back["input_required"]["brief"]["feedback"])
    assert back["status"] == "INPUT_REQUIRED"
    assert "shop/basket.py" in feedback
    assert said in feedback
    assert git(repository, "status", "--porcelain") == ""


async def test_answers_are_refused_with_feedback_five_times_and_the_sixth_fails(
    tmp_path: Path, repository: Path
) -> None:
    seen: list[str] = []
    async with connected(settings_for(tmp_path / "home", repository)) as client:
        answer = await call(client, "plan_feature", source=str(repository), request=REQUEST)
        for attempt in range(6):
            wrong = plan(files_to_modify=[f"missing_{attempt}.py"])
            answer = await call(client, "plan_feature", run_id=answer["run_id"], submission=wrong)
            seen.append(answer["status"])
        again = await call(client, "plan_feature", run_id=answer["run_id"], submission=plan())

    assert seen == ["INPUT_REQUIRED"] * 5 + ["FAILED"]
    assert answer["error"]["code"] == "answer_rejected"
    assert again["status"] == "COMPLETE"


async def test_handing_in_the_same_answer_twice_returns_the_same_result(tmp_path: Path, repository: Path) -> None:
    async with connected(settings_for(tmp_path / "home", repository)) as client:
        first = await call(client, "plan_feature", source=str(repository), request=REQUEST, submission=plan())
        again = await call(client, "plan_feature", run_id=first["run_id"], submission=plan())

    assert again["result"] == first["result"]


async def test_an_artifact_is_read_whole_as_a_resource_and_in_pages(tmp_path: Path, repository: Path) -> None:
    async with connected(settings_for(tmp_path / "home", repository)) as client:
        made = await call(client, "generate_code", source=str(repository), instruction="x", submission=EDITS)
        uri = f"repowright://runs/{made['run_id']}/diff"
        resource = (await client.read_resource(uri)).contents[0]
        first = await call(client, "get_run", run_id=made["run_id"], artifact=uri)
        rest = await call(client, "get_run", run_id=made["run_id"], artifact=uri, offset=10)
        missing = await call(client, "get_run", run_id=made["run_id"], artifact=uri + "x")

    assert getattr(resource, "text", None) == made["result"]["diff"]
    assert first["result"]["artifact"] == {"text": made["result"]["diff"], "next_offset": None}
    assert rest["result"]["artifact"]["text"] == made["result"]["diff"][10:]
    assert missing["error"]["code"] == "artifact_missing"
    assert uri in {each["uri"] for each in made["artifacts"]}


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_that_may_not_wait_answers_with_the_run_and_the_next_one_attaches(
    tmp_path: Path, repository: Path, era: str
) -> None:
    async with connected(settings_for(tmp_path / "home", repository), era) as client:
        at_once = await call(client, "analyse_repo", source=str(repository), wait_s=0)
        action = at_once["next_actions"][0]
        done = await call(client, action["tool"], **action["arguments"])

    assert at_once["status"] in ("QUEUED", "IN_PROGRESS")
    assert (done["run_id"], done["status"]) == (at_once["run_id"], "COMPLETE")


@pytest.mark.parametrize("era", ERAS)
async def test_the_first_progress_message_names_the_run_and_progress_only_grows(
    tmp_path: Path, repository: Path, era: str
) -> None:
    heard: list[tuple[float, str]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        del total
        heard.append((progress, message or ""))

    async with connected(settings_for(tmp_path / "home", repository), era) as client:
        result = await client.call_tool("analyse_repo", {"source": str(repository)}, progress_callback=hear)

    run_id = getattr(result, "structured_content", {})["run_id"]
    assert run_id in heard[0][1]
    assert [done for done, _ in heard] == sorted({done for done, _ in heard})
