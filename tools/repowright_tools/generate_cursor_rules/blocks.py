"""The part of a rules file that is ours: what stands between two markers, and is replaced only as we left it.

The opening marker carries a digest of what we wrote. A block that no longer fits its digest was edited by a person,
and is theirs.
"""

import re
from dataclasses import dataclass
from hashlib import sha256

END = "<!-- repowright:end -->"
_BEGIN = "<!-- repowright:begin"
_MARKED = re.compile(
    r"(?P<before>.*?)<!-- repowright:begin sha=(?P<sha>[0-9a-f]{16}) -->\r?\n"
    r"(?P<body>.*?)<!-- repowright:end -->(?P<after>.*)",
    re.DOTALL,
)


class NotOurs(Exception):
    """What is in the file must not be replaced; the message says why, and how to go on."""


@dataclass(frozen=True)
class Block:
    """What we want a file to have.

    Attributes:
        head: what comes before the block, in a file that is ours alone; empty in one that people write in as well.
        body: whole lines.
    """

    head: str
    body: str

    def marked(self) -> str:
        """The whole file, when there is no human text in it."""
        return f"{self.head}{_BEGIN} sha={_digest(self.head, self.body)} -->\n{self.body}{END}\n"


@dataclass(frozen=True)
class Found:
    """Our block in a text, as we left it. Counted from 1, `line` is that of the opening marker."""

    before: str
    body: str
    after: str
    line: int


def find(text: str, *, ours_alone: bool) -> Found | None:
    """The block in `text`, or None when it has no markers.

    Raises:
        NotOurs: a person changed it, or the markers do not match.
    """
    begins, ends = text.count(_BEGIN), text.count(END)
    if not begins and not ends:
        if ours_alone:
            raise NotOurs("a file of this name exists that repowright did not write; rename or remove it")
        return None
    match = _MARKED.fullmatch(text)
    if begins != 1 or ends != 1 or match is None:
        raise NotOurs("its repowright markers are damaged; restore them, or remove them to keep the text as your own")
    found = Found(match["before"], match["body"], match["after"], match["before"].count("\n") + 1)
    edited = _digest(found.before if ours_alone else "", found.body) != match["sha"]
    if edited or (ours_alone and found.after.strip()):
        where = "the file" if ours_alone else "the block between the markers"
        raise NotOurs(f"{where} was edited by hand; move the edits elsewhere and remove what is left of it")
    return found


def merged(existing: str | None, wanted: Block, *, ours_alone: bool) -> str:
    """The file with our block in it and every character of human text as it was.

    Raises:
        NotOurs: see `find`.
    """
    if existing is None:
        return wanted.marked()
    found = find(existing, ours_alone=ours_alone)
    newline = "\r\n" if "\r\n" in existing else "\n"
    block = wanted.marked().replace("\n", newline)
    if found is not None:
        return block if ours_alone else found.before + block.removesuffix(newline) + found.after
    if any(line.strip() == wanted.body.strip() for line in existing.splitlines()):  # an import that is there already
        return existing
    blank_line = "" if not existing else newline if existing.endswith("\n") else newline * 2
    return existing + blank_line + block


def _digest(head: str, body: str) -> str:
    """Of what was written; git may have changed the line ends since."""
    return sha256((head + body).replace("\r\n", "\n").encode(errors="surrogateescape")).hexdigest()[:16]
