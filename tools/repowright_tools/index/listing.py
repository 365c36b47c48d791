"""What is in a work tree: the files worth reading, and every other one under the reason it is left out."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

from repowright_tools.errors import InvalidArguments, NotARepository, SourceError, WorkspaceTooLarge
from repowright_tools.git.guard import GitFailed, GitFlooded, GitLate
from repowright_tools.git.reading import WITHOUT_INDEX, read_git
from repowright_tools.git.shadow import ANYWHERE, find_work_tree
from repowright_tools.index.classify import Reason, reason_by_path
from repowright_tools.index.languages import grammar_of, language_of
from repowright_tools.index.limits import Limits
from repowright_tools.index.paths import shown
from repowright_tools.index.reading import FileRefused, TreeReader
from repowright_tools.index.table import FileTable
from repowright_tools.threads import in_thread

_EXAMPLES = 3
_ATTRIBUTES_BYTES = 100 * 1024 * 1024  # git reads no larger ones


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A text file of the tree.

    Attributes:
        path: as results spell it (`paths.shown`); `raw` is the name on disk.
        language: its name, or None; `grammar` is what parses it, or None.
        size: bytes.
        digest: the id that git gives its bytes as a blob, in hexadecimal.
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
class Names:
    """What git lists, as it prints it.

    Attributes:
        listed: the names, each ended by NUL: everything git knows or would add, ignored files left out.
        unwanted: those of them that the caller's patterns match, in the same form.
        attributes: what the files that say what other files are, are known by. (They may be left out themselves.)
    """

    listed: bytes
    unwanted: bytes
    attributes: bytes

    @cached_property
    def digest(self) -> bytes:
        return blake2b(b"\0".join((self.listed, self.unwanted, self.attributes)), digest_size=16).digest()


async def list_names(root: Path, exclude: Sequence[str], limits: Limits) -> Names:
    """List the work tree at `root` as git sees it.

    Args:
        root: a folder inside a git work tree.
        exclude: the caller's own patterns, with the syntax of .gitignore.
        limits: what is too much.

    Raises:
        NotARepository: git does not take `root` for a work tree.
        WorkspaceTooLarge: git's list itself is beyond bounds.
        InvalidArguments: the patterns in `exclude` take too long to match.
    """
    try:
        listed = await _git_list(root, "--exclude-standard")
    except (GitFlooded, GitLate) as error:
        raise WorkspaceTooLarge(f"Listing {root} is beyond bounds: {error}.") from error
    except GitFailed as error:
        raise NotARepository(f"git cannot list {root}: {error.stderr}") from error
    unwanted = await _left_out(root, exclude, limits.exclude_deadline_s)
    return Names(listed, unwanted, await in_thread(_attributes, root, listed))


def _attributes(root: Path, listed: bytes) -> bytes:
    """What a change of the attributes changes: a digest of the files that hold them."""
    if b".gitattributes\0" not in listed:
        return b""
    found = blake2b(digest_size=16)
    with TreeReader(root) as reader:
        for name in filter(_is_attributes, listed.split(b"\0")):
            try:
                found.update(reader.read(name, _ATTRIBUTES_BYTES))
            except FileRefused as refused:
                found.update(refused.reason.encode())
            found.update(b"\0")
    with suppress(OSError, SourceError):
        tree = find_work_tree(root, ANYWHERE)
        stat = os.lstat(tree.common_folder / "info" / "attributes")
        found.update(f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ino}".encode())
    return found.digest()


async def _git_list(root: Path, *options: str, deadline_s: float = 60) -> bytes:
    # `--sparse`: to unfold a sparse index git writes to the user's objects, and what is folded is not on disk.
    listed = ("ls-files", "--cached", "--others", "--sparse", "-z", *options)
    return await read_git(root, *listed, deadline_s=deadline_s)


async def _left_out(root: Path, exclude: Sequence[str], deadline_s: float) -> bytes:
    """Names that the caller's patterns match. Git matches them: its semantics are the ones meant, and a pattern made
    to backtrack for hours ends with its process.
    """
    if not exclude:
        return b""
    if any("\0" in pattern for pattern in exclude):
        raise InvalidArguments("exclude: a pattern has a NUL in it.")
    patterns = [f"--exclude={pattern}" for pattern in exclude]
    try:
        return await _git_list(root, "--ignored", *patterns, deadline_s=deadline_s)
    except GitLate as error:
        raise InvalidArguments(f"exclude: matching takes more than {deadline_s:g} s; use less `*`.") from error


async def linguist_marks(root: Path, names: Names) -> dict[bytes, Reason | None]:
    """What the repository itself says of its files by `linguist-generated` and `linguist-vendored` in .gitattributes:
    the reason to leave a file out, or None for one that is neither.
    """
    if not names.attributes:
        return {}
    attributes = ("linguist-vendored", "linguist-generated")
    try:
        said = await read_git(
            root, "check-attr", "-z", "--stdin", *attributes, environment=WITHOUT_INDEX, stdin=names.listed
        )
    except GitFailed:  # it says nothing then
        return {}
    fields = said.split(b"\0")
    marks: dict[bytes, Reason | None] = {}
    for name, attribute, value in zip(fields[::3], fields[1::3], fields[2::3], strict=False):
        if value in {b"set", b"true"}:
            marks[name] = "generated" if attribute == b"linguist-generated" else "vendored"
        elif value in {b"unset", b"false"}:
            marks.setdefault(name, None)
    return marks


def _is_attributes(name: bytes) -> bool:
    return name.rpartition(b"/")[2] == b".gitattributes"


def refused_by_name(
    names: Sequence[bytes], unwanted: bytes, marks: Mapping[bytes, Reason | None], most: int
) -> dict[int, Reason]:
    """The places of names that say enough by themselves, and of those beyond `most` files, source code going first."""
    left_out = set(unwanted.split(b"\0"))
    refused: dict[int, Reason] = {}
    for place, raw in enumerate(names):
        reason = "user_glob" if raw in left_out else reason_by_path(shown(raw))
        if raw in marks and reason in {None, "vendored", "generated"}:
            reason = marks[raw]
        if reason is not None:
            refused[place] = reason
    if len(names) - len(refused) > most:
        kept = [place for place in range(len(names)) if place not in refused]
        kept.sort(key=lambda place: grammar_of(shown(names[place])) is None)
        refused.update(dict.fromkeys(kept[most:], "over_limit"))
    return refused


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


def listing_of(table: FileTable) -> Listing:
    """The listing that a table of files tells."""
    files: list[SourceFile] = []
    refused: defaultdict[Reason, list[bytes]] = defaultdict(list)
    existing: dict[str, bytes] = {}
    for place, raw in enumerate(table.names):
        path, reason = shown(raw), table.reason(place)
        if reason not in {"missing", "submodule"}:
            existing[path] = raw
        if reason is not None:
            refused[reason].append(raw)
            continue
        size, identity = table.size(place), table.id(place).hex()
        files.append(SourceFile(path, raw, language_of(path), grammar_of(path), size, table.lines[place], identity))
    files.sort(key=lambda file: file.path)
    return Listing(files, _grouped(refused), existing)


def _grouped(refused: dict[Reason, list[bytes]]) -> list[Excluded]:
    return [
        Excluded(reason, len(names), tuple(shown(raw) for raw in names[:_EXAMPLES]))
        for reason, names in sorted(refused.items(), key=lambda group: (-len(group[1]), group[0]))
    ]
