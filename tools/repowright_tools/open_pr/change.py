"""What a push would publish, read from the clean clone: every commit that the base does not have."""

from dataclasses import dataclass
from pathlib import Path

from repowright_tools.errors import BaseMissing, ChangeTooLarge, NothingToPush
from repowright_tools.git.guard import GitFailed, GitFlooded, GitLate, run_git

MAX_PATCH_BYTES = 64 * 1024 * 1024
DEADLINE_S = 120.0

_PATCH = (
    # Dense combined diffs show of a merge what none of its parents has. What git takes for binary is read as well:
    # an attribute of the repository must not hide a file.
    *("log", "--cc", "--format=", "--unified=0", "--text", "--no-renames", "--no-color"),
    *("--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", "--submodule=short"),
)


@dataclass(frozen=True)
class Commit:
    id: str
    message: str

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0].strip()


@dataclass(frozen=True)
class FileStat:
    """Lines added and deleted; None for what git takes for binary."""

    path: str
    additions: int | None
    deletions: int | None


@dataclass(frozen=True)
class Change:
    """A branch against its base.

    Attributes:
        base: name of the base branch.
        base_commit: where the branch left the base.
        head_commit: what is pushed.
        commits: newest first; all that would be published.
        files: the change from `base_commit` to `head_commit`.
        paths: every path that some commit touches, also those that a later one restores.
        patch: what every commit adds and removes, without context.
    """

    base: str
    base_commit: str
    head_commit: str
    commits: list[Commit]
    files: list[FileStat]
    paths: list[str]
    patch: str


async def read_change(clone: Path, base: str, base_tip: str, head: str, *, max_bytes: int = MAX_PATCH_BYTES) -> Change:
    """Read the change from the clone; `base_tip` and `head` are commit ids.

    Raises:
        NothingToPush: the branch does not differ from its base.
        BaseMissing: the two have no history in common.
        ChangeTooLarge: it cannot be read whole.
    """
    try:
        fork = (await _git(clone, "merge-base", base_tip, head)).decode().strip()
    except GitFailed as error:
        raise BaseMissing(f"the branch and {base} have no history in common") from error
    published = f"{base_tip}..{head}"
    try:
        files = _numstat(
            await _git(clone, "diff", "--numstat", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", fork, head)
        )
        if not files:
            raise NothingToPush(f"the branch does not differ from {base}")
        messages = await _git(clone, "log", "-z", "--format=%H%n%B", published)
        names = await _git(clone, "log", "-z", "--cc", "--format=", "--name-only", "--no-renames", published)
        patch = await _git(clone, *_PATCH, published, max_bytes=max_bytes)
    except (GitFlooded, GitLate) as error:
        raise ChangeTooLarge(f"the change cannot be read whole: {error.stderr}") from error
    return Change(
        base=base,
        base_commit=fork,
        head_commit=head,
        commits=[Commit(*_split(entry)) for entry in messages.decode(errors="replace").split("\0") if entry.strip()],
        files=files,
        paths=sorted({name for name in _names(names) if name}),
        patch=patch.decode(errors="replace"),
    )


async def _git(clone: Path, *arguments: str, max_bytes: int = MAX_PATCH_BYTES) -> bytes:
    own = {"GIT_DIR": str(clone / ".git")}
    return await run_git(clone, *arguments, environment=own, deadline_s=DEADLINE_S, max_output=max_bytes)


def _split(entry: str) -> tuple[str, str]:
    commit, _, message = entry.lstrip("\n").partition("\n")
    return commit, message


def _names(output: bytes) -> list[str]:
    # Between commits git puts an empty name or a newline before the next one.
    return [name.removeprefix("\n") for name in output.decode(errors="surrogateescape").split("\0")]


def _numstat(output: bytes) -> list[FileStat]:
    stats: list[FileStat] = []
    for entry in output.decode(errors="replace").split("\0"):
        additions, _, rest = entry.partition("\t")
        deletions, _, path = rest.partition("\t")
        if path:
            stats.append(FileStat(path, _count(additions), _count(deletions)))
    return stats


def _count(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
