"""The stage analyse_repo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from repowright_tools.analyse_repo.models import AnalyseRepoArguments, Analysis
from repowright_tools.models import RepositoryWarning
from repowright_tools.stage import Artifact, Hints, NextAction, Stage, StageContext
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from repowright_tools.index.index import RepositoryIndex


class AnalyseRepo(Stage[AnalyseRepoArguments, Analysis]):
    """Map a repository: ranked symbols inside a token budget, languages, entry points, modules and commands.

    Each command and entry point comes with the file and line that prove it. Start here to learn an unknown codebase;
    give `focus` to find the files a change is about. Reads files only, runs nothing of the repository, and needs no
    model unless `stories` is set.
    """

    name = "analyse_repo"
    title = "Analyse a repository"
    arguments = AnalyseRepoArguments
    result = Analysis
    hints: ClassVar[Hints] = Hints(read_only=True, destructive=False, idempotent=True, open_world=True)

    async def run(self, ctx: StageContext, args: AnalyseRepoArguments) -> Analysis:
        from repowright_tools.analyse_repo.analysis import analysis

        focus = (args.focus or "").strip() or None
        index = await ctx.index.open(Path(ctx.repository.root), exclude=args.exclude, events=ctx.events)
        rendered = await index.render_map(args.token_budget, focus)
        result = await in_thread(analysis, index, ctx.repository, rendered, focus)
        return await _with_stories(ctx, index, result) if args.stories else result

    def summarise(self, result: Analysis) -> str:
        languages = ", ".join(f"{language.name} ({language.lines} lines)" for language in result.languages[:5])
        test = result.commands.test[0].command if result.commands.test else "none found"
        counts = f"{result.files.analysed} of {result.files.listed} files analysed in {result.root}"
        found = (
            f"{len(result.entry_points)} entry points, {len(result.modules)} modules, {len(result.features)} features"
        )
        lines = [
            f"{counts}: {languages or 'no code'}.",
            f"{found}; tests run with: {test}.",
            *(f"Warning: {warning.message}" for warning in result.warnings),
        ]
        if result.relevant:
            lines.append("Most relevant: " + ", ".join(hit.path for hit in result.relevant[:5]) + ".")
        return "\n".join([*lines, "", result.map])

    def artifacts(self, result: Analysis) -> list[Artifact]:
        return [Artifact("map", "text/plain", result.map)]

    def next_actions(self, result: Analysis) -> list[NextAction]:
        actions = [
            NextAction("plan_feature", "Turn a request into a plan grounded in this repository; give it as `request`."),
            NextAction("generate_cursor_rules", "Write down this repository's conventions for coding assistants."),
        ]
        if result.commands.test:
            why = f"See whether the tests pass as they are ({result.commands.test[0].command})."
            actions.append(NextAction("run_tests_sandboxed", why))
        return actions


async def _with_stories(ctx: StageContext, index: RepositoryIndex, result: Analysis) -> Analysis:
    from repowright_tools.analyse_repo import stories

    if not result.features:
        warning = RepositoryWarning(code="no_features", message="No feature was found to derive stories from.")
        return result.model_copy(update={"warnings": [*result.warnings, warning]})
    answer = await ctx.model.think(stories.ask(index, result.features, result.map))
    kept = await in_thread(stories.grounded, index, result.features, answer.value)
    warnings = list(result.warnings)
    if dropped := len(answer.value.stories) - len(kept):
        text = f"{dropped} stories were dropped: no existing feature or line stands behind them."
        warnings.append(RepositoryWarning(code="stories_dropped", message=text))
    return result.model_copy(update={"stories": kept, "warnings": warnings})
