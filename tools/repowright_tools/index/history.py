"""What was changed when and for which words: the newest commits of a repository, each read once.

Plumbing commands only: `git log` obeys settings of the repository that start programs (`log.showSignature`).
"""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from repowright_tools.git.guard import GitFailed, GitFlooded, GitLate
from repowright_tools.git.reading import WITHOUT_INDEX, read_git
from repowright_tools.index.paths import shown
from repowright_tools.index.transaction import transaction
from repowright_tools.secrets import redact, strip_invisible
from repowright_tools.threads import in_thread

NEWEST = 6000
"""Commits that are looked at. On the tuning projects of `search/ranking.py` recall@20 for plain requests was 0.674 with
1,500 of them, 0.688 with 6,000 and, older ones being less true, recall@10 fell from 0.575 to 0.568 with 12,000."""

MOST_PATHS = 200
"""A commit that changes more files (a first import, a reformatting) is kept without them: it says nothing of any."""

MESSAGE_CHARACTERS = 4000

_BATCH = 500
_BATCH_BYTES = 32 * 1024 * 1024
_DEADLINE_S = 20
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS history_commit(
        id TEXT PRIMARY KEY, time INTEGER NOT NULL, message TEXT NOT NULL, paths TEXT NOT NULL)""",
    "CREATE TABLE IF NOT EXISTS history_head(head TEXT PRIMARY KEY, most INTEGER NOT NULL, ids TEXT NOT NULL)",
)
_HEADS = 20  # lists of commits that are kept, one for each commit that was looked at lately


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit with one parent or none.

    Attributes:
        time: when it was committed, in seconds of Unix time.
        message: without secrets and invisible characters, its first MESSAGE_CHARACTERS.
        paths: what it changed, as results spell paths; empty when that is more than MOST_PATHS. A file that was moved
            is there under both names.
    """

    id: str
    time: int
    message: str
    paths: tuple[str, ...]


async def read_history(root: Path, connection: sqlite3.Connection, most: int = NEWEST) -> list[Commit]:
    """The newest commits that HEAD reaches, newest first; merges say nothing by themselves and are left out.

    What `connection` has is not asked of git again. A repository without commits, a clone without trees, a history
    that git cannot read in time: what can be had, in the end nothing. Nothing is fetched.

    Args:
        root: a folder of the work tree.
        most: how many commits.
        connection: with `isolation_level=None`, for the thread of this call and for worker threads alike
            (`check_same_thread=False`); used by one at a time.
    """
    try:
        head = (await read_git(root, "rev-parse", "--verify", "--end-of-options", "HEAD^{commit}")).decode().strip()
        known = await in_thread(_known_list, connection, head, most)
        listed = await _newest(root, head, most) if known is None else known
    except GitFailed:
        return []
    found = await in_thread(_stored, connection, [commit for commit, _ in listed])
    missing = [pair for pair in listed if pair[0] not in found]
    # Oldest first: whoever made a commit could not know the id that stands behind it in git's answer.
    for start in range(0, len(missing), _BATCH):
        pairs = missing[start : start + _BATCH][::-1]
        try:
            some = await _read(root, pairs)
            await in_thread(_keep, connection, some)
        except GitLate:
            break
        except GitFailed:  # trees that a partial clone does not have, today
            continue
        found |= {commit.id: commit for commit in some}
    if known is None:
        await in_thread(_keep_list, connection, head, most, listed)
    return [found[commit] for commit, _ in listed if commit in found]


async def _newest(root: Path, head: str, most: int) -> list[tuple[str, int]]:
    arguments = ("--timestamp", "--no-merges", f"--max-count={most}", head)
    output = await read_git(root, "rev-list", *arguments, deadline_s=_DEADLINE_S)
    pairs = (line.split(" ") for line in output.decode("ascii", "replace").splitlines())
    return [(commit, _bounded(time)) for time, commit in pairs]


def _bounded(time: str) -> int:
    """A commit may claim any time; SQLite holds 64 bits."""
    return max(-(1 << 62), min(int(time), 1 << 62))


