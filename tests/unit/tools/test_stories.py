"""User stories: each held to lines that exist at the commit that was analysed."""

from pathlib import Path
from typing import Any

import pytest

from repowright_tools.analyse_repo.citations import Citations, lines_of
from repowright_tools.analyse_repo.models import AnalyseRepoArguments, Analysis, Feature, ProposedStories
from repowright_tools.analyse_repo.stage import AnalyseRepo
from repowright_tools.analyse_repo.stories import BATCH, ask, batches, grounded
from repowright_tools.index.index import Index
from repowright_tools.models import Evidence
from repowright_tools.stage import Answer, Ask
from support.ports import bound, stage_context
from support.repositories import make_repository, write_files

SHOP = {
    "api.py": 'x = 1\n\n@app.post("/orders")\ndef create(): ...\n',
    "cli.py": 's.add_parser("sync")\n',
}
FEATURES = [Feature(id="F1", title="route POST /orders", evidence=[Evidence(path="api.py", line=3)])]


class Thinks:
    """Answers each question with one story on the first feature that it lists."""

    def __init__(self) -> None:
        self.asked: list[Ask[Any]] = []

    async def think(self, ask: Ask[Any]) -> Answer[Any]:
        self.asked.append(ask)
        feature, _, rest = ask.context[0].text.splitlines()[0].partition(" ")
        path, _, line = rest.rpartition("(")[2].rstrip(")").split(",")[0].rpartition(":")
        value = answer({"feature": feature, "evidence": [(path, int(line))]})
        assert await ask.check(value) == []
        return Answer(value, "test")


def answer(*stories: dict[str, Any]) -> ProposedStories:
    told = [
        {"feature": "F1", "story": "As a client, I order.", "acceptance": []}
        | story
        | {"evidence": [{"path": path, "line": line} for path, line in story["evidence"]]}
        for story in stories
    ]
    return ProposedStories.model_validate({"stories": told})


async def looked_up(root: Path, proposed: ProposedStories, *, later: dict[str, str] | None = None) -> Any:
    commit = make_repository(root, SHOP)
    write_files(root, later or {})
    repository = bound(root, commit).model_copy(update={"dirty": later is not None})
    return await grounded(Citations(await Index().open(root), repository), FEATURES, proposed)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("cited", "problem"),
    [
        (("api.py", 3), None),
        (("api.py", 4), None),
        (("api.py", 5), "api.py:5: the file ends with line 4"),
        (("api.py", 2), "api.py:2: the line is blank"),
        (("apis.py", 1), "apis.py:1: no such text file; did you mean api.py, cli.py?"),
        (("../api.py", 3), "../api.py:3: no such text file; did you mean api.py, cli.py?"),
    ],
)
async def test_a_citation_must_exist_and_not_be_blank(
    tmp_path: Path, cited: tuple[str, int], problem: str | None
) -> None:
    kept = await looked_up(tmp_path, answer({"evidence": [cited]}))
    assert (len(kept.stories), kept.stories_dropped) == ((1, 0) if problem is None else (0, 1))
    assert kept.problems == ([] if problem is None else [problem])


@pytest.mark.anyio
async def test_of_a_dirty_tree_a_citation_must_be_there_at_the_commit_too(tmp_path: Path) -> None:
    later = {"new.py": "x = 1\n", "api.py": SHOP["api.py"] + "y = 1\n"}
    proposed = answer({"evidence": [("new.py", 1)]}, {"evidence": [("api.py", 5)]}, {"evidence": [("api.py", 4)]})
    kept = await looked_up(tmp_path, proposed, later=later)
    assert [story.evidence[0].line for story in kept.stories] == [4]
    assert kept.stories_dropped == 2


@pytest.mark.anyio
async def test_a_criterion_whose_citation_does_not_exist_is_dropped_and_counted(tmp_path: Path) -> None:
    acceptance = ["201 is returned.", "It is stored [api.py:4].", "It is mailed [mail.py:1]."]
    kept = await looked_up(tmp_path, answer({"evidence": [("api.py", 3)], "acceptance": acceptance}))
    assert kept.stories[0].acceptance == acceptance[:2]
    assert [(it.code, it.message.split()[0]) for it in kept.warnings()] == [("criteria_dropped", "1")]


@pytest.mark.anyio
async def test_what_was_wrong_and_what_is_near_is_said_back(tmp_path: Path) -> None:
    commit = make_repository(tmp_path, SHOP)
    index = await Index().open(tmp_path)
    question = ask(index, Citations(index, bound(tmp_path, commit)), FEATURES, "", 1)

    findings = await question.check(
        answer({"evidence": [("apis.py", 1)]}, {"feature": "F9", "evidence": [("cli.py", 1)]})
    )
    assert findings[1:] == [
        "apis.py:1: no such text file; did you mean api.py, cli.py?",
        "F9: no such feature is listed",
    ]
    assert await question.check(answer({"evidence": [("apis.py", 1)]}, {"evidence": [("api.py", 3)]})) == []
    assert await question.check(answer()) != []


@pytest.mark.anyio
async def test_a_question_shows_the_code_that_declares_its_features(tmp_path: Path) -> None:
    commit = make_repository(tmp_path, SHOP)
    index = await Index().open(tmp_path)
    question = ask(index, Citations(index, bound(tmp_path, commit)), FEATURES, "", 1)
    assert question.context[1].text == 'api.py\n    3 @app.post("/orders")\n    4 def create(): ...'
    assert all(section.untrusted for section in question.context)


@pytest.mark.parametrize(
    ("count", "sizes"), [(0, []), (1, [1]), (BATCH, [BATCH]), (BATCH + 1, [31, 30]), (200, [50] * 4)]
)
def test_many_features_are_asked_about_in_even_questions(count: int, sizes: list[int]) -> None:
    assert [len(batch) for batch in batches(FEATURES * count)] == sizes


@pytest.mark.anyio
async def test_the_stories_of_all_questions_are_numbered_through(tmp_path: Path) -> None:
    routes = "".join(f'@app.get("/r{number}")\ndef r{number}(): ...\n' for number in range(BATCH + 10))
    repository = bound(tmp_path, make_repository(tmp_path, {"api.py": routes}))
    model = Thinks()
    context = stage_context(repository, index=Index(), model=model)
    result: Analysis = await AnalyseRepo().run(context, AnalyseRepoArguments(stories=True))

    assert [question.name for question in model.asked] == ["stories", "stories-2"]
    assert [(story.id, story.feature) for story in result.stories] == [("S1", "F1"), ("S2", "F36")]
    assert result.warnings == []


def test_lines_are_counted_as_git_and_editors_do() -> None:
    assert lines_of("a\r\nb\x0cc\u2028d\n") == ["a", "b\x0cc\u2028d"]
    assert lines_of("") == []
