"""A run as it is now, read in one transaction."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.engine import Connection

from repowright_server.runs import store
from repowright_server.runs.journal import cost_of_entries, entries_of, first_break
from repowright_server.runs.ports import results_of
from repowright_server.runs.run import Attempt, Run, digest
from repowright_tools.errors import UnknownRun
from repowright_tools.stage import Cost


@dataclass(frozen=True)
class RunState:
    run: Run
    attempts: list[Attempt]
    results: dict[str, dict[str, Any]]
    journal: list[dict[str, Any]]
    approvals: list[dict[str, Any]]
    events: list[dict[str, Any]]

    @property
    def latest(self) -> list[Attempt]:
        """The latest attempt of each stage that still stands, in the order in which the stages were first called."""
        newest = {each.stage: each for each in self.attempts if each.dropped_by is None}
        return list(newest.values())

    def cost(self, stage: str | None) -> Cost:
        """What one stage cost; deliver_feature and None mean the whole run."""
        everything = stage in (None, "deliver_feature")
        return cost_of_entries([each for each in self.journal if everything or each["stage"] == stage])

    def evidence(self) -> dict[str, Any]:
        """What was done, by digests: enough to check a claim about the run against its journal."""
        repository = self.run.repository
        return {
            "run_id": self.run.id,
            "repository": None if repository is None else repository.source,
            "commit": None if repository is None else repository.commit,
            "results": {name: digest(result) for name, result in self.results.items()},
            "approvals": [{**each, "run_id": self.run.id} for each in self.approvals],
            "steps": [
                {name: each[name] for name in ("seq", "at", "stage", "name", "inputs", "kind", "hash")}
                for each in self.journal
            ],
            "journal_head": self.journal[-1]["hash"] if self.journal else None,
            "journal_broken_at": first_break(self.journal),
            "cost": asdict(self.cost(None)),
        }


def read_state(db: Connection, run_id: str, principal: str) -> RunState:
    """Read everything about a run.

    Raises:
        UnknownRun: there is no such run of this principal.
    """
    run = store.run_of(db, run_id)
    if run is None or run.principal != principal:
        raise UnknownRun(f"there is no run {run_id}")
    return RunState(
        run=run,
        attempts=store.attempts_of(db, run_id),
        results=results_of(db, run_id),
        journal=entries_of(db, run_id),
        approvals=store.approvals_of(db, run_id),
        events=store.events_of(db, run_id),
    )
