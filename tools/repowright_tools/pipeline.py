"""deliver_feature: the stages in order on one run; and how the stages named in PIPELINE are loaded."""

from importlib import import_module
from typing import Any

from pydantic import Field

from repowright_tools import DELIVERY, PIPELINE
from repowright_tools.errors import InvalidArguments
from repowright_tools.models import Edits, Plan, Result, Source, StageArguments
from repowright_tools.stage import AnyStage, Hints, NextAction, Stage, StageContext


def load_stages() -> dict[str, AnyStage]:
    """The stages of PIPELINE by name, in its order."""
    places = {name: entry.partition(":") for name, entry in PIPELINE.items()}
    return {name: getattr(import_module(module), kind)() for name, (module, _, kind) in places.items()}


class DeliverFeatureArguments(StageArguments):
    source: Source = None
    request: str | None = Field(default=None, max_length=20_000, description="What is wanted, in plain words.")
    constraints: list[str] = Field(default_factory=list[str], max_length=50, description="What must hold all the same.")
    open_pr: bool = Field(default=True, description="Whether to open a pull request when the tests pass.")
    submission: Plan | Edits | None = Field(default=None, description="The answer to the brief of the waiting run.")


class Delivery(Result):
    """The results of the stages; `open_pr` is null when no pull request was wanted, or the tests did not pass."""

    analyse_repo: dict[str, Any]
    plan_feature: dict[str, Any]
    generate_code: dict[str, Any]
    run_tests_sandboxed: dict[str, Any]
    open_pr: dict[str, Any] | None = None


class DeliverFeature(Stage[DeliverFeatureArguments, Delivery]):
    """Take a feature from request to pull request: analyse, plan, generate, test in a sandbox, open the pull request.

    Runs the five stages in order on one run; each result is as if the stage had been called by itself. Answers with a
    brief when you are to think (hand the answer in as `submission`), and with an approval before anything leaves the
    machine. When the tests do not pass no pull request is opened, and the result says why.
    """

    name = "deliver_feature"
    title = "Deliver a feature"
    arguments = DeliverFeatureArguments
    result = Delivery
    hints = Hints(read_only=False, destructive=False, idempotent=True, open_world=True)

    def require(self, args: DeliverFeatureArguments, *, starts_run: bool) -> None:
        if not (args.request or "").strip():
            raise InvalidArguments("request: say what is wanted")

    def changes(self, args: DeliverFeatureArguments) -> bool:
        return args.open_pr

    async def run(self, ctx: StageContext, args: DeliverFeatureArguments) -> Delivery:
        ctx.repository.pinned()
        if args.open_pr:
            ctx.forge.require_writable()
            await ctx.forge.preflight(ctx.forge.authorise(ctx.repository))
        await ctx.sandbox.check()
        own: dict[str, dict[str, Any]] = {
            "plan_feature": {"request": args.request, "constraints": args.constraints},
        }
        results: dict[str, dict[str, Any]] = {}
        stages = load_stages()
        for name in DELIVERY[:-1]:
            results[name] = await ctx.stages.run(name, stages[name].arguments.model_validate(own.get(name, {})))
        opened = None
        if args.open_pr and results["run_tests_sandboxed"]["verdict"] == "passed":
            opened = await ctx.stages.run("open_pr", stages["open_pr"].arguments.model_validate({}))
        return Delivery.model_validate(results | {"open_pr": opened})

    def summarise(self, result: Delivery) -> str:
        tests = result.run_tests_sandboxed
        code = result.generate_code
        said = f"Branch {code['branch']} at {code['head_commit'][:12]}; tests: {tests['verdict']} ({tests['reason']})."
        if result.open_pr is None:
            return f"{said} No pull request was opened.\nFetch the branch with: {code['fetch']}"
        where = result.open_pr["url"] or f"{result.open_pr['repository']} {result.open_pr['head']}"
        return f"{said} Pull request {result.open_pr['action']}: {where}"

    def next_actions(self, result: Delivery) -> list[NextAction]:
        if result.open_pr is not None:
            return []
        why = "the tests did not pass: change the code on the same run, with an `instruction` that mends it"
        return [NextAction(tool="generate_code", why=why)]
