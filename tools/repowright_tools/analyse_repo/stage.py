"""The stage analyse_repo."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from repowright_tools.analyse_repo.models import AnalyseRepoArguments, Analysis
from repowright_tools.events import ProgressEvent
from repowright_tools.models import RepositoryWarning
from repowright_tools.stage import Artifact, Hints, NextAction, Stage, StageContext
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from repowright_tools.index.index import RepositoryIndex

_TOLD, _TOLD_OF_A_KIND = 8, 3  # features and stories in a summary


class AnalyseRepo(Stage[AnalyseRepoArguments, Analysis]):
    """Map a repository: ranked symbols inside a token budget, languages, entry points, modules, commands and features.

    The map opens with what a newcomer asks first: commands, runtimes, services, tests, hot spots, layers. Each
    statement comes with the file and line that prove it. Start here to learn an unknown codebase; give `focus` (a
    question, paths or symbols) to find the files a change is about. Reads files only, runs nothing of the repository,
    and needs no model unless `stories` is set.
    """

    name = "analyse_repo"
    title = "Analyse a repository"
    arguments = AnalyseRepoArguments
    result = Analysis
    hints: ClassVar[Hints] = Hints(read_only=True, destructive=False, idempotent=True, open_world=True)

    async def run(self, ctx: StageContext, args: AnalyseRepoArguments) -> Analysis:
        from repowright_tools.analyse_repo.analysis import analysis, headed_map
        from repowright_tools.index.overview import overview

        focus = (args.focus or "").strip() or None
        index = await ctx.index.open(Path(ctx.repository.root), exclude=args.exclude, events=ctx.events)
        ctx.events.emit(ProgressEvent("History"))
        known = await in_thread(overview, index, await index.commits())
        ctx.events.emit(ProgressEvent("Map"))
        rendered = await headed_map(index, known, args.token_budget, focus)
        ctx.events.emit(ProgressEvent("Features"))
        relevant = await index.relevant(focus) if focus else []
        result = await in_thread(analysis, index, ctx.repository, known, rendered, relevant)
        return await _with_stories(ctx, index, result) if args.stories else result

    def summarise(self, result: Analysis) -> str:
        languages = ", ".join(f"{language.name} ({language.lines} lines)" for language in result.languages[:5])
        counts = f"{result.files.analysed} of {result.files.listed} files analysed in {result.root}"
        found = (
            f"{len(result.entry_points)} entry points, {len(result.modules)} modules, {len(result.features)} features"
        )
        known = [
            f"{kind} with {commands[0].command}"
            for kind in ("install", "test", "run")
            if (commands := getattr(result.commands, kind))
        ]
        lines = [
            f"{counts}: {languages or 'no code'}.",
            f"{found}; {', '.join(known) or 'no commands found'}.",
            *(f"Warning: {warning.message}" for warning in result.warnings),
        ]
        if result.relevant:
            lines.append("Most relevant: " + ", ".join(hit.path for hit in result.relevant[:5]) + ".")
        if result.features:
            lines.append("Users reach: " + ", ".join(_reached(result)) + ".")
        if result.stories:
            lines += ["", *(f"{story.id} {story.story}" for story in result.stories[:_TOLD])]
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


def _reached(result: Analysis) -> list[str]:
    """A few features of each kind, the first word of a title being the kind."""
    kinds: Counter[str] = Counter()
    told: list[str] = []
    for feature in result.features:
        kind = feature.title.partition(" ")[0]
        kinds[kind] += 1
        if kinds[kind] <= _TOLD_OF_A_KIND and len(told) < _TOLD:
            told.append(feature.title)
    return told


async def _with_stories(ctx: StageContext, index: RepositoryIndex, result: Analysis) -> Analysis:
    from repowright_tools.analyse_repo import stories
    from repowright_tools.analyse_repo.citations import Citations

    if not result.features:
        warning = RepositoryWarning(code="no_features", message="No feature was found to derive stories from.")
        return result.model_copy(update={"warnings": [*result.warnings, warning]})
    citations = Citations(index, ctx.repository)
    parts: list[stories.Kept] = []
    batches = stories.batches(result.features)
    for number, features in enumerate(batches, 1):
        ctx.events.emit(ProgressEvent("Stories", number - 1, len(batches)))
        question = await in_thread(stories.ask, index, citations, features, result.map, number)
        answer = await ctx.model.think(question)
        parts.append(await stories.grounded(citations, features, answer.value))
    kept = stories.together(parts)
    return result.model_copy(update={"stories": kept.stories, "warnings": [*result.warnings, *kept.warnings()]})
