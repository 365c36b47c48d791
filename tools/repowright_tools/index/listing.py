"""What is in a work tree: the files worth reading, and every other one under the reason it is left out."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from repowright_tools.errors import InvalidArguments, NotARepository, WorkspaceTooLarge
from repowright_tools.git.guard import GitFailed, GitFlooded, GitLate, run_git
from repowright_tools.index.classify import HEAD_BYTES, Reason, is_minified, reason_by_head, reason_by_path
from repowright_tools.index.languages import grammar_of, language_of
from repowright_tools.index.limits import Limits
from repowright_tools.index.paths import shown
from repowright_tools.index.reading import FileRefused, TreeReader, read_up_to
from repowright_tools.threads import in_thread

_CHUNK = 200  # files between two progress reports, and between two chances to cancel
_EXAMPLES = 3

_Refused = tuple[bytes, Reason]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A text file of the tree.

    Attributes:
        path: as results spell it (`paths.shown`); `raw` is the name on disk.
        language: its name, or None; `grammar` is what parses it, or None.
        digest: of its bytes (`digest_of`).
    """

    path: str
    raw: bytes
    language: str | None
    grammar: str | None
    size: int
    lines: int
    digest: str


@dataclass(frozen=True, slots=True)
class Excluded:
    """Files left out for one reason: how many, and the first few by name."""

    reason: Reason
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Listing:
    """Everything git knows or would add, sorted by path.

    Attributes:
        files: what is read.
        excluded: the others, by reason.
        existing: every path that is a file, read or not, with its name on disk.
    """

    files: list[SourceFile]
    excluded: list[Excluded]
    existing: dict[str, bytes]

    @property
    def listed(self) -> int:
        return len(self.files) + sum(group.count for group in self.excluded)


def digest_of(data: bytes) -> str:
    """What a file's bytes are known by: 32 hex digits of BLAKE2b."""
    return blake2b(data, digest_size=16).hexdigest()


async def list_files(
    root: Path, exclude: Sequence[str], limits: Limits, on_progress: Callable[[int, int], None]
) -> Listing:
    """List the work tree at `root` as git sees it, ignored files left out, and look at every file once.

    Args:
        root: a folder inside a git work tree.
        exclude: the caller's own patterns, with the syntax of .gitignore.
        limits: what is too much.
        on_progress: told files done and files in all.

    Raises:
        NotARepository: git does not take `root` for a work tree.
        WorkspaceTooLarge: git's list itself is beyond bounds.
        InvalidArguments: the patterns in `exclude` take too long to match.
    """
    names = await _names(root)
    unwanted = await _left_out(root, exclude, limits.exclude_deadline_s)
    candidates, refused = await in_thread(_sift, names, unwanted, limits.files)
    files: list[SourceFile] = []
    for start in range(0, len(candidates), _CHUNK):
        on_progress(start, len(candidates))
        some, others = await in_thread(_look_at, root, candidates[start : start + _CHUNK], limits.file_bytes)
        files += some
        refused += others
    on_progress(len(candidates), len(candidates))
    files.sort(key=lambda file: file.path)
    gone = {shown(raw) for raw, reason in refused if reason in {"missing", "submodule"}}
    existing = {path: raw for raw in names if (path := shown(raw)) not in gone}
    return Listing(files, _grouped(refused), existing)


async def _names(root: Path) -> list[bytes]:
    try:
        return await _git_list(root, "--exclude-standard")
    except (GitFlooded, GitLate) as error:
        raise WorkspaceTooLarge(f"Listing {root} is beyond bounds: {error}.") from error
    except GitFailed as error:
        raise NotARepository(f"git cannot list {root}: {error.stderr}") from error


async def _git_list(root: Path, *options: str, deadline_s: float = 60) -> list[bytes]:
    output = await run_git(root, "ls-files", "--cached", "--others", "-z", *options, deadline_s=deadline_s)
    return sorted({name for name in output.split(b"\0") if name})  # an unmerged file is listed once a stage


async def _left_out(root: Path, exclude: Sequence[str], deadline_s: float) -> set[bytes]:
    """Names that the caller's patterns match. Git matches them: its semantics are the ones meant, and a pattern made
    to backtrack for hours ends with its process.
    """
    if not exclude:
        return set()
    patterns = [f"--exclude={pattern}" for pattern in exclude]
    try:
        return set(await _git_list(root, "--ignored", *patterns, deadline_s=deadline_s))
    except GitLate as error:
        raise InvalidArguments(f"exclude: matching takes more than {deadline_s:g} s; use less `*`.") from error


def _sift(names: Sequence[bytes], unwanted: set[bytes], most: int) -> tuple[list[bytes], list[_Refused]]:
    """Names to look at, source code first when there are too many, and names that say enough by themselves."""
    candidates: list[bytes] = []
    refused: list[_Refused] = []
    for raw in names:
        reason = "user_glob" if raw in unwanted else reason_by_path(shown(raw))
        if reason is None:
            candidates.append(raw)
        else:
            refused.append((raw, reason))
    if len(candidates) > most:
        candidates.sort(key=lambda raw: (grammar_of(shown(raw)) is None, raw))
        refused.extend((raw, "over_limit") for raw in candidates[most:])
        del candidates[most:]
    return candidates, refused


def _look_at(root: Path, names: Sequence[bytes], most: int) -> tuple[list[SourceFile], list[_Refused]]:
    files: list[SourceFile] = []
    refused: list[_Refused] = []
    with TreeReader(root) as reader:
        for raw in names:
            try:
                found = _file(reader, raw, most)
            except FileRefused as error:
                found = error.reason
            if isinstance(found, SourceFile):
                files.append(found)
            else:
                refused.append((raw, found))
    return files, refused


def _file(reader: TreeReader, raw: bytes, most: int) -> SourceFile | Reason:
    path = shown(raw)
    with reader.open(raw) as (descriptor, size):
        head = read_up_to(descriptor, HEAD_BYTES)
        if reason := reason_by_head(head):
            return reason
        if size > most:
            return "oversized"
        data = head + read_up_to(descriptor, most - len(head)) if len(head) == HEAD_BYTES else head
    lines = data.count(b"\n") + (bool(data) and not data.endswith(b"\n"))
    if is_minified(path, data, lines):
        return "minified"
    return SourceFile(path, raw, language_of(path), grammar_of(path), len(data), lines, digest_of(data))


def _grouped(refused: Sequence[_Refused]) -> list[Excluded]:
    groups: defaultdict[Reason, list[bytes]] = defaultdict(list)
    for raw, reason in sorted(refused):
        groups[reason].append(raw)
    return [
        Excluded(reason, len(names), tuple(shown(raw) for raw in names[:_EXAMPLES]))
        for reason, names in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    ]
