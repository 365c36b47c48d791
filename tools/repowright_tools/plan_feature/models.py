"""Arguments of plan_feature. Its result is `PlanResult`, which later stages read too."""

from typing import Literal

from pydantic import Field

from repowright_tools.models import Plan, Source, StageArguments

Mode = Literal["feature", "regenerate", "legacy_regeneration"]


class PlanFeatureArguments(StageArguments):
    request: str | None = Field(default=None, description="What is wanted, in your words. Needed without run_id.")
    source: Source = None
    constraints: list[str] = Field(default_factory=list, description="What the plan must respect, one point each.")
    mode: Mode = Field(
        default="feature",
        description="feature: add to what is there. regenerate: plan anew from this run's earlier plan and its tests, "
        "keeping what passed. legacy_regeneration: rebuild an old part step by step behind its present behaviour.",
    )
    submission: Plan | None = Field(default=None, description="Your plan, when a brief of this tool asked for one.")
