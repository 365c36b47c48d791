"""Which files are tested: the change, and the base that it is compared with."""

from __future__ import annotations

import hashlib
import posixpath
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from repowright_tools.git.names import is_private
from repowright_tools.models import GeneratedCode
from repowright_tools.run_tests_sandboxed.patch import apply_patch

if TYPE_CHECKING:
    from repowright_tools.git.tree import TreeFile
    from repowright_tools.run_tests_sandboxed.models import RunTestsArguments
    from repowright_tools.stage import StageContext

_STEERING = {
    *("conftest.py", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml"),
    *("sitecustomize.py", "usercustomize.py"),
}
"""Files that decide which tests run and how their results are reported."""
_LOADED = {"conftest.py", "pytest.ini", ".pytest.ini", "sitecustomize.py", "usercustomize.py"}
_MODULE = re.compile(r"(?:src/)?(?P<name>[^/]+?)(?:/__init__)?\.py")
_RUNNER = (sys.stdlib_module_names - {"test"}) | {"pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments"}
_TEST_FILE = re.compile(r"(test_.*|.*_test)\.py")


@dataclass(frozen=True)
class Sources:
    """The trees of one call.

    Attributes:
        candidate: what is tested.
        base: the base commit.
        root: the folder whose commands are those of the candidate.
    """

    candidate: Sequence[TreeFile]
    base: Sequence[TreeFile]
    root: Path

    @property
    def is_unchanged(self) -> bool:
        return digest(self.candidate) == digest(self.base)

    def runner_changes(self) -> list[str]:
        """Paths that the test runner itself loads and that the change brings or alters.

        Whatever they do happens where the results are made: nothing outside the box can tell it from an honest result.
        """
        before = {file.path: file.data for file in self.base}
        changed = [file.path for file in self.candidate if before.get(file.path) != file.data]
        return sorted(path for path in changed if posixpath.basename(path) in _LOADED or _takes_the_place(path))

    def steering_changes(self) -> list[str]:
        """Paths whose change could hide results: test configuration that differs, tests that are gone."""
        before = {file.path: file.data for file in self.base}
        after = {file.path: file.data for file in self.candidate}
        changed = [path for path in sorted({*before, *after}) if before.get(path) != after.get(path)]
        return [
            path
            for path in changed
            if posixpath.basename(path) in _STEERING
            or (path not in after and _TEST_FILE.fullmatch(posixpath.basename(path)))
        ]


async def find_sources(ctx: StageContext, args: RunTestsArguments) -> Sources:
    """The trees to test.

    The candidate is what generate_code made, if it did; else the user's work tree with uncommitted changes. A patch
    goes on top of generate_code's result, or of the base commit.

    Raises:
        PatchRejected, WorkspaceTooLarge: see `apply_patch`.
        NotARepository, EmptyRepository: there is no base commit.
    """
    from repowright_tools.git.tree import commit_files, work_tree_files

    limit = ctx.sandbox.limits.workspace_bytes
    root = Path(ctx.repository.root)
    base = await commit_files(root, ctx.repository.pinned(), limit)
    generated = ctx.results.get("generate_code", GeneratedCode)
    candidate: Sequence[TreeFile] = base
    if generated is not None:
        root = Path(generated.repository)
        candidate = await commit_files(root, generated.head_commit, limit)
    elif args.patch is None and ctx.repository.kind == "local":
        candidate = _without_private(await work_tree_files(root, limit), base)
    if args.patch is not None:
        candidate = await apply_patch(candidate, args.patch, ctx.workspace.root, max_bytes=limit)
    return Sources(candidate, base, root)


def _takes_the_place(path: str) -> bool:
    """Whether Python would import the file instead of a module of its own or of the test runner."""
    module = _MODULE.fullmatch(path)
    return module is not None and module["name"] in _RUNNER


def digest(files: Sequence[TreeFile]) -> str:
    """A name for exactly these files, in whatever order they are listed."""
    whole = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.path):
        path = file.path.encode("utf-8", errors="surrogateescape")
        whole.update(b"%o %d %d\0" % (file.mode, len(path), len(file.data)) + path + file.data)
    return whole.hexdigest()


def _without_private(files: Sequence[TreeFile], base: Sequence[TreeFile]) -> list[TreeFile]:
    """The files with the user's own `.env` files as committed, or not at all: what was never committed stays out."""
    committed = {file.path: file for file in base}
    kept = (committed.get(file.path) if is_private(file.path) else file for file in files)
    return [file for file in kept if file is not None]
