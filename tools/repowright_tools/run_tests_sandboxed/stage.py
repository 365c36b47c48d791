"""run_tests_sandboxed: does the change break anything, shown by running the tests where they can do no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repowright_tools.models import TestReport
from repowright_tools.run_tests_sandboxed.models import COLLECTION_FAILURE, FAILING, SELECTED_NOTHING, RunTestsArguments
from repowright_tools.stage import Artifact, Hints, NextAction, Stage, StageContext

if TYPE_CHECKING:
    from collections.abc import Sequence

    from repowright_tools.models import TestOutcome

_LISTED = 20


class RunTestsSandboxed(Stage[RunTestsArguments, TestReport]):
    """Runs the tests in a locked container without network and classifies each test against the base commit.

    Tests the outcome of generate_code, else the work tree with its uncommitted changes, or a `patch`. Dependencies are
    installed first, with network unless `setup_network` is false. Nothing runs on the host, and the work tree is not
    touched. The verdict `failed` means a new failure; flaky and old failures are named.
    """

    name = "run_tests_sandboxed"
    title = "Run tests in a sandbox"
    arguments = RunTestsArguments
    result = TestReport
    hints = Hints(read_only=True, destructive=False, idempotent=True, open_world=False)
    builds_on = ("plan_feature", "generate_code")

    def require(self, args: RunTestsArguments, *, starts_run: bool) -> None:
        from repowright_tools.run_tests_sandboxed.command import check_arguments

        check_arguments(args.command, args.selector)

    async def run(self, ctx: StageContext, args: RunTestsArguments) -> TestReport:
        from repowright_tools.run_tests_sandboxed.testing import test_change

        return await test_change(ctx, args)

    def summarise(self, result: TestReport) -> str:
        counts = result.totals
        head = (
            f"{result.verdict}: {result.reason}\n"
            f"{counts.passed} passed, {counts.failed} failed, {counts.skipped} skipped, {counts.errors} errors"
        )
        return "\n".join([head, *_lines(result.tests)])

    def artifacts(self, result: TestReport) -> list[Artifact]:
        return [Artifact("tests", "application/json", result.model_dump_json(by_alias=True, indent=1))]

    def next_actions(self, result: TestReport) -> list[NextAction]:
        match result.verdict:
            case "passed":
                why = "The tests pass: propose the change, if this run holds one, or that of a `branch`."
                return [NextAction("open_pr", why)]
            case "failed" | "collection_error":
                why = "Give as `instruction` what to mend, as the failing tests show; then test again."
                return [NextAction("generate_code", why)]
            case "timeout":
                return [NextAction(self.name, "Select fewer tests, or raise timeout_s.", {"timeout_s": 3600})]
            case "no_tests" if result.reason.startswith(SELECTED_NOTHING):
                return [NextAction(self.name, "Leave `selector` out, or give one that matches.")]
            case "no_tests":
                why = "Give as `instruction` to add tests that show what the change does; then test again."
                return [NextAction("generate_code", why)]
            case _:
                return []


def _lines(tests: Sequence[TestOutcome]) -> list[str]:
    """A line for each test that a reader must see, the new failures first."""
    shown = [test for test in tests if test.outcome in FAILING or test.class_ in ("flaky", "vanished")]
    shown.sort(key=lambda test: test.class_ != "new_failure")
    lines = [f"- {test.id}: {test.class_ or test.outcome}{_first_line(test.message)}" for test in shown[:_LISTED]]
    return lines + ([f"... and {len(shown) - _LISTED} more"] if len(shown) > _LISTED else [])


def _first_line(message: str | None) -> str:
    """The line that says most; pytest puts the exception's own behind `E` when a traceback comes first."""
    lines = (message or "").strip().splitlines()
    if not lines:
        return ""
    raised = [line[1:].strip() for line in lines if line.startswith("E  ")]
    said = raised[-1] if raised and lines[0].startswith(COLLECTION_FAILURE) else lines[0]
    return f" - {said[:200]}"
