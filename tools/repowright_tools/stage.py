"""What a stage is, and the ports it may use. A stage has never heard of MCP, settings or globals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

from repowright_tools.errors import EmptyRepository, NotARepository, RepowrightError
from repowright_tools.models import RepositoryWarning, Result, StageArguments

if TYPE_CHECKING:
    from repowright_tools.events import EventSink
    from repowright_tools.git.workspace import Workspace
    from repowright_tools.github.forge import Forge
    from repowright_tools.index.index import Index
    from repowright_tools.sandbox.base import Sandbox

A = TypeVar("A", bound=StageArguments)
R = TypeVar("R", bound=BaseModel)
T = TypeVar("T", bound=BaseModel)
Json = Any
"""Anything `json.dumps` takes. Journalled values are of this kind."""


# --- the repository a run is bound to ----------------------------------------------------------------------------


class BoundRepository(Result):
    """One repository at one commit.

    Attributes:
        source: as the caller named it.
        kind: `local` is the user's own work tree, `remote` a clone of ours.
        root: absolute path of the folder that is read: the user's tree, or our checkout of a remote.
        commit: the pinned commit, 40 or 64 hex digits; None for a folder without git, or before the first commit.
        branch: the branch that was checked out or asked for; None when detached.
        default_branch: the branch that changes are proposed to, as far as the repository says; None when unknown.
        dirty: whether `root` differs from `commit` (local sources only).
        origin: URL or path that a push goes to, without credentials; None when there is no `origin`.
        warnings: what went wrong when it was bound, and was mended.
    """

    source: str
    kind: Literal["local", "remote"]
    root: str
    commit: str | None
    branch: str | None
    default_branch: str | None
    dirty: bool
    origin: str | None
    warnings: tuple[RepositoryWarning, ...] = ()

    def pinned(self) -> str:
        """The commit, for what cannot do without.

        Raises:
            EmptyRepository: there is none yet.
            NotARepository: the folder has no git.
        """
        if self.commit is not None:
            return self.commit
        if self.branch is not None:
            raise EmptyRepository(f"{self.root} has no commit yet")
        raise NotARepository(f"{self.root} is a folder without git")


# --- asking --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Section:
    """A titled piece of context. Repository content is untrusted and is marked as such in every prompt.

    Attributes:
        title: one line.
        text: the content.
        untrusted: whether it is anything but our own or the user's words.
        shared: the stage's other asks have it word for word: it goes first in a prompt, where providers cache it.
    """

    title: str
    text: str
    untrusted: bool = True
    shared: bool = False


@dataclass(frozen=True)
class Ask(Generic[T]):
    """A question to whoever thinks.

    Attributes:
        name: names the journal step, unique within the stage.
        instructions: what to do, in our own words only: never repository content.
        context: what to know, the most important first; the last sections are dropped first when it does not fit.
        schema: the shape of the answer.
        check: findings against an answer in words that help to mend it; empty means accepted. Must be deterministic
            and free of effects, since a resumed attempt replays it.
    """

    name: str
    instructions: str
    context: Sequence[Section]
    schema: type[T]
    check: Callable[[T], Awaitable[list[str]]]


@dataclass(frozen=True)
class Answer(Generic[T]):
    """An accepted answer, who gave it, and the findings of the rounds before it (oldest first)."""

    value: T
    provider: str
    rejected: Sequence[RejectedAnswer[T]] = ()


@dataclass(frozen=True)
class RejectedAnswer(Generic[T]):
    """An answer that its check refused; `value` is None when it did not even fit the schema."""

    value: T | None
    findings: list[str]


class Model(Protocol):
    """Whoever thinks: a provider's API, the host's assistant, or a recording."""

    async def think(self, ask: Ask[T]) -> Answer[T]:
        """Ask until an answer passes the check, at most five refusals.

        Raises:
            InputRequired: the host thinks, and its answer is not here yet.
            AnswerRejected: the last allowed answer failed its check.
            ModelError: any other failure of the provider.
        """
        ...


class Brief(Result):
    """What the host's assistant is asked to think about, and the call that takes its answer."""

    instructions: str
    context: str
    response_schema: dict[str, Any]
    feedback: list[str]
    submit: dict[str, Any]


class Pending(Result):
    """What a suspended attempt waits for."""

    kind: Literal["brief", "approval", "breakpoint"]
    message: str
    brief: Brief | None = None
    digest: str | None = None


class InputRequired(Exception):
    """Not a failure: the attempt is suspended until somebody answers. Passes through every stage uncaught."""

    def __init__(self, pending: Pending) -> None:
        super().__init__(pending.message)
        self.pending = pending


# --- ports ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """What something cost. `usd` None means that a price is unknown."""

    usd: float | None = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    calls: int = 0
    provider: str = ""
    model: str | None = None


