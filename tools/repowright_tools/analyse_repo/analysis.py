"""From an index to the result of analyse_repo."""

from collections.abc import Sequence

from repowright_tools.analyse_repo.features import mine
from repowright_tools.analyse_repo.models import (
    Analysis,
    Command,
    Commands,
    EntryPoint,
    ExcludedFiles,
    FileCounts,
    Language,
    Module,
    RelevantFile,
)
from repowright_tools.index.index import RepositoryIndex
from repowright_tools.index.map import RenderedMap
from repowright_tools.index.overview import Overview, overview_text
from repowright_tools.index.search.search import Relevant
from repowright_tools.secrets import redact, strip_invisible
from repowright_tools.stage import BoundRepository
from repowright_tools.tokens import estimate_tokens

OVERVIEW_SHARE = 10
"""The overview takes at most one part in so many of the map's budget."""


async def headed_map(index: RepositoryIndex, overview: Overview, token_budget: int, focus: str | None) -> RenderedMap:
    """The map with the overview at its head, both together inside the budget."""
    head = overview_text(overview, token_budget // OVERVIEW_SHARE)
    rendered = await index.render_map(token_budget - estimate_tokens(f"{head}\n"), focus)
    text = f"{head}\n{rendered.text}" if head and rendered.text else head or rendered.text
    return RenderedMap(text, estimate_tokens(text))


def analysis(
    index: RepositoryIndex,
    repository: BoundRepository,
    overview: Overview,
    rendered: RenderedMap,
    relevant: Sequence[Relevant],
) -> Analysis:
    """Everything that needs no model. Reads files: call it in a thread."""
    entry_points = overview.entry_points
    features = mine(index, entry_points)
    return Analysis(
        commit=repository.commit,
        dirty=repository.dirty,
        root=repository.root,
        languages=[
            Language(name=name, files=files, lines=lines, bytes=size) for name, files, lines, size in index.languages
        ],
        files=_counts(index),
        map=rendered.text,
        map_tokens=rendered.tokens,
        entry_points=[
            EntryPoint(name=_safe(entry.name), kind=entry.kind, path=entry.path, line=entry.line)
            for entry in entry_points
        ],
        commands=_commands(overview),
        modules=[
            Module(
                path=module.path,
                files=module.files,
                lines=module.lines,
                imports=list(module.imports),
                layer=module.layer,
                in_cycle=module.in_cycle,
            )
            for module in overview.graph.modules
        ],
        relevant=[RelevantFile(path=hit.path, score=hit.score, why=_safe(hit.why)) for hit in relevant],
        features=[feature.model_copy(update={"title": _safe(feature.title)}) for feature in features],
        warnings=[*repository.warnings, *index.warnings],
    )


def _counts(index: RepositoryIndex) -> FileCounts:
    excluded = [
        ExcludedFiles(reason=group.reason, count=group.count, examples=list(group.examples)) for group in index.excluded
    ]
    return FileCounts(listed=index.listed, analysed=len(index.files), excluded=excluded)


def _commands(overview: Overview) -> Commands:
    return Commands.model_validate(
        {
            kind: [Command(command=_safe(found.command), evidence=found.evidence) for found in commands]
            for kind, commands in overview.commands.items()
        }
    )


def _safe(text: str) -> str:
    """Text of the repository without secrets and without what a reader cannot see."""
    return redact(strip_invisible(text))
