"""The title and body of a pull request: what was asked for, what was tested, and which commits it is about."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from repowright_tools.models import CheckRun, Plan, TestReport
from repowright_tools.open_pr.change import Change
from repowright_tools.open_pr.markdown import block, code, fenced, inline
from repowright_tools.open_pr.models import MAX_BODY, MAX_TITLE
from repowright_tools.secrets import redact, strip_invisible

_TITLE_LENGTH = 100
"""Characters of a title that nobody gave: longer ones are cut in lists of pull requests."""
_LISTED = 50
_CUT = "\n\n*The rest of this text was left out: it is longer than the forge takes.*"
_MARKER = re.compile(r"\n*<!-- repowright run=(r_[0-9a-f]{32}) text=([0-9a-f]{64}) -->\s*\Z")
_RUN_ID = re.compile(r"r_[0-9a-f]{32}")


@dataclass(frozen=True)
class Evidence:
    """What the run knows of the branch; empty for a branch that a user made."""

    plan: Plan | None = None
    checks: Sequence[CheckRun] = ()
    tests: TestReport | None = None


def compose_title(title: str | None, evidence: Evidence, change: Change) -> str:
    """The caller's title, else the plan's summary, else the subject of the last commit; one visible line."""
    wanted = title or (evidence.plan.summary if evidence.plan else "") or change.commits[0].subject
    line = _visible(wanted) or f"Change {change.head_commit[:12]}"
    limit = MAX_TITLE if title else _TITLE_LENGTH
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def _visible(text: str) -> str:
    return " ".join(redact(strip_invisible(text)).split())


def compose_body(body: str | None, evidence: Evidence, change: Change, *, title: str, run_id: str) -> str:
    """The whole body, at most MAX_BODY characters: what is too long is cut from the summary, never from the evidence.

    It ends with a marker that says which run wrote it, and a digest by which edits of others are noticed.
    """
    summary = block(body) if body else _summary(evidence.plan, change, title)
    proof = [_tests(evidence.tests), _checks(evidence.checks), _commits(change, run_id)]
    requirements = _requirements(evidence)
    if len(requirements) + sum(len(section) for section in proof) > MAX_BODY * 3 // 4:
        requirements = "## Requirements\n\n*Left out: they are longer than the forge takes.*"
    below = redact("\n\n".join(section for section in (requirements, *proof) if section))
    room = MAX_BODY - len(below) - len(_CUT) - 200  # the marker, and blank lines
    summary = redact(summary)
    summary = summary if len(summary) <= room else summary[:room] + _CUT
    text = "\n\n".join(part for part in (summary, below) if part)
    return f"{text}\n\n<!-- repowright run={run_id} text={_digest(title, text)} -->"


def is_ours(title: str, body: str) -> bool | None:
    """Whether this program wrote the text: None when it did and somebody has edited it since."""
    marker = _MARKER.search(_lines(body))
    if marker is None:
        return False
    return True if marker[2] == _digest(title, _MARKER.sub("", _lines(body))) else None


def says_the_same(body: str, other: str) -> bool:
    """Whether two bodies of ours differ in nothing but the run that wrote them."""
    first, second = (_RUN_ID.sub("", _MARKER.sub("", _lines(each))) for each in (body, other))
    return first == second


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")


def _digest(title: str, text: str) -> str:
    return hashlib.sha256(f"{title}\n{text}".encode()).hexdigest()


def _summary(plan: Plan | None, change: Change, title: str) -> str:
    """The plan's summary, else the commits; nothing when the title says it all."""
    said = [plan.summary] if plan else [commit.subject for commit in change.commits]
    if [_visible(each) for each in said] == [title]:
        return ""
    return inline(plan.summary, 5000) if plan else _list([inline(each) for each in said])


