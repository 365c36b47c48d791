"""User stories that a model derives from features, each held to lines of code that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from repowright_tools.analyse_repo.citations import Citations, lines_of
from repowright_tools.analyse_repo.models import Feature, ProposedStories, ProposedStory, Story
from repowright_tools.models import Evidence, RepositoryWarning
from repowright_tools.stage import Ask, Section

if TYPE_CHECKING:
    from repowright_tools.index.index import RepositoryIndex

BATCH = 60
"""Features of one question: its listing fits a brief, and two stories for each an answer."""

_INSTRUCTIONS = """\
Derive user stories from the features of the repository shown below: what its users can do with it today.

- Features that serve one purpose make one story; at most two stories a feature; leave a feature out rather than guess.
  Invent nothing that the code does not do.
- `feature` is the id of a listed feature.
- `evidence` names at least one line of code that does what the story says, as path and line, spelled as in the context.
  A story whose evidence names no existing line of the repository is dropped; a blank line is none.
- `acceptance` holds criteria that a test could check. A criterion may end with the line that shows it, as
  [path:line]; it is dropped when that line does not exist."""
_NOTHING_KEPT = (
    "No story can be kept: each needs the id of a listed feature and evidence that names existing lines, with paths "
    "spelled as in the context."
)
_DROPPED = (
    ("stories_dropped", "stories were dropped: no existing feature or line stands behind them."),
    ("criteria_dropped", "acceptance criteria were dropped: the lines they cite do not exist."),
    ("citations_dropped", "citations of kept stories were dropped: no such line exists."),
)
_CITED = re.compile(r"\[(?P<path>[^\[\]\n:]{1,300}):(?P<line>\d{1,7})\]")
_MOST_PROBLEMS = 12
_MOST_CODE = 24_000  # characters of code in a question
_CODE_LINES = 6  # shown from the line that declares a feature


@dataclass
class Kept:
    """The stories that stand, and what was dropped from the answers."""

    stories: list[Story] = field(default_factory=list[Story])
    stories_dropped: int = 0
    criteria_dropped: int = 0
    citations_dropped: int = 0
    problems: list[str] = field(default_factory=list[str])

    def warnings(self) -> list[RepositoryWarning]:
        counts = (self.stories_dropped, self.criteria_dropped, self.citations_dropped)
        told = zip(_DROPPED, counts, strict=True)
        return [RepositoryWarning(code=code, message=f"{count} {text}") for (code, text), count in told if count]


def batches(features: Sequence[Feature]) -> list[Sequence[Feature]]:
    """The features in questions of at most `BATCH`, as even as can be."""
    count = -(-len(features) // BATCH)
    size = -(-len(features) // count) if count else 0
    return [features[start : start + size] for start in range(0, len(features), size or 1)]


def ask(
    index: RepositoryIndex, citations: Citations, features: Sequence[Feature], repository_map: str, number: int
) -> Ask[ProposedStories]:
    """A question about these features; its answer passes when at least one story stands on evidence that exists.

    Args:
        index: the repository.
        citations: looks lines up.
        features: what the stories are derived from.
        repository_map: for orientation.
        number: of the question, from 1; each has a name of its own in the journal.
    """

    async def check(answer: ProposedStories) -> list[str]:
        kept = await grounded(citations, features, answer)
        nothing_to_say = number > 1 and not answer.stories  # features of tests may add nothing new
        return [] if kept.stories or nothing_to_say else [_NOTHING_KEPT, *kept.problems[:_MOST_PROBLEMS]]

    listed = "\n".join(f"{feature.id} {feature.title} ({_places(feature.evidence)})" for feature in features)
    return Ask(
        name="stories" if number == 1 else f"stories-{number}",
        instructions=_INSTRUCTIONS,
        context=[
            Section("Features", listed),
            Section("Code that declares them", "\n\n".join(_code(index, features))),
            Section("Map of the repository", repository_map, shared=True),
        ],
        schema=ProposedStories,
        check=check,
    )


async def grounded(citations: Citations, features: Sequence[Feature], answer: ProposedStories) -> Kept:
    """The stories of a listed feature whose evidence resolves, each with the evidence and criteria that do."""
    known = {feature.id for feature in features}
    await citations.look_up(path for story in answer.stories for path, _ in _cited(story))
    kept = Kept()
    for proposed in answer.stories:
        evidence = [cited for cited in proposed.evidence if _resolves(citations, cited.path, cited.line, kept)]
        if not evidence or proposed.feature not in known:
            kept.stories_dropped += 1
            if proposed.feature not in known:
                kept.problems.append(f"{proposed.feature}: no such feature is listed")
            continue
        acceptance = [text for text in proposed.acceptance if _stands(citations, text, kept)]
        kept.citations_dropped += len(proposed.evidence) - len(evidence)
        kept.criteria_dropped += len(proposed.acceptance) - len(acceptance)
        kept.stories.append(
            Story(
                id=f"S{len(kept.stories) + 1}",
                feature=proposed.feature,
                story=proposed.story,
                acceptance=acceptance,
                evidence=[Evidence(path=cited.path, line=cited.line) for cited in evidence],
            )
        )
    return kept


def together(parts: Sequence[Kept]) -> Kept:
    """All answers as one, the stories numbered through."""
    stories = [story for part in parts for story in part.stories]
    return Kept(
        stories=[story.model_copy(update={"id": f"S{number}"}) for number, story in enumerate(stories, 1)],
        stories_dropped=sum(part.stories_dropped for part in parts),
        criteria_dropped=sum(part.criteria_dropped for part in parts),
        citations_dropped=sum(part.citations_dropped for part in parts),
    )


def _cited(story: ProposedStory) -> Iterator[tuple[str, int]]:
    yield from ((cited.path, cited.line) for cited in story.evidence)
    for text in story.acceptance:
        yield from ((match["path"], int(match["line"])) for match in _CITED.finditer(text))


def _resolves(citations: Citations, path: str, line: int, kept: Kept) -> bool:
    problem = citations.problem(path, line)
    if problem:
        kept.problems.append(problem)
    return problem is None


def _stands(citations: Citations, criterion: str, kept: Kept) -> bool:
    """Whether it cites nothing, or at least one line that exists."""
    cited = [(match["path"], int(match["line"])) for match in _CITED.finditer(criterion)]
    return not cited or sum(_resolves(citations, path, line, kept) for path, line in cited) > 0


def _code(index: RepositoryIndex, features: Sequence[Feature]) -> Iterator[str]:
    """The lines from each feature's first place, with their numbers, as far as the room goes."""
    left = _MOST_CODE
    for place in dict.fromkeys((feature.evidence[0].path, feature.evidence[0].line) for feature in features):
        path, line = place
        lines = lines_of(index.text(path) or "")[line - 1 : line - 1 + _CODE_LINES]
        shown = "\n".join([path, *(f"{number:>5} {text[:160]}" for number, text in enumerate(lines, line))])
        left -= len(shown)
        if left < 0:
            return
        yield shown


def _places(evidence: Sequence[Evidence]) -> str:
    return ", ".join(f"{place.path}:{place.line}" for place in evidence[:5])
