"""Everything a newcomer needs to know of a repository, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from repowright_tools.index.overview.hot_spots import HotSpot, hot_spots
from repowright_tools.index.overview.layers import ModuleGraph, module_graph
from repowright_tools.index.overview.runtimes import Runtime, runtimes
from repowright_tools.index.overview.services import Service, services
from repowright_tools.index.overview.sizes import FolderSize, folder_sizes
from repowright_tools.index.overview.test_layout import TestLayout, test_layout
from repowright_tools.index.test_files import is_aside

if TYPE_CHECKING:
    from repowright_tools.index.entry_points import EntryPoint
    from repowright_tools.index.history import Commit
    from repowright_tools.index.index import RepositoryIndex
    from repowright_tools.index.manifests.found import Command

_DECLARED = frozenset({"console_script", "package_bin", "package_main"})
_CI = (  # what runs the checks: its name, and where its files lie
    ("GitHub Actions", ".github/workflows/"),
    ("GitLab CI", ".gitlab-ci.yml"),
    ("CircleCI", ".circleci/config.yml"),
    ("Azure Pipelines", "azure-pipelines.yml"),
    ("Travis CI", ".travis.yml"),
    ("Jenkins", "Jenkinsfile"),
    ("Bitbucket Pipelines", "bitbucket-pipelines.yml"),
    ("Drone", ".drone.yml"),
    ("Buildkite", ".buildkite/"),
    ("AppVeyor", "appveyor.yml"),
    ("Woodpecker", ".woodpecker"),
)


@dataclass(frozen=True, slots=True)
class Overview:
    """What a newcomer asks first.

    Attributes:
        languages: name, files, lines and bytes of each, the one with most bytes first.
        runtimes: what must be installed, in which version.
        commands: by kind (install, test, lint, build, run), the most authoritative first.
        services: what must run beside the program.
        tests: where the tests are.
        entry_points: where programs start.
        graph: the modules with their layers and cycles.
        hot_spots: where work goes on in the product's own sources; empty without a history.
        folders: sizes in tokens, the largest first; the first is the whole.
        ci: systems and their files.
    """

    languages: tuple[tuple[str, int, int, int], ...]
    runtimes: tuple[Runtime, ...]
    commands: Mapping[str, Sequence[Command]]
    services: tuple[Service, ...]
    tests: TestLayout
    entry_points: tuple[EntryPoint, ...]
    graph: ModuleGraph
    hot_spots: tuple[HotSpot, ...]
    folders: tuple[FolderSize, ...]
    ci: tuple[tuple[str, tuple[str, ...]], ...]


def overview(index: RepositoryIndex, commits: Sequence[Commit]) -> Overview:
    """The overview of a repository. Reads files: call it in a thread.

    Args:
        index: the repository.
        commits: its history, newest first; without one there are no hot spots.
    """
    lines = {file.path: file.lines for file in index.files if file.grammar}
    product = {path: count for path, count in lines.items() if not is_aside(path)}
    return Overview(
        languages=tuple(index.languages),
        runtimes=tuple(runtimes(index)),
        commands=index.commands(),
        services=tuple(services(index)),
        tests=test_layout(index, index.parsed, lines),
        entry_points=tuple(_starts(index)),
        graph=module_graph(index.modules()),
        hot_spots=tuple(hot_spots(commits, product)),
        folders=tuple(folder_sizes(index.files)),
        ci=tuple(_ci(index.paths)),
    )


def _starts(index: RepositoryIndex) -> list[EntryPoint]:
    """What is installed first, then programs near the root, scripts, and what starts in tests and examples."""
    return sorted(index.entry_points(), key=_reach)


def _reach(entry: EntryPoint) -> tuple[bool, bool, int]:
    return is_aside(entry.path), entry.kind == "script", 0 if entry.kind in _DECLARED else entry.path.count("/") + 1


def _ci(paths: Sequence[str]) -> list[tuple[str, tuple[str, ...]]]:
    hidden = [path for path in paths if path.startswith((".", "azure", "Jenkins", "bitbucket", "appveyor"))]
    found = [(name, tuple(path for path in hidden if path.startswith(prefix))) for name, prefix in _CI]
    return [(name, files) for name, files in found if files]
