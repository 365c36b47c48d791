"""The most a run may cost: looked at before each paid call, against what it could cost at worst."""

from collections.abc import Callable
from dataclasses import dataclass

from repowright_tools.errors import BudgetExceeded, PriceUnknown
from repowright_tools.stage import Cost


@dataclass(frozen=True)
class Budget:
    """A limit in US dollars (None: no limit), and what the run has spent so far."""

    max_run_cost_usd: float | None
    spent: Callable[[], float] | None = None

    def allow(self, reservation: Cost) -> None:
        """Return if the run can afford a call that costs at most `reservation`.

        Raises:
            PriceUnknown: there is a limit, but nobody can say what the call costs.
            BudgetExceeded: the call could cost more than is left.
        """
        if self.max_run_cost_usd is None:
            return
        if reservation.usd is None:
            raise PriceUnknown(f"the price of {reservation.model} is not known, and a cost limit is set")
        spent = 0.0 if self.spent is None else self.spent()
        if spent + reservation.usd > self.max_run_cost_usd:
            raise BudgetExceeded(
                f"the next call may cost {reservation.usd:.4f} USD; {spent:.4f} of {self.max_run_cost_usd:.4f} USD "
                "are spent"
            )
