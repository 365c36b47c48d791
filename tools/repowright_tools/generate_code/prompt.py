"""What whoever writes the code is asked, and what they get to see."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from repowright_tools.generate_code.edits import MAX_FILE_BYTES, Tree
from repowright_tools.git.names import is_private
from repowright_tools.models import Plan, Task
from repowright_tools.stage import Section
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from repowright_tools.index.index import RepositoryIndex

INSTRUCTIONS = """\
Write the change that is asked for, as one set of edits against the files as they are shown.
- `edits`: `old` is copied from the file exactly, with its indentation, and occurs there once; `new` replaces it.
  Several edits of one file each refer to the file as it is shown, and must not overlap.
- `new_files` holds whole files that do not exist yet; `deletes` and `renames` name existing ones.
- Paths are relative to the repository, with `/`. All of the set is applied, or none of it.
- Follow the conventions of the code around the change. Keep the change as small as the task allows, and complete:
  add or adapt the tests that prove it.
- Configuration of continuous integration, editors, assistants and git, and files that hold credentials, cannot be
  changed. Write no secret into a file.
- The result must parse, and must not use an undefined name.
- `notes`: what a reviewer should know, in a few sentences."""

HARNESS_INSTRUCTIONS = """\
Write characterisation tests: tests that pin what the code does today, right or wrong, so that it can be changed safely.
- Only `new_files` that are test files, where the repository keeps its tests; nothing else is accepted.
- Each test calls real code of the repository and asserts its present result. Cover empty input, limits and errors.
- Use the test framework that the repository uses. No network, no clock, no random values.
- Paths are relative to the repository, with `/`. All of the set is applied, or none of it.
- `notes`: behaviour that looks wrong but is pinned, in a few sentences."""

_MAP_TOKENS = 2048
_RELEVANT_FILES = 8
_TEST_FILE = re.compile(
    r"(^|/)(tests?|__tests__|spec)/|(^|/)(test_[^/]*\.(?!go$)|[^/]*_test\.)\w+$|[^/]*\.(test|spec)\.\w+$|(^|/)\w*Tests?\.java$"
)


def is_test_file(path: str) -> bool:
    """Whether the path is surely a test's: what lies beside tests, and what may be part of the product, is none."""
    return _TEST_FILE.search(path) is not None


async def context(
    plan: Plan | None, tasks: Sequence[Task], instruction: str | None, tree: Tree, index: RepositoryIndex
) -> list[Section]:
    """What to know, the most important first: the task, the files it names or is about, the map of the rest."""
    sections: list[Section] = []
    if instruction:
        sections.append(Section("What is asked for", instruction, untrusted=False))
    if plan is not None:
        chosen = plan.model_copy(update={"tasks": list(tasks)})
        sections.append(Section("The plan", chosen.model_dump_json(indent=1), untrusted=False))
    focus = instruction or (plan.summary if plan is not None else "")
    named = [path for task in tasks for path in task.files_to_modify]
    relevant = [hit.path for hit in await index.relevant(focus, _RELEVANT_FILES)]
    sections += await in_thread(_files, tree, dict.fromkeys([*named, *(relevant if not named else [])]))
    rendered = await index.render_map(_MAP_TOKENS, focus)
    sections.append(Section("Map of the repository", rendered.text))
    return sections


def _files(tree: Tree, paths: Iterable[str]) -> list[Section]:
    """Whole files of the tree; links, private files, binary files and files too large to edit are not shown."""
    sections: list[Section] = []
    for path in paths:
        if tree.modes.get(path) not in (0o100644, 0o100755) or is_private(path):
            continue
        data = tree.read(path)
        if len(data) <= MAX_FILE_BYTES and b"\0" not in data:
            sections.append(Section(f"File {path}", data.decode(errors="replace")))
    return sections
