"""From an index to the result of analyse_repo."""

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
from repowright_tools.secrets import redact, strip_invisible
from repowright_tools.stage import BoundRepository


def analysis(index: RepositoryIndex, repository: BoundRepository, rendered: RenderedMap, focus: str | None) -> Analysis:
    """Everything that needs no model. Reads files: call it in a thread."""
    entry_points = index.entry_points()
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
        commands=_commands(index),
        modules=[
            Module(
                path=module.path,
                files=module.files,
                lines=module.lines,
                imports=list(module.imports),
                layer=module.layer,
                in_cycle=module.in_cycle,
            )
            for module in index.modules()
        ],
        relevant=[
            RelevantFile(path=hit.path, score=hit.score, why=_safe(hit.why))
            for hit in (index.relevant(focus) if focus else [])
        ],
        features=[feature.model_copy(update={"title": _safe(feature.title)}) for feature in features],
        warnings=list(index.warnings),
    )


def _counts(index: RepositoryIndex) -> FileCounts:
    excluded = [
        ExcludedFiles(reason=group.reason, count=group.count, examples=list(group.examples)) for group in index.excluded
    ]
    return FileCounts(listed=index.listed, analysed=len(index.files), excluded=excluded)


def _commands(index: RepositoryIndex) -> Commands:
    return Commands.model_validate(
        {
            kind: [Command(command=_safe(found.command), evidence=found.evidence) for found in commands]
            for kind, commands in index.commands().items()
        }
    )


def _safe(text: str) -> str:
    """Text of the repository without secrets and without what a reader cannot see."""
    return redact(strip_invisible(text))
