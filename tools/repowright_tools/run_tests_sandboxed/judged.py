"""Which tree decides: the change's code under the base's tests, unless the plan owns a test."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from repowright_tools.git.tree import TreeFile
from repowright_tools.models import GeneratedCode, PlanResult
from repowright_tools.run_tests_sandboxed.shared_configuration import with_base_sections
from repowright_tools.run_tests_sandboxed.test_files import (
    SHARED,
    is_collected,
    is_compiled,
    is_protected,
    is_test_file,
    parents,
)
from repowright_tools.run_tests_sandboxed.weakened import weakenings

if TYPE_CHECKING:
    from repowright_tools.stage import EarlierResults


@dataclass(frozen=True)
class Judged:
    """The tree that decides, and what of the change is not in it.

    Attributes:
        files: the change's code with every test file and all configuration of the runner as the base has them.
        restored: paths that the change alters and whose base version is in `files`, or that are left out.
        owned: paths that the plan owns: the change's version is in `files`.
        whole: the change's own tests must be run whole, because a file differs that can matter to all of them.
    """

    files: Sequence[TreeFile]
    restored: Sequence[str]
    owned: Collection[str]
    whole: bool

    @property
    def own_tests(self) -> list[str]:
        """The test files of the change that are not in the tree as the change has them."""
        return [path for path in self.restored if is_collected(path)]


def owned_paths(results: EarlierResults) -> set[str]:
    """Paths that the run's plan says will be changed or made, and what generate_code did for one of its tasks."""
    owned: set[str] = set()
    planned = results.get("plan_feature", PlanResult)
    if planned is not None:
        plan = planned.plan
        named = [*plan.files_to_modify, *plan.new_files_needed]
        for task in plan.tasks:
            named += [*task.files_to_modify, *task.new_files_needed]
        owned |= {posixpath.normpath(path) for path in named}
    generated = results.get("generate_code", GeneratedCode)
    if generated is not None:
        owned |= {file.path for file in generated.files if file.task is not None}
    return owned


def judged_tree(candidate: Sequence[TreeFile], base: Sequence[TreeFile], owned: Collection[str]) -> Judged:
    """The tree that decides whether the change breaks anything.

    The rule: the base's tests, configured as the base has it, decide on the change's code. The change's own tests,
    configured as the change has it, are run besides where they differ: they can add failures and never take one away.
    A file that the plan owns is the plan's to change and is taken from the change; but owning a test is no leave to
    switch it off, so a test file in which a test is skipped, emptied or made to catch its own failures is judged both
    ways all the same. Of files in which the project is configured too (`pyproject.toml`, `setup.cfg`, `tox.ini`) the
    sections about tests alone are the base's. Compiled files are in no tree: they would stand for sources.
    """
    before = {file.path: file for file in base}
    after = {file.path: file for file in candidate}
    kept: dict[str, TreeFile] = {}
    restored: list[str] = []
    honoured = {path for path in owned if not _is_disabled(before.get(path), after.get(path))}
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        chosen = new if path in honoured or old == new else _chosen(path, old, new)
        if chosen is not None:
            kept[path] = chosen
        if chosen != new:
            restored.append(path)
    whole = any(not is_collected(path) and not is_compiled(path) for path in restored)
    return Judged(_without_conflicts(kept, before), restored, honoured & {*before, *after}, whole)


def _chosen(path: str, old: TreeFile | None, new: TreeFile | None) -> TreeFile | None:
    """The version of a file that differs and that the plan does not own."""
    if is_compiled(path):
        return None
    if is_protected(path):
        return old
    if posixpath.basename(path) in SHARED and not (new and new.is_link):
        now = new.data if new is not None else b""
        data = with_base_sections(path, now, old.data if old is not None else None)
        if new is None:
            return replace(old, data=data) if old is not None and data.strip() else None
        return new if data == new.data else replace(new, data=data)
    return new


def _is_disabled(old: TreeFile | None, new: TreeFile | None) -> bool:
    if old is None or new is None or not is_test_file(old.path):
        return False
    return any(found.disables for found in weakenings(old.data, new.data))


def _without_conflicts(kept: dict[str, TreeFile], before: dict[str, TreeFile]) -> list[TreeFile]:
    """The files without those of the change that stand where a folder of the base must be, or the other way round."""
    folders = {parent for path in kept for parent in parents(path)}
    return [
        file
        for path, file in kept.items()
        if (path not in folders or before.get(path) == file)
        and not any(parent in kept and before.get(parent) == kept[parent] for parent in parents(path))
    ]
