"""What generate_cursor_rules takes and returns."""

from typing import Annotated, Literal

from pydantic import Field

from repowright_tools.models import Evidence, Result, Source, StageArguments

Target = Literal["cursor", "agents", "claude", "copilot", "devin", "gemini"]


def _cursor() -> list[Target]:
    return ["cursor"]


class GenerateCursorRulesArguments(StageArguments):
    source: Source = None
    targets: Annotated[
        list[Target],
        Field(
            min_length=1, description="Whose rules files: claude and gemini import AGENTS.md, which is then made too."
        ),
    ] = Field(default_factory=_cursor)
    mode: Annotated[
        Literal["preview", "write", "check"],
        Field(description="preview writes nothing; write changes the user's own work tree; check looks for drift."),
    ] = "preview"
    scope: Annotated[
        Literal["root", "nested"],
        Field(description="nested adds files for each folder below with a manifest of its own."),
    ] = "root"
    max_tokens: Annotated[
        int, Field(ge=100, le=20_000, description="Most tokens of rules for one target; the least important go first.")
    ] = 2000


class Rule(Result):
    """A convention that the repository itself proves.

    Attributes:
        id: stable for the same subject, whatever is said of it.
        claim: the rule as the files have it, `subject: statement`.
        kind: commands, layout, tests or python.
        conforming: how many of the `sites` looked at are as the claim says.
    """

    id: str
    claim: str
    kind: str
    evidence: list[Evidence]
    conforming: int
    sites: int


class RulesFile(Result):
    """A file as it is to be, human text included; secrets and invisible characters of that are hidden here only.

    `rules` counts the rules in it: fewer than the result's when `max_tokens` is short, none in a file that imports
    another.
    """

    path: str
    content: str
    tokens: int
    rules: int


class Drift(Result):
    """A line of an existing file that the repository no longer supports, or that now reads differently.

    A rule that the file does not have yet is reported at the line of its opening marker. `since` is not known.
    """

    rule: str
    path: str
    line: int
    since: str | None = None


class Conflict(Result):
    """A file that is left as it is, and why."""

    path: str
    reason: str


class GenerateCursorRulesResult(Result):
    files: list[RulesFile] = Field(default_factory=list[RulesFile])
    rules: list[Rule] = Field(default_factory=list[Rule])
    drift: list[Drift] = Field(default_factory=list[Drift])
    conflicts: list[Conflict] = Field(default_factory=list[Conflict])
