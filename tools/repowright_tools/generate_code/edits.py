"""What a submission makes of the tree: all of it, or findings that say what is wrong. Nothing is written here."""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

from repowright_tools.generate_code.matching import Mismatch, Place, locate
from repowright_tools.git.names import PathRefused, inside, protected_reason
from repowright_tools.index.nearest import nearest
from repowright_tools.models import Edits

MAX_FILE_BYTES = 1024 * 1024
MAX_FILES = 200
_BOM = "\ufeff"
_LINK = 0o120000


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a submission; `nearest` helps to mend it."""

    path: str
    reason: str
    nearest: str | None = None

    def __str__(self) -> str:
        told = f"{self.path}: {self.reason}" if self.path else self.reason
        return f"{told}\nNearest: {self.nearest}" if self.nearest else told


@dataclass(frozen=True)
class Tree:
    """The clone's work tree at the base commit. `modes` maps each tracked path to git's mode."""

    root: Path
    modes: Mapping[str, int]

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()


@dataclass
class Changes:
    """What a submission comes to.

    Attributes:
        files: new content by path; None for a file that goes away.
        before: content that each of these files had, under its old name for a renamed one; None for a new file.
        renamed: old path by new path.
        problems: when there is any, nothing may be applied.
    """

    files: dict[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    before: dict[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    renamed: dict[str, str] = field(default_factory=dict[str, str])
    problems: list[Problem] = field(default_factory=list[Problem])


Allowed = Callable[[str], str | None]
"""Says why a path may not be touched in this mode, or None."""


class _Refused(Exception):
    def __init__(self, path: str, reason: str, closest: str | None = None) -> None:
        super().__init__(reason)
        self.problem = Problem(path, reason, closest)


def resolve(edits: Edits, tree: Tree, allowed: Allowed = lambda path: None) -> Changes:
    """What the submission makes of the tree. Every `old` is looked up in the file as it is in the tree.

    Args:
        edits: the submission.
        tree: what it is about.
        allowed: a further condition on paths.
    """
    changes = Changes()
    judge = _Judge(tree, allowed, changes)
    by_path: dict[str, list[tuple[str, str]]] = {}
    for edit in edits.edits:
        by_path.setdefault(edit.path, []).append((edit.old, edit.new))
    operations: list[Callable[[], None]] = [
        *(partial(judge.rename, rename.from_, rename.to) for rename in edits.renames),
        *(partial(judge.delete, path) for path in edits.deletes),
        *(partial(judge.create, new.path, new.content) for new in edits.new_files),
        *(partial(judge.edit, path, replacements) for path, replacements in by_path.items()),
    ]
    for operation in operations:
        try:
            operation()
        except _Refused as refused:
            changes.problems.append(refused.problem)
    if not operations:
        changes.problems.append(Problem("", "the submission changes nothing"))
    if len(changes.files) > MAX_FILES:
        changes.problems.append(Problem("", f"more than {MAX_FILES} files in one submission"))
    return changes


class _Judge:
    """Takes one operation at a time into `changes`, or raises what is wrong with it."""

    def __init__(self, tree: Tree, allowed: Allowed, changes: Changes) -> None:
        self._tree = tree
        self._allowed = allowed
        self._changes = changes
        self._folded = {_fold(path): path for path in tree.modes}
        self._paths = set(tree.modes)
        self._folders = {folder for path in tree.modes for folder in _folders(path)}

    def rename(self, old: str, new: str) -> None:
        self._check_existing(old)
        self._check_new(new)
        data = self._tree.read(old)
        self._changes.files |= {old: None, new: data}
        self._changes.before |= {old: data, new: data}
        self._changes.renamed[new] = old

    def delete(self, path: str) -> None:
        self._check_existing(path)
        self._changes.before[path] = self._tree.read(path)
        self._changes.files[path] = None

    def create(self, path: str, content: str) -> None:
        self._check_new(path)
        self._changes.files[path] = _encoded(path, content)
        self._changes.before[path] = None

    def edit(self, path: str, replacements: list[tuple[str, str]]) -> None:
        if path in self._changes.renamed:
            data = self._changes.before[path] or b""
        else:
            self._check_existing(path)
            data = self._tree.read(path)
        text = _decoded(path, data)
        mark = _BOM if text.startswith(_BOM) else ""
        edited = _encoded(path, mark + self._replaced(path, text.removeprefix(_BOM), replacements))
        self._changes.files[path] = edited
        self._changes.before[path] = data

    def _replaced(self, path: str, text: str, replacements: list[tuple[str, str]]) -> str:
        """The text with those replacements that have a place; each of the others is a problem of its own."""
        places: list[Place] = []
        for number, (old, new) in enumerate(replacements, 1):
            found = _place(text, old, new)
            if isinstance(found, Place):
                places.append(found)
            else:
                which = f"edit {number} of {len(replacements)}: " if len(replacements) > 1 else ""
                self._changes.problems.append(Problem(path, which + found.reason, found.nearest))
        places.sort(key=lambda place: (place.start, place.end))
        if any(one.end > other.start for one, other in pairwise(places)):
            raise _Refused(path, "two edits of the file overlap; make them one")
        for place in reversed(places):
            text = text[: place.start] + place.new + text[place.end :]
        return text

    def _check_existing(self, path: str) -> None:
        self._check_path(path)
        if path not in self._tree.modes:
            closest = nearest(path, self._tree.modes, 1)
            raise _Refused(path, "no such file in the repository", closest[0] if closest else None)
        if path in self._changes.files:
            raise _Refused(path, "is also deleted or renamed in this submission")

    def _check_new(self, path: str) -> None:
        self._check_path(path)
        twin = self._folded.get(_fold(path))
        if twin == path:
            raise _Refused(path, "the file exists already; change it with `edits`")
        if twin is not None:
            raise _Refused(path, f"not every file system keeps it apart from {twin}")
        if path in self._folders or not self._paths.isdisjoint(_folders(path)):
            raise _Refused(path, "a file of the repository would have to be a folder, or the reverse")
        self._folded[_fold(path)] = path
        self._paths.add(path)
        self._folders.update(_folders(path))

    def _check_path(self, path: str) -> None:
        try:
            inside(self._tree.root, path)
        except PathRefused as refused:
            raise _Refused(path, refused.reason) from None
        if (reason := protected_reason(path)) is not None:
            raise _Refused(path, f"protected: {reason}")
        if self._tree.modes.get(path) == _LINK:
            raise _Refused(path, "the path is a symbolic link")
        if (reason := self._allowed(path)) is not None:
            raise _Refused(path, reason)


def _place(text: str, old: str, new: str) -> Place | Mismatch:
    if not old:
        return Mismatch("`old` is empty; copy the text to replace, or use `new_files`", None)
    if old == new:
        return Mismatch("`old` and `new` are the same", None)
    return locate(text, old, new)


def _decoded(path: str, data: bytes) -> str:
    if len(data) > MAX_FILE_BYTES:
        raise _Refused(path, f"the file is larger than {MAX_FILE_BYTES} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise _Refused(path, "the file is binary or not UTF-8")
    return text


def _encoded(path: str, text: str) -> bytes:
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        data = b"\0"
    if b"\0" in data:
        raise _Refused(path, "the text holds a NUL or half of a character")
    if len(data) > MAX_FILE_BYTES:
        raise _Refused(path, f"the file would be larger than {MAX_FILE_BYTES} bytes")
    return data


def _folders(path: str) -> list[str]:
    return [path[:end] for end, character in enumerate(path) if character == "/"]


def _fold(path: str) -> str:
    """Equal for paths that a case-blind or normalising file system takes for one."""
    return unicodedata.normalize("NFC", path).casefold()


def write(changes: Changes, tree: Tree) -> None:
    """Put changes without problems into the tree's folder."""
    for new, old in changes.renamed.items():
        target = inside(tree.root, new)
        target.parent.mkdir(parents=True, exist_ok=True)
        inside(tree.root, old).rename(target)
    for path, data in changes.files.items():
        target = inside(tree.root, path)
        if data is None:
            target.unlink(missing_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
