"""Cases for the retrieval benchmark, taken from a project's own history.

A case is a commit with one parent among the newest 6,000. The question is its message without what would give the
answer away (paths, file names, issue numbers, hashes, addresses, trailers); the answer is the source files that it
modified, one to five, as they stood at the parent.
"""

import random
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NEWEST = 6000
EMBARGO_S = 30 * 24 * 3600
"""How long before a case its history ends: what was changed for the same request days before says too much."""

_SOURCE = re.compile(r"\.(py|[cm]?[jt]sx?|go)$")
_NOT_SOURCE = re.compile(
    r"(^|/)(tests?|__tests__|docs?|fixtures?|playground|testdata|testing|e2e|__mocks__|__snapshots__|mocks|migrations"
    r"|vendor(ed)?|third_party|node_modules|dist|benchmarks?|bench|examples?|template-[\w-]+)/"
    r"|_test\.go$|(^|/)(test_[^/]*|conftest|tests?)\.py$|_tests?\.py$|\.(test|spec|bench|stories)(-d)?\.\w+$"
    r"|\.pb(\.gw)?\.go$|_pb2(_grpc)?\.py$|\.min\.js$|zz_generated",
)
_TRAILER = re.compile(
    r"^[A-Z][A-Za-z]*(-[A-Za-z]+)+: .*$|^(Refs?|Closes|Fixes|Issue|Ticket|PR|Bug|See): .*$", re.MULTILINE
)
_URL = re.compile(r"\w+://\S+|\bwww\.\S+")
_ISSUE = re.compile(r"\(?(?:\b(?:GH|gh|PR|pull request|issue|Issue)[ -]?)?#\d+\)?|\bissue \d+\b|\b[A-Z]{2,8}-\d+\b")
_SHA = re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{7,40}\b")
_FILE = re.compile(
    r"[\w.@*-]*/[\w./@*-]*\w"
    r"|\b[\w-]+\.(?:py|[cm]?[jt]sx?|go|md|rst|txt|json|ya?ml|toml|html?|s?css|vue|tf|proto|sh|cfg|ini|lock|mod|sum)\b"
)
_SCOPE = re.compile(r"^\s*([a-z]+(\([^)]*\))?!?|[\w./-]+(, ?[\w./-]+)*):\s+")
_BACKTICKED = re.compile(r"`[^`]*`")
_IDENTIFIER = re.compile(
    r"\S*[A-Za-z0-9]_\w+\S*|\S*_[A-Za-z]\w*\S*|\S*[a-z0-9][A-Z]\w*\S*|\b\w+\(\)|\b[A-Za-z]\w*(?:\.[A-Za-z]\w+)+|--?[a-z][\w-]+\b"
    r"|\S*::\S*|\S*[<>{}\[\]$@=]\S*"
)


@dataclass(frozen=True)
class Change:
    """A commit: `paths` are all it changed, `modified` those that were there before and after."""

    id: str
    parents: tuple[str, ...]
    time: int
    message: str
    paths: tuple[str, ...]
    modified: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """A question in three forms and the files that answer it, at the commit `parent`."""

    project: str
    id: str
    parent: str
    time: int
    full: str
    subj: str
    nl: str
    gold: frozenset[str]

    def question(self, form: str) -> str:
        return {"full": self.full, "subj": self.subj, "nl": self.nl}[form]


def is_source(path: str) -> bool:
    """Whether a file is a candidate: program text that is neither a test, documentation, generated nor vendored."""
    return bool(_SOURCE.search(path)) and not _NOT_SOURCE.search(path)


def cleaned(message: str) -> str:
    """The message without what names files or leads to them."""
    for pattern in (_TRAILER, _URL, _ISSUE, _FILE, _SHA):
        message = pattern.sub(" ", message)
    return re.sub(r"[ \t]+", " ", message).strip()


def plain(subject: str) -> str:
    """A subject without identifiers, quoted code and the scope before its colon: the closest to a request in words."""
    for pattern in (_SCOPE, _BACKTICKED, _IDENTIFIER):
        subject = pattern.sub(" ", subject)
    return re.sub(r"\s+", " ", subject).strip()


def changes(repository: Path, most: int = 0) -> list[Change]:
    """The history, newest first; at most `most` commits when that is not 0."""
    limit = [f"-n{most}"] if most else []
    output = git(
        repository, "log", "-z", *limit, "--no-renames", "--raw", "--no-abbrev", "--format=%x02%H %P%x03%ct%x03%B%x03"
    )
    found: list[Change] = []
    for record in output.split("\x02")[1:]:
        ids, time, message, raw = record.split("\x03", 3)
        fields = [field.lstrip("\n") for field in raw.split("\0")]
        pairs = [(fields[at], fields[at + 1]) for at in range(len(fields) - 1) if fields[at].startswith(":")]
        commit, *parents = ids.split()
        paths = tuple(path for _, path in pairs)
        modified = tuple(path for head, path in pairs if head.endswith(" M"))
        found.append(Change(commit, tuple(parents), int(time), message, paths, modified))
    return found


def cases(project: str, history: Sequence[Change], count: int, seed: int) -> list[Case]:
    """`count` cases drawn at random with a fixed seed, in the order they were drawn."""
    possible: list[Case] = []
    for change in history[:NEWEST]:
        gold = frozenset(path for path in change.modified if is_source(path))
        subject = change.message.strip().split("\n", 1)[0]
        full, subj = cleaned(change.message), cleaned(subject)
        if len(change.parents) == 1 and 1 <= len(gold) <= 5 and len(subj.split()) >= 3:
            possible.append(
                Case(project, change.id, change.parents[0], change.time, full, subj, plain(subj) or subj, gold)
            )
    random.Random(seed).shuffle(possible)
    return possible[:count]


def tree(repository: Path, commit: str) -> dict[str, str]:
    """Blob id by path of the regular files of a commit."""
    found: dict[str, str] = {}
    for line in git(repository, "ls-tree", "-r", "-z", commit).split("\0"):
        head, _, path = line.partition("\t")
        if head.startswith("100"):
            found[path] = head.split(" ")[2]
    return found


def blobs(repository: Path, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """The bytes of blobs, in the order asked for; of those that the clone does not have, nothing."""
    wanted = list(ids)
    command = ["git", "-C", str(repository), "cat-file", "--batch"]
    for start in range(0, len(wanted), 500):
        some = wanted[start : start + 500]
        answer = subprocess.run(command, input="\n".join(some).encode() + b"\n", capture_output=True, check=True).stdout
        at = 0
        for blob in some:
            end = answer.index(b"\n", at)
            head = answer[at:end].split()
            if len(head) < 3:  # not there: a partial clone
                at = end + 1
                continue
            size = int(head[2])
            yield blob, answer[end + 1 : end + 1 + size]
            at = end + 2 + size


def embargoed(history: Sequence[Change], case: Case) -> list[Change]:
    """What may be known of the past at a case: commits older than 30 days then, newest first."""
    return [change for change in history if change.time < case.time - EMBARGO_S]


def git(repository: Path, *arguments: str) -> str:
    output = subprocess.run(["git", "-C", str(repository), *arguments], capture_output=True, check=True).stdout
    return output.decode("utf-8", "surrogateescape")


def by_project(found: Iterable[Case]) -> Mapping[str, list[Case]]:
    grouped: dict[str, list[Case]] = {}
    for case in found:
        grouped.setdefault(case.project, []).append(case)
    return grouped
