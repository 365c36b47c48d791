"""What the planner gets to know, the most important first."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from repowright_tools.models import PlanResult, TestReport
from repowright_tools.stage import EarlierResults, Section
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from repowright_tools.index.index import RepositoryIndex

MAP_TOKENS = 8_000
MOST_FILES = 12
MOST_FILE_CHARACTERS = 16_000
MOST_CHARACTERS = 96_000
"""Of all files together; some 25,000 tokens."""
_LISTED_TESTS = 50


async def sections(
    request: str, constraints: Sequence[str], earlier: Sequence[Section], index: "RepositoryIndex"
) -> list[Section]:
    """The request and its constraints, what an earlier plan came to, and what matters of the repository."""
    told = [Section("Request", request, untrusted=False)]
    if constraints:
        told.append(Section("Constraints", "\n".join(f"- {point}" for point in constraints), untrusted=False))
    told += earlier
    ranked = await index.render_map(MAP_TOKENS, request)
    told.append(Section("Map of the repository, what fits the request first", ranked.text))
    relevant = [hit.path for hit in await index.relevant(request, MOST_FILES)]
    return told + await in_thread(_from_the_tree, index, relevant)


def earlier_sections(results: EarlierResults) -> list[Section]:
    """The run's earlier plan and the outcome of its tests, as far as there are any."""
    told: list[Section] = []
    if planned := results.get("plan_feature", PlanResult):
        told.append(Section("Earlier plan", planned.plan.model_dump_json(indent=1)))
    if report := results.get("run_tests_sandboxed", TestReport):
        told.append(Section("Outcome of its tests", _outcome(report)))
    return told


def _outcome(report: TestReport) -> str:
    totals = report.totals
    lines = [
        f"verdict: {report.verdict} ({report.reason})",
        f"passed {totals.passed}, failed {totals.failed}, errors {totals.errors}, skipped {totals.skipped}",
    ]
    failed = [test for test in report.tests if test.outcome in ("failed", "error")]
    lines += [f"{test.outcome}: {test.id}: {test.message or ''}" for test in failed[:_LISTED_TESTS]]
    passed = [test for test in report.tests if test.outcome == "passed"]
    lines += [f"passed: {test.id}" for test in passed[:_LISTED_TESTS]]
    left_out = max(len(failed) - _LISTED_TESTS, 0) + max(len(passed) - _LISTED_TESTS, 0)
    return "\n".join([*lines, *([f"({left_out} more tests left out)"] if left_out else [])])


def _from_the_tree(index: "RepositoryIndex", relevant: Sequence[str]) -> list[Section]:
    told: list[Section] = []
    commands = [f"{kind}: {found.command}" for kind, several in index.commands().items() for found in several]
    if commands:
        told.append(Section("Commands of the repository", "\n".join(commands)))
    left = MOST_CHARACTERS
    for path in relevant:
        text = _head(index.text(path) or "", min(left, MOST_FILE_CHARACTERS))
        if text:
            told.append(Section(f"File {path}", text))
            left -= len(text)
    return told


def _head(text: str, most: int) -> str:
    """The text, or as many whole lines of it as fit."""
    if len(text) <= most:
        return text
    kept = text[:most].rpartition("\n")[0]
    left_out = text.count("\n", len(kept) + 1) + 1
    return f"{kept}\n[{left_out} more lines left out]" if kept else ""
