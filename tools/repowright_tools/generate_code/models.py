"""Arguments of generate_code; its result is `GeneratedCode`, which later stages read too."""

from typing import Annotated, Literal

from pydantic import Field

from repowright_tools.models import Edits, Plan, Source, StageArguments


class GenerateCodeArguments(StageArguments):
    source: Source = None
    plan: Plan | None = Field(
        default=None, description="What to build. Default: the plan that plan_feature made on this run."
    )
    instruction: str | None = Field(
        default=None, min_length=1, max_length=20_000, description="What to change, in words, when there is no plan."
    )
    tasks: list[Annotated[str, Field(max_length=100)]] | None = Field(
        default=None, max_length=100, description="Ids of the plan's tasks to do now. Default: all."
    )
    mode: Literal["feature", "legacy_harness"] = Field(
        default="feature",
        description="`legacy_harness` writes characterisation tests of the code as it is, and touches nothing else.",
    )
    submission: Edits | None = Field(
        default=None, description="The answer to this tool's brief, when the host's assistant does the thinking."
    )
