"""The stage: mine the repository, render its rules for each assistant, and preview, write or check the files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from repowright_tools.errors import InvalidArguments, StageTimeout
from repowright_tools.generate_cursor_rules.models import GenerateCursorRulesArguments, GenerateCursorRulesResult
from repowright_tools.stage import Hints, NextAction, Stage, StageContext

if TYPE_CHECKING:
    from repowright_tools.generate_cursor_rules.projects import Project

_DEADLINE_S = 120
"""For mining one folder, and for reading and writing the files."""


class GenerateCursorRules(Stage[GenerateCursorRulesArguments, GenerateCursorRulesResult]):
    """Writes rules files for coding assistants (Cursor, AGENTS.md, Claude, Copilot, Devin, Gemini) from evidence.

    Each rule is a convention that the repository itself proves: commands, layout, test habits, Python style, with the
    files and lines that show it and how many sites agree. No model is used, and the same repository gives the same
    bytes. `preview` (the default) writes nothing; `write` puts the files into the user's own work tree, keeps every
    line that a person wrote there and reports what it left alone as `conflicts`; `check` reports `drift`: lines of
    existing files that the repository no longer supports.
    """

    name = "generate_cursor_rules"
    title = "Generate rules for coding assistants"
    arguments = GenerateCursorRulesArguments
    result = GenerateCursorRulesResult
    hints = Hints(read_only=False, destructive=False, idempotent=True, open_world=False)

    async def run(self, ctx: StageContext, args: GenerateCursorRulesArguments) -> GenerateCursorRulesResult:
        from repowright_tools.generate_cursor_rules.outcome import outcome
        from repowright_tools.threads import within

        if args.mode == "write":
            _require_work_tree(ctx)
        projects = await _projects(ctx, nested=args.scope == "nested")
        late = StageTimeout(f"The rules files were not ready within {_DEADLINE_S} s.")
        return await within(_DEADLINE_S, late, outcome, Path(ctx.repository.root), projects, args)

    def changes(self, args: GenerateCursorRulesArguments) -> bool:
        return args.mode == "write"

    def summarise(self, result: GenerateCursorRulesResult) -> str:
        if not result.rules:
            return "The repository shows no convention clearly enough to make a rule of it: no files."
        lines = [f"{len(result.rules)} rules, each proved by the repository."]
        for file in result.files:
            what = f"{file.rules} rules" if file.rules else "imports AGENTS.md"
            lines.append(f"{file.path}: {what}, about {file.tokens} tokens")
        lines += [f"left as it is: {conflict.path}: {conflict.reason}" for conflict in result.conflicts]
        if result.drift:
            lines.append(f"{len(result.drift)} rules in existing files are missing or out of date:")
            lines += [f"{drift.path}:{drift.line} {drift.rule}" for drift in result.drift]
        return "\n".join(lines)

    def next_actions(self, result: GenerateCursorRulesResult) -> list[NextAction]:
        from repowright_tools.generate_cursor_rules.render import call_for

        if not result.files:
            return []
        arguments = {"mode": "write", **call_for([file.path for file in result.files])}
        why = "Write these files into the user's work tree, if the user wants them and this call did not."
        return [NextAction(tool=self.name, why=why, arguments=arguments)]


def _require_work_tree(ctx: StageContext) -> None:
    """Refuse to write into a checkout of ours, of a remote or of a ref: nobody would ever see the files."""
    if ctx.repository.kind == "remote" or Path(ctx.repository.root).is_relative_to(ctx.workspace.root):
        raise InvalidArguments(
            "Rules are written only into the user's own work tree; this run reads a checkout of a remote or of a ref.",
            what_to_do="Call with mode preview and copy the files, or give the path of a local repository as source.",
        )


async def _projects(ctx: StageContext, *, nested: bool) -> list[Project]:
    from repowright_tools.generate_cursor_rules.miners import mine
    from repowright_tools.generate_cursor_rules.projects import Project, folders_with_manifests
    from repowright_tools.threads import within

    root = Path(ctx.repository.root)
    late = StageTimeout(f"The repository was not read within {_DEADLINE_S} s.")
    repository = await ctx.index.open(root)
    projects = [Project("", await within(_DEADLINE_S, late, mine, repository))]
    for folder in folders_with_manifests(repository.paths) if nested else ():
        below = await ctx.index.open(root / folder)
        projects.append(Project(folder, await within(_DEADLINE_S, late, mine, below)))
    return projects
