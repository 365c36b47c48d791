"""Whether a plan speaks of the repository that is there: its files and its symbols.

A file that does not exist is a finding: code cannot be written into it, and the planner is told what comes nearest. A
symbol that does not exist is none: a task may well introduce it. It is returned as ungrounded, with what comes
nearest, for the reader to judge.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from repowright_tools.git.names import PathRefused, inside, protected_reason
from repowright_tools.models import Plan, Ungrounded
from repowright_tools.plan_feature.structure import comes_after, new_files

if TYPE_CHECKING:
    from repowright_tools.index.index import RepositoryIndex


def file_findings(plan: Plan, index: "RepositoryIndex") -> list[str]:
    """What is wrong with the files a plan names; one finding a file."""
    return [*_modified(plan, index), *_created(plan, index)]


def ungrounded_symbols(plan: Plan, index: "RepositoryIndex") -> list[Ungrounded]:
    """Symbols that are defined nowhere, of tasks that change existing files; what only creates files can only add."""
    return [
        Ungrounded(name=name, where=f"{task.id}.symbols", nearest=index.nearest_symbols(name))
        for task in plan.tasks
        if any(index.has_path(path) for path in task.files_to_modify)
        for name in task.symbols
        if not index.has_symbol(name)
    ]


def _modified(plan: Plan, index: "RepositoryIndex") -> Iterator[str]:
    creators = new_files(plan)
    for path, where in _places(plan, "files_to_modify"):
        exists = index.has_path(path)
        if path in creators and not exists:
            yield from _modified_though_new(plan, path, creators[path])
        elif not exists:
            near = index.nearest_paths(path)
            hint = f"; the nearest are {', '.join(near)}" if near else ""
            yield f"{where}: {path} does not exist in the repository{hint}. A new file belongs into new_files_needed."
        elif reason := _refused(path, index):
            yield f"{where}: {path} must not be changed: {reason}."


def _modified_though_new(plan: Plan, path: str, creator: str) -> Iterator[str]:
    for task in plan.tasks:
        if path in task.files_to_modify and not comes_after(plan, task.id, creator):
            yield (
                f"{task.id}.files_to_modify: {path} is created by {creator}; only a task that depends on {creator} can "
                "modify it."
            )


def _created(plan: Plan, index: "RepositoryIndex") -> Iterator[str]:
    for path, where in _places(plan, "new_files_needed"):
        if index.has_path(path):
            yield f"{where}: {path} exists already. An existing file belongs into files_to_modify."
        elif reason := _refused(path, index):
            yield f"{where}: {path} must not be created: {reason}."
        elif (index.root / path).exists():
            yield f"{where}: {path} exists already, but is not part of the repository (git ignores it)."
        elif sum(path in task.new_files_needed for task in plan.tasks) > 1:
            yield f"{where}: more than one task creates {path}."


def _refused(path: str, index: "RepositoryIndex") -> str | None:
    """Why nothing may be written there, whoever asks; None when it may."""
    try:
        inside(index.root, path)
    except PathRefused as refused:
        return refused.reason
    return protected_reason(path)


def _places(plan: Plan, field: str) -> Iterator[tuple[str, str]]:
    """Each path of that field once, with the first place that names it."""
    places: dict[str, str] = {}
    for task in plan.tasks:
        for path in getattr(task, field):
            places.setdefault(path, f"{task.id}.{field}")
    for path in getattr(plan, field):
        places.setdefault(path, field)
    yield from places.items()
