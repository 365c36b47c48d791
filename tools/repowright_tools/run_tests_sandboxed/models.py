"""What run_tests_sandboxed takes, and what it journals of an execution. Its result is `TestReport`."""

from typing import Literal

from pydantic import Field

from repowright_tools.models import Result, Source, StageArguments

CaseOutcome = Literal["passed", "failed", "skipped", "error"]
FAILING = ("failed", "error")
"""Outcomes of tests that did not do what they are for."""
SELECTED_NOTHING = "the selector matched no test"
"""How the reason of a report begins whose selector is wrong."""
COLLECTION_FAILURE = "collection failure"
"""How pytest's report marks a file that it could not read tests from."""


class RunTestsArguments(StageArguments):
    source: Source = None
    patch: str | None = Field(
        default=None, description="Unified diff to test; applied to the base commit, or to what generate_code made."
    )
    command: str | None = Field(default=None, description="Test command; found in the repository when left out.")
    selector: str | None = Field(
        default=None,
        description="Which tests: paths, node ids, -k or -m with an expression, or an expression as for -k.",
    )
    baseline: bool = Field(default=True, description="Also test the base commit, to tell new failures from old ones.")
    repeat: int = Field(default=1, ge=1, le=10, description="How often to run the tests, to find flaky ones.")
    timeout_s: float = Field(default=600, ge=1, le=3600, description="Seconds that one run of the tests may take.")
    setup_network: bool = Field(
        default=True, description="Install dependencies with network first. The tests themselves never have network."
    )


class Case(Result):
    """One test in one run."""

    id: str
    outcome: CaseOutcome
    duration_s: float
    message: str | None = None

    @property
    def is_uncollected(self) -> bool:
        """Whether this is no test, but a file whose tests pytest could not find out (import or syntax error)."""
        return self.outcome == "error" and (self.message or "").startswith(COLLECTION_FAILURE)


class Contradiction(Result):
    """Something about a run that an honest one cannot show: its kind, the file as far as one is known, and what."""

    kind: str
    path: str
    detail: str


class Run(Result):
    """One execution of the test command.

    Attributes:
        exit_code: as the shell counts; None when it was still running when the box was ended.
        cases: per-test results; None when the command left none that can be read.
        output_tail: the end of its output, redacted.
        began: a test was started, as far as that was watched.
        contradictions: what speaks against the results; see `read_record`.
        hooks: hooks of the repository that could decide results, as `path::hook`.
        ran: the watched lines that ran, by path; None when they could not be watched.
    """

    exit_code: int | None
    timed_out: bool
    oom_killed: bool
    limits_hit: list[str]
    cases: list[Case] | None
    output_tail: str
    duration_s: float
    began: bool = False
    contradictions: list[Contradiction] = Field(default_factory=list[Contradiction])
    hooks: list[str] = Field(default_factory=list[str])
    ran: dict[str, list[int]] | None = None
