"""What open_pr takes and returns."""

from typing import Annotated, Literal

from pydantic import Field

from repowright_tools.models import Result, Source, StageArguments

MAX_TITLE = 256
"""Characters that GitHub keeps of a title."""
MAX_BODY = 65_536
"""Characters that GitHub keeps of a body."""

Reviewer = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98})(?:\[bot\])?(?:/[A-Za-z0-9._-]{1,100})?$", max_length=200)
]
Label = Annotated[str, Field(min_length=1, max_length=50)]


class OpenPrArguments(StageArguments):
    source: Source = None
    branch: str | None = Field(
        default=None, description="A branch of your own to propose; without it, the branch that generate_code made."
    )
    base: str | None = Field(
        default=None, description="The branch to propose it to; by default the remote's default branch."
    )
    title: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_TITLE,
        description="One line; by default the plan's summary, or the subject of the branch's last commit.",
    )
    body: str | None = Field(
        default=None,
        max_length=MAX_BODY,
        description="Markdown that replaces the summary; the evidence is added below it.",
    )
    draft: bool = Field(default=True, description="Whether it is a draft, which nobody can merge until it is ready.")
    reviewers: list[Reviewer] = Field(
        default_factory=list, max_length=15, description="Logins, or org/team for the reviewers to be asked."
    )
    labels: list[Label] = Field(
        default_factory=list, max_length=50, description="Names of labels to set, such as `bug`."
    )
    dry_run: bool = Field(default=False, description="Show what would be sent, and send nothing.")


class Withheld(Result):
    """Something that was asked for, or was in the change, and was left out."""

    what: str
    where: str
    reason: str


Action = Literal["created", "adopted", "updated", "noop", "pushed", "dry_run"]


class OpenPrResult(Result):
    """What became of the branch. `url` and `number` are None when there is no pull request.

    `created`: a new pull request. `adopted`: one that was there is left as it is. `updated`: its title and body are
    new. `noop`: everything was so already. `pushed`: plain git, the branch alone. `dry_run`: nothing was sent.
    """

    action: Action
    url: str | None
    number: int | None
    repository: str
    head: str
    base: str
    title: str
    body: str
    withheld: list[Withheld] = Field(default_factory=list[Withheld])
