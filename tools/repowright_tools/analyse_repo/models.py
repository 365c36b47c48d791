"""Arguments and result of analyse_repo."""

from typing import Annotated

from pydantic import Field

from repowright_tools.models import Evidence, RepositoryWarning, Result, Source, StageArguments, Strict


class AnalyseRepoArguments(StageArguments):
    source: Source = None
    ref: str | None = Field(
        default=None,
        max_length=200,
        description="Branch, tag or commit to analyse. Default: what is checked out, or the remote's default branch.",
    )
    focus: str | None = Field(
        default=None,
        max_length=10_000,
        description="What the work is about: a question or request in words, paths, or names of symbols. "
        "Ranks the map by it and fills `relevant`, best first, with the reason for each.",
    )
    exclude: list[Annotated[str, Field(max_length=500)]] = Field(
        default_factory=list,
        max_length=50,
        description="Patterns of files to leave out, with the syntax of .gitignore.",
    )
    token_budget: int = Field(
        default=4096,
        ge=256,
        le=32_768,
        description="The map, with the overview at its head, is never longer than this, in tokens.",
    )
    stories: bool = Field(
        default=False, description="Also derive user stories from the features found. Needs a model; the rest does not."
    )


class Language(Result):
    name: str
    files: int
    lines: int
    bytes: int


class ExcludedFiles(Result):
    """Files left out for one reason, with at most three examples."""

    reason: str
    count: int
    examples: list[str] = Field(default_factory=list[str])


class FileCounts(Result):
    """`listed` is what git tracks or would add; `analysed` of them were read."""

    listed: int
    analysed: int
    excluded: list[ExcludedFiles] = Field(default_factory=list[ExcludedFiles])


class EntryPoint(Result):
    name: str
    kind: str
    path: str
    line: int


class Command(Result):
    """A shell line to be run at the root of the repository."""

    command: str
    evidence: Evidence


class Commands(Result):
    """The most authoritative of a kind first."""

    install: list[Command] = Field(default_factory=list[Command])
    test: list[Command] = Field(default_factory=list[Command])
    lint: list[Command] = Field(default_factory=list[Command])
    build: list[Command] = Field(default_factory=list[Command])
    run: list[Command] = Field(default_factory=list[Command])


class Module(Result):
    """A folder with source files. Layer 0 imports no other module; every other one lies above all it imports."""

    path: str
    files: int
    lines: int
    imports: list[str] = Field(default_factory=list[str])
    layer: int
    in_cycle: bool


class RelevantFile(Result):
    path: str
    score: float
    why: str


class Feature(Result):
    """Something a user can reach or rely on: a command, a route, a page, a name of the API, what a test promises."""

    id: str
    title: str
    evidence: list[Evidence] = Field(default_factory=list[Evidence])


class Story(Result):
    id: str
    feature: str
    story: str
    acceptance: list[str] = Field(default_factory=list[str])
    evidence: list[Evidence] = Field(default_factory=list[Evidence])


class Analysis(Result):
    commit: str | None
    dirty: bool
    root: str
    languages: list[Language] = Field(default_factory=list[Language])
    files: FileCounts
    map: str
    map_tokens: int
    entry_points: list[EntryPoint] = Field(default_factory=list[EntryPoint])
    commands: Commands
    modules: list[Module] = Field(default_factory=list[Module])
    relevant: list[RelevantFile] = Field(default_factory=list[RelevantFile])
    features: list[Feature] = Field(default_factory=list[Feature])
    stories: list[Story] = Field(default_factory=list[Story])
    warnings: list[RepositoryWarning] = Field(default_factory=list[RepositoryWarning])


class CitedLine(Strict):
    path: str = Field(description="A file of the repository, as the context spells it.")
    line: int = Field(ge=1, description="A line of that file.")


class ProposedStory(Strict):
    feature: str = Field(description="The id of the feature it belongs to, such as F1.")
    story: str = Field(description="As a <role>, I want <what>, so that <why>.")
    acceptance: list[str] = Field(
        description="Criteria that can be checked, one sentence each, which may end with a citation [path:line]."
    )
    evidence: list[CitedLine] = Field(description="Lines of code that do what the story says.")


class ProposedStories(Strict):
    """A model's answer, before its evidence is looked up."""

    stories: list[ProposedStory]