async def _read(root: Path, pairs: Sequence[tuple[str, int]]) -> list[Commit]:
    """The commits in order; without message and paths when git prints more of them than is read.

    Raises:
        GitFailed: git cannot show one of them.
    """
    options = ("--stdin", "-z", "-r", "--root", "--always", "--no-renames", "--name-only", "--ignore-submodules=all")
    spelling = ("--no-notes", "--encoding=UTF-8", "--format=%H%x00%B")
    asked = "".join(f"{commit}\n" for commit, _ in pairs).encode()
    try:
        output = await read_git(
            root,
            *("diff-tree", *options, *spelling),
            environment=WITHOUT_INDEX,
            stdin=asked,
            deadline_s=_DEADLINE_S,
            max_output=_BATCH_BYTES,
        )
    except GitFlooded:
        return [Commit(commit, time, "", ()) for commit, time in pairs]
    return await in_thread(_commits, output, pairs)


def _commits(output: bytes, pairs: Sequence[tuple[str, int]]) -> list[Commit]:
    fields = output.split(b"\0")
    ids = [commit.encode() for commit, _ in pairs]
    at = 0
    found: list[Commit] = []
    for number, (commit, time) in enumerate(pairs):
        if at + 1 >= len(fields) or fields[at] != ids[number]:
            found.append(Commit(commit, time, "", ()))
            continue
        end = at + 2
        following = ids[number + 1] if number + 1 < len(ids) else b""
        while end < len(fields) and fields[end] != following:
            end += 1
        paths = [path.removeprefix(b"\n") if place == 0 else path for place, path in enumerate(fields[at + 2 : end])]
        found.append(Commit(commit, time, _clean(fields[at + 1]), _shown(paths)))
        at = end
    return found


def _clean(message: bytes) -> str:
    text = message[: 4 * MESSAGE_CHARACTERS].decode("utf-8", "replace")
    return redact(strip_invisible(text))[:MESSAGE_CHARACTERS]


def _shown(paths: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(shown(path) for path in paths) if len(paths) <= MOST_PATHS else ()


# --- what is kept -----------------------------------------------------------------------------------------------------


def _known_list(connection: sqlite3.Connection, head: str, most: int) -> list[tuple[str, int]] | None:
    for statement in _SCHEMA:
        connection.execute(statement)
    row = connection.execute("SELECT ids FROM history_head WHERE head = ? AND most = ?", (head, most)).fetchone()
    with suppress(ValueError, TypeError):
        listed = [(commit, time) for commit, time in json.loads(row[0])] if row else None
        if listed is None or all(isinstance(commit, str) and isinstance(time, int) for commit, time in listed):
            return listed
    return None  # damaged: it is listed again


def _stored(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Commit]:
    rows = connection.execute(
        "SELECT id, time, message, paths FROM history_commit WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),
    )
    found: dict[str, Commit] = {}
    for commit, time, message, paths in rows:
        with suppress(ValueError, TypeError):  # damaged: it is read again
            known = Commit(commit, time, message, tuple(json.loads(paths)))
            if isinstance(time, int) and all(isinstance(text, str) for text in (message, *known.paths)):
                found[commit] = known
    return found


def _keep(connection: sqlite3.Connection, commits: Sequence[Commit]) -> None:
    rows = [(commit.id, commit.time, commit.message, json.dumps(commit.paths)) for commit in commits]
    with transaction(connection):
        connection.executemany("INSERT OR REPLACE INTO history_commit VALUES(?, ?, ?, ?)", rows)


def _keep_list(connection: sqlite3.Connection, head: str, most: int, listed: Sequence[tuple[str, int]]) -> None:
    """Keep which commits a HEAD reaches, of the heads seen last."""
    with transaction(connection):
        connection.execute("INSERT OR REPLACE INTO history_head VALUES(?, ?, ?)", (head, most, json.dumps(listed)))
        connection.execute(
            "DELETE FROM history_head WHERE rowid NOT IN (SELECT rowid FROM history_head ORDER BY rowid DESC LIMIT ?)",
            (_HEADS,),
        )
