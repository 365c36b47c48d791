"""What a forge needs to know of a pull request, and what it says about one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Proposal:
    """A pull request as it is to be: `head` and `base` are branches of the same repository."""

    head: str
    base: str
    title: str
    body: str
    draft: bool


@dataclass(frozen=True)
class PullRequest:
    """A pull request as the forge has it."""

    number: int
    url: str
    title: str
    body: str
