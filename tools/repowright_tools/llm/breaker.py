"""The circuit breaker of one model: when a service is down, almost nobody asks it."""

from pydantic import BaseModel, Field

from repowright_tools.llm.spans import Span

FAILURES = 5
"""So many failures of the service in a row, and it counts as down."""
OPEN_S = 5.0
LONGEST_OPEN_S = 120.0
PROBE_S = 60.0
"""A probe that has not ended by then holds nobody back any more: its process may have died, or its answer is long."""


class Circuit(BaseModel):
    """Closed, open (nobody asks until a time) or half-open (one probe asks, the others wait for what becomes of it).

    Pattern: M. Nygard, Release It!, "Circuit Breaker".

    Attributes:
        failures: of the service, in a row, while closed.
        tripped: not closed.
        open_s: how long it is open this time; doubles with each probe that fails.
        probe: ticket of the probe; empty when there is none.
        used: when it was last looked at, epoch seconds.
    """

    failures: int = 0
    tripped: bool = False
    open: Span = Span()
    open_s: float = Field(default=OPEN_S, ge=OPEN_S, le=LONGEST_OPEN_S)
    probe: str = ""
    lease: Span = Span()
    used: float = 0.0

    def wait_s(self, ticket: str, now: float) -> float:
        """Seconds that this request has to wait at most; 0 when it may be sent."""
        self.used = now
        if not self.tripped:
            return 0.0
        if left_s := self.open.left_s(now):
            return left_s
        return 0.0 if self.probe in ("", ticket) else self.lease.left_s(now)

    @property
    def probing(self) -> bool:
        """Whether what is waited for may come earlier than the end of the wait."""
        return self.tripped and self.probe != ""

    def sent(self, ticket: str, now: float) -> None:
        if self.tripped:
            self.probe, self.lease = ticket, Span.lasting(PROBE_S, now)

    def succeeded(self, ticket: str) -> None:
        """The service answered. Answers to what was asked before it failed close nothing."""
        if not self.tripped:
            self.failures = 0
        elif ticket == self.probe:
            self.tripped, self.failures, self.probe, self.open_s = False, 0, "", OPEN_S

    def failed(self, ticket: str, now: float) -> None:
        """The service failed. Failures of what was asked before it was open count no more."""
        if self.tripped and ticket == self.probe:
            self._trip(min(2 * self.open_s, LONGEST_OPEN_S), now)
        elif not self.tripped:
            self.failures += 1
            if self.failures >= FAILURES:
                self._trip(OPEN_S, now)

    def left(self, ticket: str) -> None:
        """The request ended and says nothing about the service: another one may probe."""
        if ticket == self.probe:
            self.probe = ""

    def _trip(self, seconds: float, now: float) -> None:
        self.tripped, self.probe, self.open_s = True, "", seconds
        self.open = Span.lasting(seconds, now)
