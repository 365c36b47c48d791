"""Which files are tested: the change, and the base that it is compared with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from repowright_tools.git.names import is_private
from repowright_tools.models import GeneratedCode
from repowright_tools.run_tests_sandboxed.patch import apply_patch

if TYPE_CHECKING:
    from repowright_tools.git.tree import TreeFile
    from repowright_tools.run_tests_sandboxed.models import RunTestsArguments
    from repowright_tools.stage import StageContext


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

    @cached_property
    def base_data(self) -> dict[str, bytes]:
        """Contents by path; a link's target is none."""
        return _data(self.base)

    @cached_property
    def candidate_data(self) -> dict[str, bytes]:
        return _data(self.candidate)

    @property
    def is_unchanged(self) -> bool:
        return digest(self.candidate) == digest(self.base)


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


def digest(files: Sequence[TreeFile]) -> str:
    """A name for exactly these files, in whatever order they are listed."""
    whole = hashlib.sha256()
    for file in sorted(files, key=lambda file: file.path):
        path = file.path.encode("utf-8", errors="surrogateescape")
        whole.update(b"%o %d %d\0" % (file.mode, len(path), len(file.data)) + path + file.data)
    return whole.hexdigest()


def _data(files: Sequence[TreeFile]) -> dict[str, bytes]:
    return {file.path: file.data for file in files if not file.is_link}


def _without_private(files: Sequence[TreeFile], base: Sequence[TreeFile]) -> list[TreeFile]:
    """The files with the user's own `.env` files as committed, or not at all: what was never committed stays out."""
    committed = {file.path: file for file in base}
    kept = (committed.get(file.path) if is_private(file.path) else file for file in files)
    return [file for file in kept if file is not None]
