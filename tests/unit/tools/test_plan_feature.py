"""plan_feature: what a plan may say, and what the planner gets to know."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fakes.messages_asks import Thinker
from fakes.messages_plans import FILES, plan, plan_json, task
from repowright_tools.errors import InvalidArguments
from repowright_tools.index.index import Index, RepositoryIndex
from repowright_tools.llm.policy import ModelPolicy
from repowright_tools.models import Plan, PlanResult, TestReport
from repowright_tools.plan_feature.grounding import file_findings, ungrounded_symbols
from repowright_tools.plan_feature.models import PlanFeatureArguments
from repowright_tools.plan_feature.stage import PlanFeature, plan_digest
from repowright_tools.plan_feature.structure import structure_findings
from repowright_tools.stage import Brief, InputRequired, StageContext
from support.ports import bound, stage_context
from support.repositories import make_repository

HOST = ModelPolicy("host")
ARGUMENTS = PlanFeatureArguments(request="Give baskets a discount")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    make_repository(tmp_path / "shop", FILES)
    return tmp_path / "shop"


@pytest.fixture
async def index(shop: Path) -> RepositoryIndex:
    return await Index().open(shop)


def context(shop: Path, *handed: Any, **results: Any) -> StageContext:
    thinker = Thinker(HOST, *handed)
    ports = {"model": thinker.model, "events": thinker.events, "index": Index()}
    return stage_context(bound(shop, "0" * 40), results=results, **ports)


async def brief_of(ctx: StageContext, args: PlanFeatureArguments = ARGUMENTS) -> Brief:
    with pytest.raises(InputRequired) as raised:
        await PlanFeature().run(ctx, args)
    assert raised.value.pending.brief is not None
    return raised.value.pending.brief


# --- a plan by itself ---------------------------------------------------------------------------------------------


def test_a_sound_plan_has_no_findings() -> None:
    assert structure_findings(plan()) == []


@pytest.mark.parametrize(
    ("tasks", "changes", "finding"),
    [
        ((task("T1"), task("T1")), {}, "tasks: the id T1 is used 2 times."),
        ((task(depends_on=["T9"]),), {}, "T1.depends_on: there is no task T9."),
        ((task(covers=["R9"]),), {}, "T1.covers: there is no requirement R9."),
        ((task(depends_on=["T1"]),), {}, "tasks: T1 -> T1 depend on each other in a circle."),
        ((task(" "),), {}, "tasks: an id is empty."),
        ((), {"tasks": [], "files_to_modify": []}, "tasks: at least one is needed."),
        ((), {"files_to_modify": []}, "files_to_modify (top level) lacks src/shop/basket.py, which a task names."),
        ((), {"new_files_needed": ["a.py"]}, "new_files_needed (top level) has a.py, which no task names there."),
        ((), {"estimated_time_minutes": -1}, "estimated_time_minutes: must be a number of minutes, not below 0."),
        (
            (),
            {"requirements": [{"id": "R1", "text": "a"}, {"id": "R2", "text": "b"}]},
            "R2: no acceptance check proves this requirement.",
        ),
        (
            (),
            {"acceptance": [{"id": "A1", "requirement": "R1", "check": {"kind": "test", "value": " "}}]},
            "A1.check.value: is empty, so that nothing can be checked.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_hold_together_is_a_finding(tasks: Any, changes: Any, finding: str) -> None:
    assert structure_findings(plan(*tasks, **changes)) == [finding]


def test_a_circle_of_tasks_is_named_in_full() -> None:
    tasks = task("T1", depends_on=["T3"]), task("T2", depends_on=["T1"]), task("T3", depends_on=["T2"])

    (finding,) = structure_findings(plan(*tasks))

    assert set(finding.partition(" depend")[0].removeprefix("tasks: ").split(" -> ")) == {"T1", "T2", "T3"}


def test_an_acceptance_check_of_an_unknown_requirement_is_a_finding() -> None:
    acceptance = [
        {"id": "A1", "requirement": "R1", "check": {"kind": "test", "value": "x"}},
        {"id": "A2", "requirement": "R7", "check": {"kind": "command", "value": "y"}},
    ]

    assert structure_findings(plan(acceptance=acceptance)) == ["A2.requirement: there is no requirement R7."]


# --- a plan in its repository -------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_file_that_does_not_exist_is_named_with_what_comes_nearest(index: RepositoryIndex) -> None:
    (finding,) = file_findings(plan(task(files_to_modify=["src/shop/baskets.py"])), index)

    assert finding.startswith(
        "T1.files_to_modify: src/shop/baskets.py does not exist in the repository; the nearest are"
    )
    assert "src/shop/basket.py" in finding


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("src/shop/basket.py", "exists already"),
        ("../outside.py", "the path leaves the repository"),
        ("/etc/passwd", "must be relative"),
        ("src/../../x.py", "the path leaves the repository"),
        (".git/config", "inside .git"),
        (".github/workflows/x.yml", "continuous integration"),
        (".vscode/tasks.json", "an editor or assistant"),
        (".gitmodules", "git"),
        ("src/shop/basket.py/x.py", "a parent of the path is a file"),
        ("link/x.py", "symbolic link"),
        ("ignored.log", "git ignores it"),
    ],
)
async def test_a_new_file_must_be_new_inside_and_unprotected(shop: Path, path: str, reason: str) -> None:
    """G06."""
    (shop / "link").symlink_to("/tmp", target_is_directory=True)
    (shop / ".gitignore").write_text("*.log\n")
    (shop / "ignored.log").write_text("x")

    (finding,) = file_findings(plan(task(new_files_needed=[path])), await Index().open(shop))

    assert finding.startswith(f"T1.new_files_needed: {path} ")
    assert reason in finding


@pytest.mark.anyio
async def test_an_existing_protected_file_must_not_be_planned_either(index: RepositoryIndex) -> None:
    (finding,) = file_findings(plan(task(files_to_modify=[".github/workflows/ci.yml"])), index)

    assert "must not be changed" in finding


@pytest.mark.anyio
async def test_a_new_file_may_be_modified_by_a_task_that_comes_after_its_creator(index: RepositoryIndex) -> None:
    creates = task("T1", files_to_modify=[], new_files_needed=["src/shop/rebate.py"])
    between = task("T2", depends_on=["T1"])
    after = task("T3", files_to_modify=["src/shop/rebate.py"], depends_on=["T2"])

    sound = plan(creates, between, after)
    unordered = plan(creates, between, after | {"depends_on": []})

    assert structure_findings(sound) == []
    assert file_findings(sound, index) == []
    (finding,) = file_findings(unordered, index)
    assert finding.startswith("T3.files_to_modify: src/shop/rebate.py is created by T1")


@pytest.mark.anyio
async def test_two_tasks_cannot_create_one_file(index: RepositoryIndex) -> None:
    tasks = task("T1", new_files_needed=["a.py"]), task("T2", new_files_needed=["a.py"])

    assert file_findings(plan(*tasks), index) == ["T1.new_files_needed: more than one task creates a.py."]


@pytest.mark.anyio
async def test_an_unknown_symbol_is_ungrounded_unless_its_task_only_creates_files(index: RepositoryIndex) -> None:
    known = task("T1", symbols=["Basket", "Basket.total", "price_of"])
    unknown = task("T2", symbols=["Baskt"])
    creating = task("T3", symbols=["Rebate"], files_to_modify=[], new_files_needed=["src/shop/rebate.py"])

    (ungrounded,) = ungrounded_symbols(plan(known, unknown, creating), index)

    assert (ungrounded.name, ungrounded.where) == ("Baskt", "T2.symbols")
    assert "Basket" in ungrounded.nearest


# --- the stage ----------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_the_planner_learns_the_request_first_and_repository_text_is_marked(shop: Path) -> None:
    args = PlanFeatureArguments(request="Give a basket a discount", constraints=["No new dependency"])

    brief = await brief_of(context(shop), args)

    assert brief.context.startswith(
        "## Request\nGive a basket a discount\n\n## Constraints\n- No new dependency\n\nBEGIN DATA"
    )
    assert ": File src/shop/basket.py\nclass Basket:" in brief.context
    assert ": Map of the repository" in brief.context
    assert "test: " in brief.context
    assert "shop" not in brief.instructions
    assert brief.response_schema["title"] == "Plan"


@pytest.mark.anyio
async def test_an_accepted_plan_comes_with_its_digest_and_forecast(shop: Path) -> None:
    result = await PlanFeature().run(context(shop, plan_json()), ARGUMENTS)

    assert result.plan == plan()
    assert result.plan_digest == plan_digest(plan())
    assert result.forecast.model_dump() == {"usd_low": None, "usd_high": None, "minutes": 30.0}
    assert result.ungrounded == []
    (artifact,) = PlanFeature().artifacts(result)
    assert Plan.model_validate_json(artifact.text) == result.plan
    assert [action.tool for action in PlanFeature().next_actions(result)] == ["generate_code"]
    assert "T1 Do T1: src/shop/basket.py" in PlanFeature().summarise(result)


@pytest.mark.anyio
async def test_names_that_do_not_exist_come_back_with_what_is_nearest_also_beside_a_new_file(shop: Path) -> None:
    misspelt = task(symbols=["Baskte", "Basket.totl", "price_of"], new_files_needed=["tests/test_discount.py"])

    result = await PlanFeature().run(context(shop, plan_json(misspelt)), ARGUMENTS)

    assert [(each.name, each.where, each.nearest[0]) for each in result.ungrounded] == [
        ("Baskte", "T1.symbols", "Basket"),
        ("Basket.totl", "T1.symbols", "total"),
    ]
    assert "Baskte (T1.symbols); the nearest are Basket" in PlanFeature().summarise(result)


@pytest.mark.anyio
async def test_a_plan_with_a_missing_file_goes_back_to_the_planner(shop: Path) -> None:
    brief = await brief_of(context(shop, plan_json(task(files_to_modify=["src/shop/cart.py"]))))

    assert [finding for finding in brief.feedback if "src/shop/cart.py does not exist" in finding] == brief.feedback


def test_the_digest_is_of_the_content_and_changes_with_it() -> None:
    digest = plan_digest(plan())

    assert digest == plan_digest(Plan.model_validate_json(json.dumps(plan_json())))
    assert digest != plan_digest(plan(summary="Another."))
    assert len(bytes.fromhex(digest)) == 32


@pytest.mark.anyio
async def test_planning_again_shows_the_earlier_plan_and_how_its_tests_ended(shop: Path) -> None:
    report = TestReport.model_validate(
        {
            "verdict": "failed",
            "reason": "1 new failure",
            "totals": {"passed": 1, "failed": 1},
            "tests": [
                {"id": "test_a", "outcome": "passed", "duration_s": 0.1},
                {"id": "test_b", "outcome": "failed", "duration_s": 0.1, "message": "1 != 2"},
            ],
            "environment": {"backend": "docker", "image": "i", "image_digest": "d"},
            "output_tail": "",
        }
    )
    earlier = PlanResult.model_validate({"plan": plan_json(), "plan_digest": "0" * 64, "forecast": {}})
    ctx = context(shop, plan_feature=earlier, run_tests_sandboxed=report)

    brief = await brief_of(ctx, PlanFeatureArguments(mode="regenerate"))

    assert brief.context.startswith("## Request\nGive baskets a discount.\n")
    assert ": Earlier plan\n" in brief.context
    assert "failed: test_b: 1 != 2" in brief.context
    assert "passed: test_a" in brief.context
    assert "planned before" in brief.instructions


@pytest.mark.anyio
async def test_without_request_and_earlier_plan_there_is_nothing_to_plan(shop: Path) -> None:
    for mode in ("feature", "regenerate"):
        with pytest.raises(InvalidArguments, match="no earlier plan"):
            await PlanFeature().run(context(shop), PlanFeatureArguments(mode=mode))


@pytest.mark.parametrize(
    ("request_", "starts_run", "refused"),
    [(None, True, True), (" ", True, True), ("", False, True), (None, False, False), ("x", True, False)],
)
def test_a_run_starts_with_a_request(request_: str | None, starts_run: bool, refused: bool) -> None:
    args = PlanFeatureArguments(request=request_)

    if refused:
        with pytest.raises(InvalidArguments):
            PlanFeature().require(args, starts_run=starts_run)
    else:
        PlanFeature().require(args, starts_run=starts_run)


def test_loading_the_stage_loads_nothing_heavy() -> None:
    heavy = ["anthropic", "tenacity", "genai_prices", "tree_sitter", "git", "httpx2", "sqlalchemy", "docker"]
    code = f"import repowright_tools.plan_feature.stage, sys; print([m for m in {heavy} if m in sys.modules])"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert loaded.strip() == "[]"


def test_loading_the_providers_loads_no_sdk() -> None:
    code = (
        "import repowright_tools.llm.factory, repowright_tools.llm.anthropic, repowright_tools.llm.host, "
        "repowright_tools.llm.scripted, sys; "
        "print([m for m in ['anthropic', 'tenacity', 'genai_prices', 'httpx2'] if m in sys.modules])"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert loaded.strip() == "[]"
