"""An attempt that this process executes."""

from dataclasses import dataclass, field

import anyio

from repowright_server.runs.history import History
from repowright_server.runs.run import Attempt, Run


@dataclass(eq=False)
class Execution:
    """The handle on a running attempt.

    Attributes:
        attached: calls that wait for it in this process.
        cancelled: whether the operator or the last attached call ended it; a shutdown leaves it resumable instead.
        ended: set when nothing of it runs any more and its outcome is in the store.
    """

    run: Run
    attempt: Attempt
    history: History
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    ended: anyio.Event = field(default_factory=anyio.Event)
    attached: int = 0
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True
        self.scope.cancel()
