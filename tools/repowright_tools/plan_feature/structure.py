"""Whether a plan holds together by itself: ids, references, order, lists."""

from collections import Counter
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from math import isfinite

from repowright_tools.models import Plan, Task


def structure_findings(plan: Plan) -> list[str]:
    """What is wrong with the plan whatever the repository; empty when nothing is."""
    return [*_ids(plan), *_references(plan), *_cycles(plan.tasks), *_lists(plan), *_values(plan)]


def new_files(plan: Plan) -> dict[str, str]:
    """Files that tasks create: path to the id of the first task that does."""
    creators: dict[str, str] = {}
    for task in plan.tasks:
        for path in task.new_files_needed:
            creators.setdefault(path, task.id)
    return creators


def comes_after(plan: Plan, later: str, earlier: str) -> bool:
    """Whether the task `later` depends on `earlier`, directly or not."""
    depends_on = {task.id: task.depends_on for task in plan.tasks}
    seen: set[str] = set()
    waiting = list(depends_on.get(later, []))
    while waiting:
        task = waiting.pop()
        if task == earlier:
            return True
        if task not in seen:
            seen.add(task)
            waiting += depends_on.get(task, [])
    return False


def _ids(plan: Plan) -> Iterator[str]:
    for kind, ids in (
        ("requirements", [item.id for item in plan.requirements]),
        ("acceptance", [item.id for item in plan.acceptance]),
        ("tasks", [item.id for item in plan.tasks]),
    ):
        if not ids:
            yield f"{kind}: at least one is needed."
        if any(not name.strip() for name in ids):
            yield f"{kind}: an id is empty."
        for name, count in Counter(ids).items():
            if count > 1:
                yield f"{kind}: the id {name} is used {count} times."


def _references(plan: Plan) -> Iterator[str]:
    requirements = {item.id for item in plan.requirements}
    tasks = {item.id for item in plan.tasks}
    for proof in plan.acceptance:
        if proof.requirement not in requirements:
            yield f"{proof.id}.requirement: there is no requirement {proof.requirement}."
    for task in plan.tasks:
        for name in task.covers:
            if name not in requirements:
                yield f"{task.id}.covers: there is no requirement {name}."
        for name in task.depends_on:
            if name not in tasks:
                yield f"{task.id}.depends_on: there is no task {name}."
    proven = {item.requirement for item in plan.acceptance}
    for item in plan.requirements:
        if item.id not in proven:
            yield f"{item.id}: no acceptance check proves this requirement."


def _cycles(tasks: Sequence[Task]) -> Iterator[str]:
    try:
        TopologicalSorter({task.id: task.depends_on for task in tasks}).prepare()
    except CycleError as error:
        cycle: list[str] = error.args[1]
        yield f"tasks: {' -> '.join(reversed(cycle))} depend on each other in a circle."


def _lists(plan: Plan) -> Iterator[str]:
    new = set(new_files(plan))
    modified = {path for task in plan.tasks for path in task.files_to_modify} - new
    for name, of_tasks, of_plan in (
        ("files_to_modify", modified, set(plan.files_to_modify)),
        ("new_files_needed", new, set(plan.new_files_needed)),
    ):
        for path in sorted(of_tasks - of_plan):
            yield f"{name} (top level) lacks {path}, which a task names."
        for path in sorted(of_plan - of_tasks):
            yield f"{name} (top level) has {path}, which no task names there."


def _values(plan: Plan) -> Iterator[str]:
    for item in plan.acceptance:
        if not item.check.value.strip():
            yield f"{item.id}.check.value: is empty, so that nothing can be checked."
    if not isfinite(plan.estimated_time_minutes) or plan.estimated_time_minutes < 0:
        yield "estimated_time_minutes: must be a number of minutes, not below 0."
