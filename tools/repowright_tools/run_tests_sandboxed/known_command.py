"""The test command that a repository names itself: the base's, where a change that no plan covers has another."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repowright_tools.errors import CommandUnknown
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from repowright_tools.index.manifests.found import Command
    from repowright_tools.run_tests_sandboxed.sources import Sources
    from repowright_tools.stage import StageContext

_LARGEST = 512 * 1024
_PYTEST_FILE = re.compile(r"(?:.*/)?(?:test_[^/]*|[^/]*_test)\.py")
_TEST = re.compile(rb"^[ \t]*(?:async[ \t]+)?def[ \t]+test", re.MULTILINE)


@dataclass(frozen=True)
class Known:
    """A test command, and the file whose change would have replaced it (None for no such file)."""

    line: str
    changed_by: str | None = None


@dataclass(frozen=True)
class _Texts:
    """The view of some files that the readers of manifests need."""

    files: Mapping[str, bytes]
    paths: Sequence[str]

    def has_path(self, path: str) -> bool:
        return path in self.files

    def text(self, path: str) -> str | None:
        data = self.files.get(path)
        return None if data is None or len(data) > _LARGEST else data.decode("utf-8", errors="replace")


async def known_command(ctx: StageContext, sources: Sources, owned: Collection[str]) -> Known:
    """What the repository runs its tests with.

    A change could name a command that runs nothing, so the base's counts wherever it has one, unless the plan owns the
    file that the change names another one in.

    Raises:
        CommandUnknown: neither the base nor the change names one.
    """
    before = await in_thread(_first, sources.base_data)
    after = before if sources.base_data == sources.candidate_data else await in_thread(_first, sources.candidate_data)
    if before is not None:
        if after is None or before.command == after.command:
            return Known(before.command)
        path = after.evidence.path
        return Known(after.command) if path in owned else Known(before.command, path)
    index = await ctx.index.open(sources.root)
    if found := index.commands().get("test", []):
        return Known(found[0].command)
    if await in_thread(_has_pytest_files, sources.candidate_data):
        return Known("python -m pytest")
    raise CommandUnknown("no test command was found in the repository")


def _first(files: Mapping[str, bytes]) -> Command | None:
    from repowright_tools.index.commands import find_commands

    paths = sorted(path for path, data in files.items() if len(data) <= _LARGEST and b"\0" not in data[:8192])
    return next(iter(find_commands(_Texts(files, paths)).get("test", [])), None)


def _has_pytest_files(files: Mapping[str, bytes]) -> bool:
    """Whether there are tests that pytest finds by itself: by the names of files and functions, as it does."""
    return any(_PYTEST_FILE.fullmatch(path) and _TEST.search(data) for path, data in files.items())
