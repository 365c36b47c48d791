"""A call of a stage, as the protocol hands it to the runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repowright_server.runs.run import Attempt, digest
from repowright_tools.errors import InvalidArguments
from repowright_tools.stage import AnyStage


@dataclass(frozen=True)
class StageCall:
    """A validated call of a stage.

    Attributes:
        arguments: the stage's own, complete with defaults, without `submission`; JSON.
        given: names of the arguments that the caller wrote.
        submission: the answer that came with the call, as a list of none or one.
        source: the parsed source of a call that starts a run.
    """

    stage: AnyStage
    arguments: dict[str, Any]
    given: frozenset[str]
    submission: Sequence[Any]
    run_id: str | None
    source: Mapping[str, Any] | None
    principal: str = "local"

    @property
    def bare(self) -> bool:
        """Whether the caller wrote no argument of the stage's own."""
        return not self.given - {"submission", "source", "ref"}

    @property
    def incomplete(self) -> bool:
        """Whether the arguments cannot stand alone, so that an earlier attempt's must be meant."""
        try:
            self.stage.require(self.stage.arguments.model_validate(self.arguments), starts_run=True)
        except InvalidArguments:
            return True
        return False

    @property
    def answers(self) -> list[str]:
        """Digests of the submission, none or one."""
        return [digest(answer) for answer in self.submission]

    def known_to(self, attempt: Attempt) -> bool:
        """Whether the attempt has had the submission already; a call without one is known to every attempt."""
        return all(answer in attempt.submissions for answer in self.answers)
