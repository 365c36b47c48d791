"""From an attempt to an answer within its limits."""

import json
from typing import Any

from repowright_server.protocol.answer import envelope_of, summary_of, tool_result
from repowright_server.protocol.truncate import size
from repowright_server.runs.run import Attempt, Status
from repowright_tools.pipeline import load_stages
from repowright_tools.stage import Cost

MANY = 5_000


def attempt(**changes: Any) -> Attempt:
    values: dict[str, Any] = {
        "id": 1, "run_id": "r_" + "0" * 32, "stage": "run_tests_sandboxed", "key": "k", "scope": "k", "call": "",
        "arguments": {}, "status": Status.COMPLETE, "status_message": "done", "started": 0.0,
    }  # fmt: skip
    return Attempt(**(values | changes))


def answer(about: Attempt) -> tuple[dict[str, Any], dict[str, Any]]:
    """The structured content, and the same as a host reads it that shows only text."""
    stage = load_stages()[about.stage]
    result = tool_result(envelope_of(about, stage, Cost()), summary_of(about, stage))
    text = getattr(result.content[0], "text", "")
    structured: dict[str, Any] = result.structured_content
    assert len(text) <= 32_000
    assert size(structured) <= 64 * 1024
    return structured, json.loads(text.split("\n\n")[-1])


def test_thousands_of_tests_with_wide_characters_fit_and_each_count_is_of_the_whole() -> None:
    test = {"outcome": "failed", "duration_s": 0.1, "class": "new_failure", "message": '\u6f22"\n' * 50}
    result: dict[str, Any] = {
        "verdict": "failed",
        "reason": "many",
        "totals": {"passed": 0, "failed": MANY, "skipped": 0, "errors": 0},
        "tests": [{"id": f"tests/test_{n}.py::test_{n}", **test} for n in range(MANY)],
        "coverage": None,
        "environment": {"backend": "docker", "image": "x", "image_digest": "y", "limits": {}},
        "limits_hit": [],
        "tamper": [],
        "output_tail": "\u6f22" * 64_000,
    }
    for said in answer(attempt(result=result)):
        assert said["truncated"]["tests"] + len(said["result"]["tests"]) == MANY
        assert said["truncated"]["output_tail"] + len(said["result"]["output_tail"]) == 64_000


def test_a_long_feedback_is_cut_and_the_brief_beside_it_is_whole() -> None:
    brief: dict[str, Any] = {
        "instructions": "think",
        "context": "c" * 5_000,
        "response_schema": {"type": "object"},
        "feedback": ["\u6f22" * 300] * 500,
        "submit": {"tool": "plan_feature", "arguments": {"run_id": "r_1"}},
    }
    waiting: dict[str, Any] = {"kind": "brief", "message": "think", "brief": brief, "digest": None}
    for said in answer(attempt(stage="plan_feature", status=Status.INPUT_REQUIRED, pending=waiting)):
        shown = said["input_required"]["brief"]
        assert {**shown, "feedback": None} == {**brief, "feedback": None}
        assert said["truncated"]["input_required.brief.feedback"] + len(shown["feedback"]) == 500


def test_work_in_progress_with_long_arguments_is_waited_for_without_them() -> None:
    busy = attempt(status=Status.IN_PROGRESS, arguments={"patch": "x" * 100_000})
    structured, _ = answer(busy)

    assert structured["next_actions"][0]["tool"] == "get_run"
    assert structured["next_actions"][0]["arguments"] == {"run_id": busy.run_id}
