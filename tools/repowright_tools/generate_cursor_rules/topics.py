"""What miners hand over: rules by topic, each with an id that outlives its wording."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from repowright_tools.generate_cursor_rules.models import Rule
from repowright_tools.models import Evidence

THRESHOLD = 0.9
"""The share of sites that must agree before a habit is called a convention."""
FEWEST_SITES = 5
"""Below this many sites a style is chance."""
MOST_EVIDENCE = 5


@dataclass(frozen=True)
class Topic:
    """Rules that belong together, the most important first.

    Attributes:
        kind: the kind of its rules, and the name of its file.
        description: one line for an assistant that decides whether to read them.
        always: whether they matter whatever is worked on.
        globs: the files they matter for otherwise.
    """

    kind: str
    description: str
    rules: Sequence[Rule]
    always: bool = True
    globs: Sequence[str] = ()


def rule(
    kind: str, subject: str, statement: str, evidence: Sequence[Evidence], conforming: int = 0, sites: int = 0
) -> Rule:
    """A rule; without counts, each piece of evidence is a site that conforms."""
    return Rule(
        id=rule_id(kind, subject),
        claim=f"{subject}: {statement}",
        kind=kind,
        evidence=list(evidence[:MOST_EVIDENCE]),
        conforming=conforming or len(evidence),
        sites=sites or len(evidence),
    )


def rule_id(kind: str, subject: str) -> str:
    """The id of the rule on a subject; names in backticks keep their case."""
    parts = subject.split("`")
    text = "".join(part if number % 2 else part.lower() for number, part in enumerate(parts))
    slug = re.sub(r"[^\w./@+-]+", "-", text).strip("-/")
    return f"{kind}.{slug}"


def agreed(conforming: int, sites: int, fewest: int = FEWEST_SITES) -> bool:
    return sites >= fewest and conforming >= THRESHOLD * sites