@dataclass(frozen=True)
class Charge:
    """How a paid step is charged to its run.

    Attributes:
        reservation: what it costs at worst. Held from the intent until the outcome is known, and charged when nobody
            will ever know it.
        cost_of: what a result cost.
        failure: what a failed effect cost, and what to write down about it.
        limit_usd: most the run may cost, everything that is held included; None means no limit.
    """

    reservation: Cost
    cost_of: Callable[[Json], Cost]
    failure: Callable[[Exception], tuple[Cost, Json]]
    limit_usd: float | None = None


class Journal(Protocol):
    """Paid or outward work that must happen at most once."""

    async def recorded(self, name: str, inputs: Json) -> Json | None:
        """The result of this step if it is finished, else None."""
        ...

    async def step(
        self,
        name: str,
        inputs: Json,
        effect: Callable[[], Awaitable[Json]],
        *,
        reconcile: Callable[[], Awaitable[Json | None]] | None = None,
        charge: Charge | None = None,
    ) -> Json:
        """Do `effect` once for these inputs in this attempt's line of attempts, and return its JSON result.

        A finished step returns its recorded result and does nothing. The intent is written before the effect, the
        result after it. A step whose intent stands alone (the process died in between) is first given to
        `reconcile`, which returns the result if the effect did happen, else None; without `reconcile` the effect is
        repeated and the lost one charged at its reservation. A failed effect is recorded and may be tried again.

        Raises:
            BudgetExceeded: the reservation does not fit what is left of `charge.limit_usd`. Nothing was done.
            PriceUnknown: there is a limit, but the price of this or an earlier step is not known. Nothing was done.
        """
        ...

    async def void(self, prefix: str) -> None:
        """Forget the finished steps whose name starts with `prefix`: a later attempt does them anew."""
        ...


class Approval(Protocol):
    """The operator's yes, without which nothing leaves the machine."""

    async def require(self, *, what: str, shown: str) -> None:
        """Return if the operator said yes to exactly `shown`.

        Args:
            what: one line, such as "push repowright/x to owner/name and open a draft pull request".
            shown: the whole text that the yes is bound to, by digest.

        Raises:
            InputRequired: nobody has answered yet.
            ApprovalDeclined: the operator said no.
        """
        ...


class EarlierResults(Protocol):
    """Results of the run's other stages."""

    def get(self, stage: str, shape: type[T]) -> T | None:
        """The complete result of `stage`, or None when it has none."""
        ...


class StageRunner(Protocol):
    """Runs a stage of the same run as part of the present one (what deliver_feature does)."""

    async def run(self, stage: str, arguments: StageArguments) -> dict[str, Any]:
        """The stage's result, run now unless the same attempt is complete already."""
        ...


@dataclass(frozen=True)
class StageContext:
    """The ports a stage may use, and nothing else."""

    run_id: str
    repository: BoundRepository
    results: EarlierResults
    model: Model
    sandbox: Sandbox
    forge: Forge
    workspace: Workspace
    index: Index
    journal: Journal
    approval: Approval
    events: EventSink
    stages: StageRunner


# --- stage ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hints:
    """What a client may assume of a tool; all four are always stated."""

    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool


@dataclass(frozen=True)
class NextAction:
    """A call that makes sense after this one; the server adds the run_id."""

    tool: str
    why: str
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Artifact:
    """A text that a result carries whole, named below the run: `diff` is `repowright://runs/{run_id}/diff`."""

    name: str
    mime_type: str
    text: str


class Stage(ABC, Generic[A, R]):
    """One stage of the pipeline. Its docstring is the tool's description: the first sentence says what it does.

    Attributes:
        name: the tool's name.
        title: the tool's title for people.
        arguments: the model of the stage's own arguments.
        result: the model of its result.
        hints: annotations of the tool.
        builds_on: earlier stages whose results enter this stage, and so the key of its attempts.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    arguments: ClassVar[type[StageArguments]]
    result: ClassVar[type[BaseModel]]
    hints: ClassVar[Hints]
    builds_on: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    async def run(self, ctx: StageContext, args: A) -> R:
        """Do the work. Raises RepowrightError for every foreseen failure and InputRequired to suspend."""

    def require(self, args: A, *, starts_run: bool) -> None:
        """Refuse arguments that their model cannot judge alone, before a run exists (InvalidArguments)."""

    def changes(self, args: A) -> bool:
        """Whether these arguments change something outside of the run; a read-only server refuses them."""
        return False

    def summarise(self, result: R) -> str:
        """The result in a few lines of text for people and models."""
        return f"{self.name} is complete."

    def artifacts(self, result: R) -> list[Artifact]:
        """Texts that are served whole beside the result."""
        return []

    def next_actions(self, result: R) -> list[NextAction]:
        """What to call next."""
        return []


AnyStage = Stage[Any, Any]

__all__ = [
    "Answer",
    "AnyStage",
    "Approval",
    "Artifact",
    "Ask",
    "BoundRepository",
    "Brief",
    "Charge",
    "Cost",
    "EarlierResults",
    "Hints",
    "InputRequired",
    "Journal",
    "Json",
    "Model",
    "NextAction",
    "Pending",
    "RejectedAnswer",
    "RepowrightError",
    "Section",
    "Stage",
    "StageContext",
    "StageRunner",
]
