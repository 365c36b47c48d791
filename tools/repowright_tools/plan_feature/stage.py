"""plan_feature: from a request to a plan that speaks of the repository that is there."""

import json
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

from repowright_tools.errors import InvalidArguments
from repowright_tools.models import Forecast, Plan, PlanResult
from repowright_tools.plan_feature.briefing import earlier_sections, sections
from repowright_tools.plan_feature.grounding import file_findings, ungrounded_symbols
from repowright_tools.plan_feature.models import PlanFeatureArguments
from repowright_tools.plan_feature.prompts import instructions
from repowright_tools.plan_feature.structure import structure_findings
from repowright_tools.stage import Artifact, Ask, Hints, NextAction, Stage, StageContext
from repowright_tools.threads import in_thread


class PlanFeature(Stage[PlanFeatureArguments, PlanResult]):
    """Plans a change: requirements with executable acceptance checks, ordered tasks, and the files each touches.

    Every file the plan names is checked against the repository, and its tasks form no circle; symbols that are defined
    nowhere are returned in `ungrounded`. Nothing is written. A model thinks: with LLM_PROVIDER=host that is you, and
    the answer to the brief goes into `submission`.
    """

    name: ClassVar[str] = "plan_feature"
    title: ClassVar[str] = "Plan a feature"
    arguments = PlanFeatureArguments
    result = PlanResult
    hints: ClassVar[Hints] = Hints(read_only=True, destructive=False, idempotent=True, open_world=True)

    def require(self, args: PlanFeatureArguments, *, starts_run: bool) -> None:
        if args.request is not None and not args.request.strip():
            raise InvalidArguments("`request` is empty: say what is wanted")
        if starts_run and args.request is None:
            raise InvalidArguments("`request` is needed to start a run: say what is wanted")

    async def run(self, ctx: StageContext, args: PlanFeatureArguments) -> PlanResult:
        request = args.request or self._earlier_request(ctx, args)
        index = await ctx.index.open(Path(ctx.repository.root), events=ctx.events)

        async def check(plan: Plan) -> list[str]:
            return structure_findings(plan) + await in_thread(file_findings, plan, index)

        earlier = earlier_sections(ctx.results) if args.mode == "regenerate" else []
        context = await sections(request, args.constraints, earlier, index)
        answer = await ctx.model.think(Ask("plan", instructions(args.mode), context, Plan, check))
        plan = answer.value
        return PlanResult(
            plan=plan,
            plan_digest=plan_digest(plan),
            ungrounded=await in_thread(ungrounded_symbols, plan, index),
            # What the work costs depends on who will do it, which a plan does not know.
            forecast=Forecast(minutes=float(plan.estimated_time_minutes)),
        )

    def _earlier_request(self, ctx: StageContext, args: PlanFeatureArguments) -> str:
        planned = ctx.results.get(self.name, PlanResult) if args.mode == "regenerate" else None
        if planned is None:
            raise InvalidArguments("`request` is needed: this run has no earlier plan to go on from")
        return planned.plan.summary

    def summarise(self, result: PlanResult) -> str:
        plan = result.plan
        lines = [plan.summary, f"Complexity {plan.complexity} of 5, about {plan.estimated_time_minutes:g} minutes."]
        lines += [
            f"{task.id} {task.title}: {', '.join(_files(task.files_to_modify, task.new_files_needed))}"
            for task in plan.tasks
        ]
        lines += [f"Assumed: {question.text} {question.default}" for question in plan.questions]
        for name in result.ungrounded:
            near = f"; the nearest are {', '.join(name.nearest)}" if name.nearest else ""
            lines.append(f"Not found in the repository: {name.name} ({name.where}){near}")
        return "\n".join(lines)

    def artifacts(self, result: PlanResult) -> list[Artifact]:
        return [Artifact("plan", "application/json", result.plan.model_dump_json(indent=2))]

    def next_actions(self, result: PlanResult) -> list[NextAction]:
        return [NextAction("generate_code", "write the code of this plan on a branch of its own")]


def plan_digest(plan: Plan) -> str:
    """SHA-256 of the plan as canonical JSON: names sorted, no blanks, UTF-8."""
    canonical = json.dumps(plan.model_dump(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(canonical.encode()).hexdigest()


def _files(modified: list[str], new: list[str]) -> list[str]:
    return [*modified, *(f"{path} (new)" for path in new)] or ["no files"]
