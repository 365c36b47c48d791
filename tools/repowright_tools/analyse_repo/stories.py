"""User stories that a model derives from features, each held to lines of code that exist."""

from collections.abc import Sequence

from repowright_tools.analyse_repo.models import Feature, ProposedStories, ProposedStory, Story
from repowright_tools.index.index import RepositoryIndex
from repowright_tools.models import Evidence
from repowright_tools.stage import Ask, Section
from repowright_tools.threads import in_thread

_INSTRUCTIONS = """\
Derive user stories from the features of the repository shown below: what its users can do with it today.

- One to three stories a feature; leave a feature out rather than guess. Invent nothing that the code does not do.
- `feature` is the id of a listed feature.
- `evidence` names at least one line of code that does what the story says, as path and line, spelled as in the context.
  A story whose evidence names no existing line of the repository is dropped.
- `acceptance` holds criteria that a test could check."""
_NOTHING_KEPT = (
    "No story can be kept: each needs the id of a listed feature and evidence that names existing lines, with paths "
    "spelled as in the context."
)


def ask(index: RepositoryIndex, features: Sequence[Feature], repository_map: str) -> Ask[ProposedStories]:
    """The question; its answer passes when at least one story stands on evidence that exists."""

    async def check(answer: ProposedStories) -> list[str]:
        kept = await in_thread(grounded, index, features, answer)
        return [] if kept else [_NOTHING_KEPT]

    listed = "\n".join(f"{feature.id} {feature.title} ({_places(feature.evidence)})" for feature in features)
    return Ask(
        name="stories",
        instructions=_INSTRUCTIONS,
        context=[Section("Features", listed), Section("Map of the repository", repository_map)],
        schema=ProposedStories,
        check=check,
    )


def grounded(index: RepositoryIndex, features: Sequence[Feature], answer: ProposedStories) -> list[Story]:
    """The stories of a listed feature whose evidence resolves, each with the evidence that does."""
    known = {feature.id for feature in features}
    lengths: dict[str, int] = {}
    kept: list[Story] = []
    for proposed in answer.stories:
        evidence = _resolved(index, proposed, lengths)
        if evidence and proposed.feature in known:
            kept.append(
                Story(
                    id=f"S{len(kept) + 1}",
                    feature=proposed.feature,
                    story=proposed.story,
                    acceptance=proposed.acceptance,
                    evidence=evidence,
                )
            )
    return kept


def _resolved(index: RepositoryIndex, proposed: ProposedStory, lengths: dict[str, int]) -> list[Evidence]:
    found: list[Evidence] = []
    for cited in proposed.evidence:
        if cited.path not in lengths:
            lengths[cited.path] = len((index.text(cited.path) or "").splitlines())
        if cited.line <= lengths[cited.path]:
            found.append(Evidence(path=cited.path, line=cited.line))
    return found


def _places(evidence: Sequence[Evidence]) -> str:
    return ", ".join(f"{place.path}:{place.line}" for place in evidence[:5])
