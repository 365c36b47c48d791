"""open_pr at the end of a run: the generated branch, with the run's plan and tests as evidence."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel

from fakes.github import FakeGitHub
from fakes.github_project import NAME, Project, make_project
from repowright_tools.errors import BranchMissing
from repowright_tools.git.workspace import Workspace
from repowright_tools.models import (
    Acceptance,
    Check,
    CheckRun,
    Environment,
    Forecast,
    GeneratedCode,
    Plan,
    PlanResult,
    Requirement,
    TestOutcome,
    TestReport,
    Totals,
)
from repowright_tools.stage import StageContext
from support.repositories import git, write_files

pytestmark = pytest.mark.anyio
BRANCH = "repowright/say-hello-1a2b3c"


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with FakeGitHub(tmp_path) as github:
        yield make_project(tmp_path, github)


async def _generate(project: Project, workspace: Workspace, repository: StageContext) -> GeneratedCode:
    """What generate_code leaves behind: a commit on our branch of the run's clone."""
    clone = await workspace.clone(repository.repository)
    await workspace.start_branch(BRANCH, project.base)
    write_files(clone, {"hello.py": "print('hello')\n"})
    head = await workspace.commit("Say hello", [("Task", "T1")], when=datetime(2026, 1, 1, tzinfo=UTC))
    return GeneratedCode(
        branch=BRANCH,
        base_commit=project.base,
        head_commit=head,
        repository=str(clone),
        fetch="git fetch",
        diff="",
        checks=[CheckRun(name="syntax", status="passed")],
    )


def _plan() -> PlanResult:
    plan = Plan(
        summary="Say hello",
        complexity=1,
        requirements=[Requirement(id="R1", text="Greets whoever calls")],
        acceptance=[
            Acceptance(id="A1", requirement="R1", check=Check(kind="test", value="tests/test_hello.py::test_hello"))
        ],
        tasks=[],
        files_to_modify=[],
        new_files_needed=["hello.py"],
        dependencies=[],
        risks=[],
        test_plan="",
        estimated_time_minutes=1,
        rollback="",
        questions=[],
    )
    return PlanResult(plan=plan, plan_digest="d", forecast=Forecast())


def _tests(verdict: str) -> TestReport:
    outcome = "passed" if verdict == "passed" else "failed"
    report = {
        "verdict": verdict,
        "reason": "1 test",
        "totals": Totals(passed=1 if verdict == "passed" else 0, failed=0 if verdict == "passed" else 1),
        "tests": [
            TestOutcome.model_validate(
                {
                    "id": "tests/test_hello.py::test_hello",
                    "outcome": outcome,
                    "duration_s": 0.1,
                    "class": "new" if verdict == "passed" else "new_failure",
                }
            )
        ],
        "environment": Environment(backend="docker", image="sandbox:1", image_digest="sha256:abc"),
        "output_tail": "",
    }
    return TestReport.model_validate(report)


async def _context(project: Project, verdict: str) -> StageContext:
    results: dict[str, BaseModel] = {"plan_feature": _plan(), "run_tests_sandboxed": _tests(verdict)}
    context = project.context(results=results)
    results["generate_code"] = await _generate(project, context.workspace, context)
    return project.context(results=results)


async def test_the_generated_branch_is_proposed_with_the_plan_and_the_tests(project: Project) -> None:
    context = await _context(project, "passed")

    result = await project.open_pr(context, branch=None)

    assert (result.action, result.title, result.head) == ("created", "Say hello", BRANCH)
    assert "+print('hello')" in project.github.diff(NAME, 1)
    for part in (
        "**R1** Greets whoever calls",
        "| A1 | R1 | test | `tests/test_hello.py::test_hello` | passed |",
        "| passed | 1 | 0 | 0 | 0 |",
        "`sha256:abc`",
        "- syntax: passed",
        project.base,
        context.run_id,
        "+1 -0 hello.py",
    ):
        assert part in result.body


async def test_tests_that_did_not_pass_are_said_and_named(project: Project) -> None:
    result = await project.open_pr(await _context(project, "failed"), branch=None)

    assert "**NOT PASSED: failed**" in result.body
    assert "new failure: `tests/test_hello.py::test_hello`" in result.body
    assert "| A1 | R1 | test | `tests/test_hello.py::test_hello` | failed |" in result.body


async def test_the_evidence_of_the_run_is_not_claimed_for_another_branch(project: Project) -> None:
    result = await project.open_pr(await _context(project, "passed"), branch="feature")

    assert result.head == "repowright/feature"
    assert "**Not run**" in result.body
    assert "R1" not in result.body


async def test_a_clone_that_is_gone_is_made_again_and_the_missing_branch_is_named(project: Project) -> None:
    context = await _context(project, "passed")
    git(context.workspace.clone_path, "checkout", "-q", "--detach", project.base)
    git(context.workspace.clone_path, "branch", "-D", BRANCH)
    git(context.workspace.clone_path, "reflog", "expire", "--expire=now", "--all")
    git(context.workspace.clone_path, "gc", "-q", "--prune=now")

    with pytest.raises(BranchMissing, match=BRANCH):
        await project.open_pr(context, branch=None)

    assert project.github.requests == []
