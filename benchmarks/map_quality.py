"""Which files of an answer a map names, on commits of a project's own history (`retrieval_cases`).

The map is made at the commit before, for the commit's message. Its history is cut as in the retrieval benchmark: the
newest 30 days are folded into one commit without a telling message, so that no commit of the same work says more
than a newcomer could know.
"""

import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis_tables import table
from processes import Program
from retrieval_cases import Case, cases, changes, embargoed

HERE = Path(__file__).resolve().parent
SEED = 1
_SHOULD_HAVE = 500  # commits; a repository with fewer has no history to speak of
_NAMES = ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL")
_DATES = ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE")


@dataclass(frozen=True)
class Quality:
    """Means over the cases of a project: the share of the answer's files that a map names, and its length."""

    project: str
    who: str
    cases: int
    named: float
    any_named: float
    characters: float


def quality(
    source: Path,
    folder: Path,
    environment: Mapping[str, str],
    peer: Path | None,
    count: int,
    tokens: int,
    say: Callable[[str], None],
) -> list[Quality]:
    """Ours and the peer's maps of at most `tokens` on the same cases; nothing for a repository without history."""
    history = changes(source)
    if len(history) < _SHOULD_HAVE:
        return []
    tree = folder / f"{source.name}-cases"
    command = ["git", "clone", "--quiet", "--shared", "--no-checkout", "--no-tags", str(source.resolve()), str(tree)]
    subprocess.run(command, check=True)
    programs = {"ours": [sys.executable, "-P", str(HERE / "map_process.py"), str(tree), f"{tree}-store", str(tokens)]}
    if peer:
        programs["aider-chat"] = [str(peer), str(HERE / "aider_map.py"), str(tree), f"{tree}-cache", str(tokens)]
    found: dict[str, list[tuple[float, int]]] = {who: [] for who in programs}
    open_programs = {who: Program(command, environment) for who, command in programs.items()}
    try:
        for number, case in enumerate(cases(source.name, history, count, SEED)):
            say(f"{source.name}: map of case {number + 1} of {count}")
            _go_to(tree, case, [change.id for change in embargoed(history, case)[:1]], environment)
            for who, program in open_programs.items():
                answer = program.ask(case.full)
                found[who].append((named(answer["text"], case.gold), len(answer["text"])))
    finally:
        for program in open_programs.values():
            program.close()
    return [_mean(source.name, who, results) for who, results in found.items() if results]


def named(text: str, gold: frozenset[str]) -> float:
    """The share of the files whose path is a line of the map (aider-chat's ends in a colon)."""
    lines = {line.removesuffix(":") for line in text.splitlines()}
    return len(gold & lines) / len(gold)


def quality_table(qualities: Sequence[Quality]) -> str:
    head = ("repository", "map of", "cases", "answer's files named", "cases with at least one", "characters")
    rows = [
        [one.project, one.who, str(one.cases), f"{one.named:.3f}", f"{one.any_named:.3f}", f"{one.characters:,.0f}"]
        for one in qualities
    ]
    return f"### Files of the answer that a map of 4,096 tokens names\n\n{table(head, rows)}"


def _mean(project: str, who: str, results: Sequence[tuple[float, int]]) -> Quality:
    shares = [share for share, _ in results]
    return Quality(
        project,
        who,
        len(results),
        statistics.mean(shares),
        statistics.mean(share > 0 for share in shares),
        statistics.mean(length for _, length in results),
    )


def _go_to(tree: Path, case: Case, parents: Sequence[str], environment: Mapping[str, str]) -> None:
    """Check out the case's parent, as one commit on top of the history that may be known."""
    who = dict.fromkeys(_NAMES, "benchmark") | dict.fromkeys(_DATES, f"{case.time} +0000")
    git = ["git", "-C", str(tree)]
    command = [*git, "commit-tree", f"{case.parent}^{{tree}}", "-m", "State", *(f"-p{parent}" for parent in parents)]
    made = subprocess.run(command, env={**environment, **who}, capture_output=True, check=True, text=True)
    subprocess.run([*git, "checkout", "-q", "--force", "--detach", made.stdout.strip()], check=True)
    subprocess.run([*git, "clean", "-qffdx"], check=True)
