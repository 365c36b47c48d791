"""The stage generate_code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from repowright_tools.errors import InvalidArguments, PlanMissing
from repowright_tools.events import ProgressEvent
from repowright_tools.generate_code.models import GenerateCodeArguments
from repowright_tools.models import ChangedFile, CheckRun, Finding, GeneratedCode, Plan, PlanResult, Task
from repowright_tools.secrets import redact, strip_invisible
from repowright_tools.stage import Artifact, BoundRepository, Hints, NextAction, Stage, StageContext

if TYPE_CHECKING:
    from repowright_tools.git.changes import FileChange

BRANCH_PREFIX = "repowright/"
_MAX_SLUG = 40
_MAX_SUBJECT = 72


class GenerateCode(Stage[GenerateCodeArguments, GeneratedCode]):
    """Write the code of a plan or an instruction as a commit on its own branch, in a clean clone: never in the user's
    work tree. Edits are applied all together or not at all, and only if every touched source, TOML or JSON file still
    parses, and the change brings in no undefined name and no secret. Uncommitted changes are left out. The result has
    the diff, the branch, and the exact `git fetch` that brings the branch into the user's repository.
    """

    name = "generate_code"
    title = "Generate code"
    arguments = GenerateCodeArguments
    result = GeneratedCode
    hints: ClassVar[Hints] = Hints(read_only=False, destructive=False, idempotent=True, open_world=True)
    builds_on = ("plan_feature",)

    def require(self, args: GenerateCodeArguments, *, starts_run: bool) -> None:
        if starts_run and args.plan is None and args.instruction is None:
            raise InvalidArguments("`plan` or `instruction` is needed, or the `run_id` of a run that has a plan")

    async def run(self, ctx: StageContext, args: GenerateCodeArguments) -> GeneratedCode:
        from repowright_tools.generate_code.generation import Generation

        plan = _plan(ctx, args)
        tasks = _tasks(plan, args.tasks)
        subject = _one_line(plan.summary if plan is not None else args.instruction or "")
        branch = branch_name(subject, ctx.run_id)
        base = ctx.repository.pinned()
        if ctx.repository.dirty:
            ctx.events.emit(ProgressEvent("Uncommitted changes are left out: the clone is at the last commit."))
        clone = await ctx.workspace.clone(ctx.repository)
        await ctx.workspace.start_branch(branch, base)

        generation = Generation(ctx, clone, await ctx.workspace.tracked(), harness=args.mode == "legacy_harness")
        answer = await generation.ask(plan, tasks, args.instruction)
        checks = await generation.checks(answer.value)
        rejected = await generation.rejected(answer.rejected)
        trailers = [*(("Task", task.id) for task in tasks), ("Repowright-Run", ctx.run_id)]
        head = await generation.commit(answer.value, branch, subject[:_MAX_SUBJECT], trailers)
        return GeneratedCode(
            branch=branch,
            base_commit=base,
            head_commit=head,
            repository=str(clone),
            fetch=fetch_line(ctx.repository, ctx.workspace.root, clone, branch),
            diff=await ctx.workspace.diff(base, head),
            files=_files(await ctx.workspace.changes(base, head), tasks),
            checks=[*checks, *_left_out(ctx.repository)],
            rejected=rejected,
        )

    def summarise(self, result: GeneratedCode) -> str:
        added = sum(file.additions for file in result.files)
        deleted = sum(file.deletions for file in result.files)
        lines = [
            f"{len(result.files)} files changed (+{added} -{deleted}) on {result.branch}, commit {result.head_commit}.",
            *(f"- {file.change} {file.path} (+{file.additions} -{file.deletions})" for file in result.files[:50]),
            f"Bring it home: {result.fetch}",
            *(f"Check {check.name}: {check.status}" for check in result.checks),
            *(f"Note: {finding.message}" for check in result.checks for finding in check.findings),
        ]
        return "\n".join(lines)

    def artifacts(self, result: GeneratedCode) -> list[Artifact]:
        return [Artifact("diff", "text/x-diff", result.diff)]

    def next_actions(self, result: GeneratedCode) -> list[NextAction]:
        return [
            NextAction("run_tests_sandboxed", "Run the tests on this change, in a sandbox and against a baseline."),
            NextAction("open_pr", "Push the branch and open a pull request, once the tests pass."),
        ]


def branch_name(subject: str, run_id: str) -> str:
    """A branch of ours that says what it is for, and is the same whenever the run is resumed."""
    slug = re.sub(r"[^a-z0-9]+", "-", subject.lower())[:_MAX_SLUG].strip("-") or "change"
    return f"{BRANCH_PREFIX}{slug}-{run_id.removeprefix('r_')[:8]}"


def fetch_line(repository: BoundRepository, workspace: Path, clone: Path, branch: str) -> str:
    """The shell line that brings the branch into the user's repository."""
    where: list[str] = []
    if repository.kind == "local":
        # With a `ref` the root is a checkout of ours, and the source is what the user called the repository.
        ours = Path(repository.root).is_relative_to(workspace)
        where = ["-C", repository.source if ours else repository.root]
    return shlex.join(["git", *where, "fetch", str(clone), f"{branch}:{branch}"])


def _plan(ctx: StageContext, args: GenerateCodeArguments) -> Plan | None:
    if args.plan is not None:
        return args.plan
    earlier = ctx.results.get("plan_feature", PlanResult)
    if earlier is None and args.instruction is None:
        raise PlanMissing("there is neither `plan` nor `instruction`, and the run has no plan")
    return None if earlier is None else earlier.plan


def _tasks(plan: Plan | None, ids: Sequence[str] | None) -> list[Task]:
    tasks = plan.tasks if plan is not None else []
    if ids is None:
        return tasks
    unknown = set(ids) - {task.id for task in tasks}
    if unknown:
        raise InvalidArguments(f"the plan has no tasks {', '.join(sorted(unknown))}")
    return [task for task in tasks if task.id in ids]


def _files(changes: Sequence[FileChange], tasks: Sequence[Task]) -> list[ChangedFile]:
    """The changed files, each with its task if exactly one task names it."""
    named: dict[str, set[str]] = {}
    for task in tasks:
        for path in (*task.files_to_modify, *task.new_files_needed):
            named.setdefault(path, set()).add(task.id)
    owner = {path: next(iter(ids)) for path, ids in named.items() if len(ids) == 1}
    return [
        ChangedFile(
            path=change.path,
            change=change.change,
            additions=change.additions,
            deletions=change.deletions,
            task=owner.get(change.path) or owner.get(change.old_path),
        )
        for change in changes
    ]


def _left_out(repository: BoundRepository) -> list[CheckRun]:
    if not repository.dirty:
        return []
    message = "The repository has uncommitted changes; the branch starts at the last commit and is without them."
    finding = Finding(path="", line=0, code="uncommitted_changes_left_out", message=message)
    return [CheckRun(name="uncommitted changes", status="skipped", findings=[finding])]


def _one_line(text: str) -> str:
    """The text as subject of a commit, which is published: without secrets and what a reader cannot see."""
    return " ".join(redact(strip_invisible(text)).split())
