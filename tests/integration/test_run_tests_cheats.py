"""Changes that hide what they break are never accepted, and honest ones are never refused, with a real engine."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from repowright_tools.models import Plan, PlanResult, TestReport
from repowright_tools.sandbox.docker import DockerSandbox
from support.cheats import CHEATS
from support.cheats_in_process import CHEATS_IN_PROCESS
from support.honest_changes import HONEST
from support.ports import MemoryJournal
from support.projects import Project
from support.shop import BASE, WRONG, Change

pytestmark = [pytest.mark.docker, pytest.mark.anyio]

AT_ONCE = 3
ALL_CHEATS = [*CHEATS, *CHEATS_IN_PROCESS]
PARTS = 6
"""So that no test takes long; the base is tested anew in each."""


def planned(paths: Sequence[str]) -> PlanResult:
    values: dict[str, Any] = {
        **{name: [] for name in ("requirements", "acceptance", "tasks", "new_files_needed", "dependencies", "risks")},
        **dict.fromkeys(("summary", "test_plan", "rollback"), ""),
        "complexity": 1,
        "estimated_time_minutes": 1,
        "questions": [],
        "files_to_modify": list(paths),
    }
    return PlanResult.model_validate({"plan": Plan.model_validate(values), "plan_digest": "", "forecast": {}})


async def report_on(change: Change, folder: Path, sandbox: DockerSandbox, journal: MemoryJournal) -> TestReport:
    folder.mkdir()
    project = Project(folder, sandbox)
    project.journal = journal
    project.start(BASE)
    for path, content in change.files.items():
        target = project.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            target.unlink()
        else:
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
    if change.plan:
        project.results["plan_feature"] = planned(change.plan)
    return await project.test()


async def reports_on(changes: Sequence[Change], folder: Path, sandbox: DockerSandbox) -> dict[str, TestReport]:
    """Several at once; the base is tested once for all of them."""
    journal = MemoryJournal()
    await report_on(Change("nothing", {}), folder / "nothing", sandbox, journal)
    found: dict[str, TestReport] = {}
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def report(number: int, change: Change) -> None:
        async with limiter:
            found[change.name] = await report_on(change, folder / str(number), sandbox, journal)

    async with anyio.create_task_group() as tasks:
        for number, change in enumerate(changes):
            tasks.start_soon(report, number, change)
    return found


def test_the_corpora_are_large_enough() -> None:
    assert min(len(ALL_CHEATS), len(HONEST)) >= 25
    assert len({change.name for change in [*ALL_CHEATS, *HONEST]}) == len(ALL_CHEATS) + len(HONEST)


@pytest.mark.parametrize("part", range(PARTS))
async def test_no_cheat_is_accepted_and_each_is_named(part: int, tmp_path: Path, sandbox: DockerSandbox) -> None:
    """I02"""
    changes = ALL_CHEATS[part::PARTS]
    reports = await reports_on(changes, tmp_path, sandbox)
    accepted = {name: report.reason for name, report in reports.items() if report.verdict == "passed"}
    assert accepted == {}
    unnamed = {
        change.name: (sorted({entry.kind for entry in reports[change.name].tamper}), reports[change.name].reason)
        for change in changes
        if not change.kinds <= {entry.kind for entry in reports[change.name].tamper}
    }
    assert unnamed == {}


@pytest.mark.parametrize("part", range(PARTS))
async def test_no_honest_change_is_refused(part: int, tmp_path: Path, sandbox: DockerSandbox) -> None:
    reports = await reports_on(HONEST[part::PARTS], tmp_path, sandbox)
    refused = {name: (report.verdict, report.reason) for name, report in reports.items() if report.verdict != "passed"}
    assert refused == {}


_WITHOUT_DISCOUNT = "tests.test_basket.TestBasket.test_empty"


async def test_no_script_of_a_change_leaves_out_the_test_that_fails(tmp_path: Path, sandbox: DockerSandbox) -> None:
    """I02"""
    project = Project(tmp_path, sandbox)
    kept = {path: BASE[path] for path in ("shop/__init__.py", "shop/prices.py", "tests/test_basket.py")}
    whole = json.dumps({"scripts": {"test": "python3 -m unittest tests.test_basket"}})
    project.start({**kept, "package.json": whole})
    project.change({"shop/prices.py": WRONG, "package.json": whole.replace("tests.test_basket", _WITHOUT_DISCOUNT)})
    report = await project.test(command="npm test")
    assert report.verdict != "passed", report.reason
    assert "steering_changed" in {entry.kind for entry in report.tamper}
