"""The demo's sample repository and its recorded model fit each other."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import repowright_server.demo
from repowright_tools.llm.scripted import Recording
from repowright_tools.models import Edits, Plan

DEMO = Path(repowright_server.demo.__file__).parent


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return shutil.copytree(DEMO / "sample", tmp_path / "sample", ignore=shutil.ignore_patterns("__pycache__"))


def recorded(ask: str) -> Any:
    entries = Recording.model_validate_json((DEMO / "recording.json").read_bytes()).root
    [answer] = [entry.answer for entry in entries if entry.ask == ask]
    return answer


def passing(sample: Path) -> set[str]:
    """Run the sample's tests, all of which must pass; their ids without parameters."""
    environment = {"PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=sample, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    return {line.split()[0].partition("[")[0] for line in done.stdout.splitlines() if " PASSED " in line}


def test_the_recorded_edits_apply_to_the_sample_and_its_tests_pass_before_and_after(sample: Path) -> None:
    before = passing(sample)

    for edit in Edits.model_validate(recorded("edits")).edits:
        text = (sample / edit.path).read_text("utf-8")
        assert text.count(edit.old) == 1, f"{edit.path}: {edit.old}"
        (sample / edit.path).write_text(text.replace(edit.old, edit.new), "utf-8")

    after = passing(sample)
    proofs = [proof.check for proof in Plan.model_validate(recorded("plan")).acceptance]
    promised = {check.value for check in proofs if check.kind == "test"}
    assert len(before) == 9
    assert before < after
    assert promised <= after
    assert after - before <= promised
    assert "--top" in (sample / "README.md").read_text("utf-8")


def test_the_recorded_plan_names_the_files_that_the_edits_touch(sample: Path) -> None:
    plan = Plan.model_validate(recorded("plan"))

    touched = {edit.path for edit in Edits.model_validate(recorded("edits")).edits}
    assert touched == set(plan.files_to_modify) == {path for task in plan.tasks for path in task.files_to_modify}
    assert all((sample / path).is_file() for path in touched)
    wanted = {requirement.id for requirement in plan.requirements}
    assert {proof.requirement for proof in plan.acceptance} == wanted
    assert {name for task in plan.tasks for name in task.covers} == wanted
