"""Remote repositories on a fake forge that can leave files out, and runs that are bound to them."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from fakes.github import FakeGitHub
from repowright_tools.git.policy import SourcePolicy
from repowright_tools.git.source import bind, parse_source
from repowright_tools.git.workspace import Identity, Workspace
from repowright_tools.stage import BoundRepository
from support.repositories import commit_all, git, make_repository, write_files

MOST = 50_000_000
NAME = "ada/tool"


@contextmanager
def forge(tmp_path: Path, *, filters: bool = True, private: bool = False) -> Generator[FakeGitHub]:
    """A forge with `ada/tool`: three commits, each of which changes a.txt and adds a file."""
    make_repository(tmp_path / "work", {"a.txt": "one\n", "first.txt": "1\n"})
    for number in ("two", "three"):
        write_files(tmp_path / "work", {"a.txt": f"{number}\n", f"{number}.txt": f"{number}!\n"})
        commit_all(tmp_path / "work", number)
    with FakeGitHub(tmp_path) as github:
        github.add_repository(NAME, from_repository=tmp_path / "work", private=private)
        if filters:
            allow_filter(github, NAME)
        yield github


def allow_filter(github: FakeGitHub, name: str) -> None:
    """Let clones leave files out, as the large forges do."""
    git(github.repository(name).bare, "config", "uploadpack.allowFilter", "true")


def advance(tmp_path: Path, github: FakeGitHub, files: dict[str, str], *options: str) -> str:
    """Commit to the work tree behind the forge, and push `main`."""
    write_files(tmp_path / "work", files)
    commit = commit_all(tmp_path / "work", "more")
    git(tmp_path / "work", "push", "-q", *options, str(github.repository(NAME).bare), "HEAD:main")
    return commit


def policy_for(github: FakeGitHub, home: Path, *, most: int = MOST) -> SourcePolicy:
    url = f"http://{github.host}"
    return SourcePolicy((), (github.host,), github.host, url, github.token, most, home / "mirrors")


def workspace_for(policy: SourcePolicy, home: Path, run: str) -> Workspace:
    return Workspace(home / "workspaces" / run, Identity("Bot", "bot@example.org"), policy.max_bytes, policy)


async def bound_to(
    github: FakeGitHub,
    home: Path,
    run: str = "run",
    *,
    ref: str | None = None,
    most: int = MOST,
    name: str = NAME,
) -> BoundRepository:
    """A run of its own, bound to a repository of the forge."""
    policy = policy_for(github, home, most=most)
    return await bind(parse_source(name, ref, policy), workspace_for(policy, home, run), policy)


def mirrors_in(home: Path) -> list[Path]:
    """The finished mirrors."""
    return sorted(path for path in (home / "mirrors").glob("*") if path.is_dir() and ".partial-" not in path.name)