def _requirements(evidence: Evidence) -> str:
    if evidence.plan is None:
        return ""
    rows = [f"- **{inline(each.id, 40)}** {inline(each.text)}" for each in evidence.plan.requirements[:_LISTED]]
    checks = [
        f"| {inline(each.id, 40)} | {inline(each.requirement, 40)} | {each.check.kind} "
        f"| {code(each.check.value[:200])} | {_status(each.check.kind, each.check.value, evidence.tests)} |"
        for each in evidence.plan.acceptance[:_LISTED]
    ]
    table = ["| Acceptance | Requirement | Kind | Check | Status |", "| --- | --- | --- | --- | --- |", *checks]
    return "\n".join(["## Requirements", "", *rows, *(["", *table] if checks else [])])


def _status(kind: str, value: str, tests: TestReport | None) -> str:
    """The outcome of an acceptance check as far as a test of that name shows it."""
    if kind != "test" or tests is None:
        return "not run"
    wanted = value.strip()
    outcomes = {test.outcome for test in tests.tests if test.id == wanted or test.id.startswith(f"{wanted}[")}
    outcomes = outcomes or {test.outcome for test in tests.tests if test.id.endswith((f"::{wanted}", f".{wanted}"))}
    worst = next((outcome for outcome in ("error", "failed", "skipped", "passed") if outcome in outcomes), None)
    return worst or "not found among the tests"


def _tests(tests: TestReport | None) -> str:
    if tests is None:
        return "## Tests\n\n**Not run** by Repowright on this branch."
    totals, box = tests.totals, tests.environment
    headline = "**passed**" if tests.verdict == "passed" else f"**NOT PASSED: {tests.verdict}**"
    lines = [
        "## Tests",
        "",
        f"{headline}: {inline(tests.reason)}",
        "",
        "| Verdict | Passed | Failed | Skipped | Errors |",
        "| --- | --- | --- | --- | --- |",
        f"| {tests.verdict} | {totals.passed} | {totals.failed} | {totals.skipped} | {totals.errors} |",
        "",
    ]
    for name in ("new_failure", "flaky", "vanished", "fixed", "pre_existing"):
        named = [code(test.id[:200]) for test in tests.tests if test.class_ == name]
        if named:
            more = f" and {len(named) - 10} more" if len(named) > 10 else ""
            lines.append(f"- {name.replace('_', ' ')}: {', '.join(named[:10])}{more}")
    if tests.coverage:
        lines.append(f"- changed lines covered: {tests.coverage.covered} of {tests.coverage.changed_lines}")
    lines.append(
        f"- sandbox: {inline(box.backend, 40)}, image {code(box.image[:300])}, digest {code(box.image_digest)}"
    )
    return "\n".join(lines)


def _checks(checks: Sequence[CheckRun]) -> str:
    if not checks:
        return ""
    return "\n".join(["## Checks", "", *(f"- {inline(each.name, 60)}: {each.status}" for each in checks[:_LISTED])])


def _commits(change: Change, run_id: str) -> str:
    return "\n".join(
        [
            "## Evidence",
            "",
            f"- base: {code(change.base)} at `{change.base_commit}`",
            f"- head: `{change.head_commit}`, {len(change.commits)} commit(s)",
            f"- run: `{run_id}`",
            "",
            fenced(diffstat(change)),
        ]
    )


def diffstat(change: Change) -> str:
    """The changed files with their lines, one a line, and the sum."""
    lines = [f"{_signed('+', each.additions)} {_signed('-', each.deletions)} {each.path}" for each in change.files]
    added = sum(each.additions or 0 for each in change.files)
    deleted = sum(each.deletions or 0 for each in change.files)
    more = [f"... and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    shown = [redact(" ".join(strip_invisible(line).split()))[:200] for line in lines[:_LISTED]]
    return "\n".join([*shown, *more, f"{len(lines)} file(s), +{added} -{deleted}"])


def _signed(sign: str, count: int | None) -> str:
    return "binary" if count is None else f"{sign}{count}"


def _list(lines: list[str]) -> str:
    more = [f"- and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return "\n".join([*(f"- {line}" for line in lines[:_LISTED]), *more])
