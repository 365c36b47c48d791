"""From the question to the commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from repowright_tools.errors import AnswerRejected
from repowright_tools.generate_code import prompt
from repowright_tools.generate_code.checks import run_checks
from repowright_tools.generate_code.edits import Changes, Problem, Tree, resolve, write
from repowright_tools.models import CheckRun, Edits, Plan, RejectedEdit, Task
from repowright_tools.secrets import redact, strip_invisible
from repowright_tools.stage import Answer, Ask, RejectedAnswer, StageContext
from repowright_tools.threads import in_thread

_MAX_NOTES = 2_000


class Generation:
    """One attempt to change the tree of the clone, which stands at its base commit until `commit`."""

    def __init__(self, ctx: StageContext, clone: Path, modes: Mapping[str, int], *, harness: bool) -> None:
        self._ctx = ctx
        self._tree = Tree(clone, modes)
        self._harness = harness

    async def ask(self, plan: Plan | None, tasks: Sequence[Task], instruction: str | None) -> Answer[Edits]:
        """Have the edits written, and mended until they apply and pass every check."""
        index = await self._ctx.index.open(self._tree.root)
        ask = Ask(
            name="edits",
            instructions=prompt.HARNESS_INSTRUCTIONS if self._harness else prompt.INSTRUCTIONS,
            context=await prompt.context(plan, tasks, instruction, self._tree, index),
            schema=Edits,
            check=self._findings,
        )
        return await self._ctx.model.think(ask)

    async def checks(self, edits: Edits) -> list[CheckRun]:
        """The checks of edits that apply.

        Raises:
            AnswerRejected: they do not.
        """
        return await run_checks(await self._applicable(edits))

    async def rejected(self, answers: Sequence[RejectedAnswer[Edits]]) -> list[RejectedEdit]:
        """What earlier rounds proposed and was refused, path by path."""
        found: list[RejectedEdit] = []
        for answer in answers:
            problems = [Problem("", finding) for finding in answer.findings]
            if answer.value is not None:
                problems = await self._problems(answer.value) or problems
            found += [RejectedEdit(path=one.path, reason=one.reason, nearest=one.nearest) for one in problems]
        return found

    async def commit(self, edits: Edits, branch: str, subject: str, trailers: Sequence[tuple[str, str]]) -> str:
        """Commit edits that apply and return the commit: the same one, however often a resumed attempt does this.

        Raises:
            AnswerRejected: they do not apply.
            NothingToChange: they leave the tree as it is.
        """
        workspace, base = self._ctx.workspace, self._ctx.repository.pinned()
        when: str = await self._ctx.journal.step("commit date", {"base": base}, _now)
        message = f"{subject}\n\n{redact(strip_invisible(edits.notes)).strip()[:_MAX_NOTES]}"

        async def make() -> str:
            await workspace.start_branch(branch, base)
            await in_thread(write, await self._applicable(edits), self._tree)
            return await workspace.commit(message, trailers, when=datetime.fromisoformat(when))

        inputs = {"base": base, "branch": branch, "edits": _digest(edits), "message": message, "when": when}
        head: str = await self._ctx.journal.step("commit", inputs, make)
        if not await workspace.has_commit(head):  # the workspace was cleaned up since
            head = await make()
        await workspace.start_branch(branch, head)
        return head

    async def _findings(self, edits: Edits) -> list[str]:
        return [str(problem) for problem in await self._problems(edits)]

    async def _problems(self, edits: Edits) -> list[Problem]:
        changes = await in_thread(resolve, edits, self._tree, self._allowed)
        if changes.problems:
            return changes.problems
        checks = await run_checks(changes)
        return [
            Problem(finding.path, f"line {finding.line}: {finding.message} ({finding.code})")
            for check in checks
            if check.status == "failed"
            for finding in check.findings
        ]

    async def _applicable(self, edits: Edits) -> Changes:
        changes = await in_thread(resolve, edits, self._tree, self._allowed)
        if changes.problems:
            raise AnswerRejected("; ".join(str(problem) for problem in changes.problems))
        return changes

    def _allowed(self, path: str) -> str | None:
        """In the mode legacy_harness nothing that exists is touched, and nothing but tests is new."""
        if not self._harness or (path not in self._tree.modes and prompt.is_test_file(path)):
            return None
        return "only new test files are accepted in this mode"


async def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _digest(edits: Edits) -> str:
    return sha256(edits.model_dump_json(by_alias=True).encode()).hexdigest()
