"""Which files are tested: the change, and the base that it is compared with."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from repowright_tools.models import GeneratedCode
from repowright_tools.run_tests_sandboxed.patch import apply_patch

if TYPE_CHECKING:
    from repowright_tools.git.tree import TreeFile
    from repowright_tools.run_tests_sandboxed.models import RunTestsArguments
    from repowright_tools.stage import StageContext

_PRIVATE = re.compile(r"\.env(\..+)?")
_PUBLIC = re.compile(r"\.env\.(example|sample|template|dist|defaults?)")
_STEERING = {
    *("conftest.py", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml"),
    *("sitecustomize.py", "usercustomize.py"),
}
"""Files that decide which tests run and how their results are reported."""
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
    """
    from repowright_tools.git.tree import commit_files, work_tree_files

    limit = ctx.sandbox.limits.workspace_bytes
    root = Path(ctx.repository.root)
    base = await commit_files(root, ctx.repository.commit, limit)
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


def digest(files: Sequence[TreeFile]) -> str:
    """A name for exactly these files, in whatever order they are listed."""
    whole = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.path):
        path = file.path.encode("utf-8", errors="surrogateescape")
        whole.update(b"%o %d %d\0" % (file.mode, len(path), len(file.data)) + path + file.data)
    return whole.hexdigest()


def _without_private(files: Sequence[TreeFile], base: Sequence[TreeFile]) -> list[TreeFile]:
    """The files without the user's own `.env` files: a secret that was never committed stays out of the sandbox."""
    committed = {file.path for file in base}
    return [file for file in files if file.path in committed or not _is_private(posixpath.basename(file.path))]


def _is_private(name: str) -> bool:
    return bool(_PRIVATE.fullmatch(name)) and not _PUBLIC.fullmatch(name)
