"""Models that more than one stage reads: what a plan, a set of edits and the outcomes of stages look like.

Arguments and submissions are strict: unknown names and wrong types are refused, nothing is coerced.
Results always carry every field; lists default to empty, everything else to None.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """Base of everything a caller or a model may write."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Result(BaseModel):
    """Base of everything a stage returns."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StageArguments(Strict):
    """Base of a stage's own arguments; the server adds `run_id` and `wait_s` to every tool."""


Source = Annotated[
    str | None,
    Field(description="Absolute path of a local repository, https git URL, or owner/name. Needed without run_id."),
]


class Evidence(Result):
    """A place that proves a statement. `line` counts from 1."""

    path: str
    line: int


class RepositoryWarning(Result):
    code: str
    message: str


# --- plan ---------------------------------------------------------------------------------------------------------


class Requirement(Strict):
    id: str = Field(description="R1, R2, ...")
    text: str


class Check(Strict):
    kind: Literal["test", "command", "assertion"]
    value: str


class Acceptance(Strict):
    id: str = Field(description="A1, A2, ...")
    requirement: str = Field(description="The id of the requirement this proves.")
    check: Check


class Task(Strict):
    id: str = Field(description="T1, T2, ...")
    title: str
    description: str
    files_to_modify: list[str] = Field(description="Existing files, relative to the repository.")
    new_files_needed: list[str]
    symbols: list[str] = Field(description="Functions and classes that are touched.")
    depends_on: list[str] = Field(description="Ids of tasks that come first.")
    covers: list[str] = Field(description="Ids of requirements this task serves.")


class Risk(Strict):
    text: str
    severity: Literal["low", "medium", "high"]
    mitigation: str


class Question(Strict):
    text: str
    default: str


class Plan(Strict):
    """How a request becomes a change. Paths are relative to the repository, with `/`."""

    summary: str
    complexity: int = Field(ge=1, le=5)
    requirements: list[Requirement]
    acceptance: list[Acceptance]
    tasks: list[Task]
    files_to_modify: list[str]
    new_files_needed: list[str]
    dependencies: list[str] = Field(description="New third-party dependencies; empty when none.")
    risks: list[Risk]
    test_plan: str
    estimated_time_minutes: int | float
    rollback: str
    questions: list[Question]


class Ungrounded(Result):
    """A name in a plan that does not exist in the repository."""

    name: str
    where: str
    nearest: list[str] = Field(default_factory=list[str])


class Forecast(Result):
    """Expected cost and duration of what the plan asks for; None when unknown."""

    usd_low: float | None = None
    usd_high: float | None = None
    minutes: float | None = None


class PlanResult(Result):
    plan: Plan
    plan_digest: str
    ungrounded: list[Ungrounded] = Field(default_factory=list[Ungrounded])
    forecast: Forecast


# --- edits --------------------------------------------------------------------------------------------------------


class Edit(Strict):
    """Replace `old`, which must occur exactly once in the file, by `new`."""

    path: str
    old: str
    new: str


class NewFile(Strict):
    path: str
    content: str


class Rename(Strict):
    model_config = ConfigDict(populate_by_name=True)
    from_: str = Field(alias="from")
    to: str


class Edits(Strict):
    """A change to the tree: all of it is applied, or none. `old` must occur exactly once in its file."""

    edits: list[Edit] = Field(default_factory=list[Edit])
    new_files: list[NewFile] = Field(default_factory=list[NewFile])
    deletes: list[str] = Field(default_factory=list[str])
    renames: list[Rename] = Field(default_factory=list[Rename])
    notes: str = ""


class ChangedFile(Result):
    path: str
    change: Literal["modified", "added", "deleted", "renamed"]
    additions: int
    deletions: int
    task: str | None = None


class Finding(Result):
    path: str
    line: int
    code: str
    message: str


class CheckRun(Result):
    name: str
    status: Literal["passed", "failed", "skipped"]
    findings: list[Finding] = Field(default_factory=list[Finding])


class RejectedEdit(Result):
    path: str
    reason: str
    nearest: str | None = None


class GeneratedCode(Result):
    """Where the change is. `repository` is the clone, `fetch` a complete shell line that brings the branch home."""

    branch: str
    base_commit: str
    head_commit: str
    repository: str
    fetch: str
    diff: str
    files: list[ChangedFile] = Field(default_factory=list[ChangedFile])
    checks: list[CheckRun] = Field(default_factory=list[CheckRun])
    rejected: list[RejectedEdit] = Field(default_factory=list[RejectedEdit])


# --- tests --------------------------------------------------------------------------------------------------------

Verdict = Literal["passed", "failed", "no_tests", "collection_error", "timeout", "out_of_memory", "crashed", "tampered"]
TestClass = Literal["unchanged", "new_failure", "fixed", "pre_existing", "flaky", "new", "vanished"]


class Totals(Result):
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    errors: int = 0


class TestOutcome(Result):
    """One test. `class_` (on the wire `class`) is None without a baseline."""

    __test__ = False
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    id: str
    outcome: Literal["passed", "failed", "skipped", "error"]
    duration_s: float
    class_: TestClass | None = Field(default=None, alias="class")
    message: str | None = None


class Coverage(Result):
    """Lines the change added or modified, and how many of them a test ran."""

    changed_lines: int
    covered: int


class Environment(Result):
    """The box. Limits by name: memory_bytes, cpus, pids, timeout_s, workspace_bytes."""

    backend: str
    image: str
    image_digest: str
    limits: dict[str, float] = Field(default_factory=dict[str, float])


class Tamper(Result):
    kind: str
    path: str
    line: int | None = None
    detail: str


class TestReport(Result):
    __test__ = False

    verdict: Verdict
    reason: str
    totals: Totals
    tests: list[TestOutcome] = Field(default_factory=list[TestOutcome])
    coverage: Coverage | None = None
    environment: Environment
    limits_hit: list[str] = Field(default_factory=list[str])
    tamper: list[Tamper] = Field(default_factory=list[Tamper])
    output_tail: str
