"""The stage analyse_repo, on real repositories."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeVar

import pytest
from pydantic import BaseModel, ValidationError

from repowright_tools.analyse_repo.models import AnalyseRepoArguments, Analysis, ProposedStories
from repowright_tools.analyse_repo.stage import AnalyseRepo
from repowright_tools.errors import AnswerRejected
from repowright_tools.events import ProgressEvent
from repowright_tools.index.index import Index
from repowright_tools.stage import Answer, Ask, RejectedAnswer
from repowright_tools.tokens import estimate_tokens
from support.ports import RecordedEvents, bound, stage_context
from support.repositories import make_repository

T = TypeVar("T", bound=BaseModel)
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
SHOP = {
    "pyproject.toml": (
        '[project]\nname = "shop"\n\n[project.scripts]\nshop = "shop.cli:main"\n\n[tool.pytest.ini_options]\n'
    ),
    "shop/__init__.py": "",
    "shop/cli.py": (
        "import click\nfrom shop.orders import place_order\n\n@click.group()\ndef main(): pass\n\n"
        '@main.command()\n@click.option("--n")\ndef order(n):\n    place_order(n)\n'
    ),
    "shop/orders.py": "def place_order(n: int) -> int:\n    return n\n",
    "shop/web/api.py": (
        "from fastapi import FastAPI\nfrom shop.orders import place_order\n\napp = FastAPI()\n\n"
        '@app.post("/orders")\nasync def create(n: int):\n    return place_order(n)\n'
    ),
    "tests/test_orders.py": "def test_order(): pass\n",
    "yarn.lock": "",
}


class Recorded:
    """A model with a list of answers, held to the check like any other."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = list(answers)
        self.asks: list[Ask[Any]] = []

    async def think(self, ask: Ask[T]) -> Answer[T]:
        self.asks.append(ask)
        refused: list[RejectedAnswer[T]] = []
        for answer in self.answers:
            value = ask.schema.model_validate(answer)
            findings = await ask.check(value)
            if not findings:
                return Answer(value, "recorded", refused)
            refused.append(RejectedAnswer(value, findings))
        raise AnswerRejected(refused[-1].findings[0])


async def analyse(root: Path, files: dict[str, str], *, model: Recorded | None = None, **arguments: Any) -> Analysis:
    repository = bound(root, make_repository(root, files))
    index = Index()
    context = stage_context(repository, index=index, model=model) if model else stage_context(repository, index=index)
    return await AnalyseRepo().run(context, AnalyseRepoArguments.model_validate(arguments))


@pytest.mark.anyio
async def test_a_repository_is_described_with_evidence_for_each_statement(tmp_path: Path) -> None:
    result = await analyse(tmp_path, SHOP)

    assert (result.root, result.dirty, len(result.commit or "")) == (str(tmp_path), False, 40)
    assert [(language.name, language.files) for language in result.languages] == [("Python", 5), ("TOML", 1)]
    assert (result.files.listed, result.files.analysed) == (7, 6)
    assert [(group.reason, group.count, group.examples) for group in result.files.excluded] == [
        ("lock_file", 1, ["yarn.lock"])
    ]
    head, _, symbols = result.map.partition("\n\n")
    assert head.startswith("test: `python -m pytest` (pyproject.toml:7)\ninstall: `python -m pip install -e .` (pypro")
    assert symbols.startswith("shop/orders.py\n    1  def place_order(n: int) -> int\n")
    assert 0 < result.map_tokens == estimate_tokens(result.map) <= 4096
    assert estimate_tokens(head) <= 409
    assert [(entry.name, entry.path, entry.line) for entry in result.entry_points] == [("shop", "shop/cli.py", 5)]
    assert result.commands.test[0].command == "python -m pytest"
    assert [(module.path, module.imports, module.layer) for module in result.modules] == [
        ("shop", [], 0),
        ("shop/web", ["shop"], 1),
        ("tests", [], 0),
    ]
    assert [(feature.id, feature.title) for feature in result.features] == [
        ("F1", "command shop"),
        ("F2", "command order"),
        ("F3", "route POST /orders"),
    ]
    assert (result.relevant, result.stories, result.warnings) == ([], [], [])
    cited = [feature.evidence[0] for feature in result.features]
    lines = [(tmp_path / place.path).read_text().splitlines()[place.line - 1] for place in cited]
    assert lines == ["def main(): pass", "def order(n):", '@app.post("/orders")']


@pytest.mark.anyio
@pytest.mark.parametrize("budget", [256, 300, 1000])
async def test_the_overview_heads_the_map_and_both_stay_inside_the_budget(tmp_path: Path, budget: int) -> None:
    many = {f"shop/part{number}.py": f"def part_{number}(count: int) -> int: ...\n" * 5 for number in range(60)}
    result = await analyse(tmp_path, SHOP | many, token_budget=budget)

    head, _, symbols = result.map.partition("\n\n")
    assert result.map_tokens == estimate_tokens(result.map) <= budget
    assert 0 < estimate_tokens(head) <= budget // 10
    assert head.startswith("test: `python -m pytest` (pyproject.toml:7)")
    assert symbols.startswith("shop/")


@pytest.mark.anyio
async def test_the_result_has_exactly_the_fields_of_the_contract(tmp_path: Path) -> None:
    result = await analyse(tmp_path, SHOP, focus="orders")
    fields = json.loads(result.model_dump_json())

    assert set(fields) == {
        *("commit", "dirty", "root", "languages", "files", "map", "map_tokens", "entry_points", "commands"),
        *("modules", "relevant", "features", "stories", "warnings"),
    }
    assert set(fields["commands"]) == {"install", "test", "lint", "build", "run"}
    assert set(fields["commands"]["test"][0]) == {"command", "evidence"}
    assert set(fields["commands"]["test"][0]["evidence"]) == {"path", "line"}
    assert set(fields["files"]) == {"listed", "analysed", "excluded"}
    assert set(fields["files"]["excluded"][0]) == {"reason", "count", "examples"}
    assert set(fields["languages"][0]) == {"name", "files", "lines", "bytes"}
    assert set(fields["entry_points"][0]) == {"name", "kind", "path", "line"}
    assert set(fields["modules"][0]) == {"path", "files", "lines", "imports", "layer", "in_cycle"}
    assert set(fields["relevant"][0]) == {"path", "score", "why"}
    assert set(fields["features"][0]) == {"id", "title", "evidence"}


@pytest.mark.parametrize(
    "arguments",
    [
        {"token_budget": 255},
        {"token_budget": 32_769},
        {"token_budget": "4096"},
        {"exclude": ["x"] * 51},
        {"exclude": "x"},
        {"stories": 1},
        {"unknown": 1},
    ],
)
def test_arguments_are_strict_and_bounded(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        AnalyseRepoArguments.model_validate(arguments)


def test_every_argument_is_described_and_none_is_required() -> None:
    schema = AnalyseRepoArguments.model_json_schema()
    assert all(field["description"] for field in schema["properties"].values())
    assert "required" not in schema
    assert AnalyseRepoArguments().token_budget == 4096


@pytest.mark.anyio
async def test_a_focus_fills_relevant_best_first(tmp_path: Path) -> None:
    result = await analyse(tmp_path, SHOP, focus="POST an order over the web api")
    assert result.relevant[0].path == "shop/web/api.py"
    assert result.relevant[0].why
    assert result.map.index("shop/web/api.py\n") < result.map.index("shop/cli.py\n")


@pytest.mark.anyio
async def test_secrets_of_the_repository_are_in_no_part_of_the_result(tmp_path: Path) -> None:
    files = SHOP | {
        ".github/workflows/ci.yml": f"jobs:\n  a:\n    steps:\n      - run: pip install -e . --token {TOKEN}\n",
        "shop/leak.py": f"def {'leak'}(token='{TOKEN}'): pass\n",
        "shop/routes.py": f'@app.get("/{TOKEN}")\ndef r(): pass\n',
    }
    result = await analyse(tmp_path, files, focus="leak token")
    assert any(command.command.startswith("pip install") for command in result.commands.install)
    assert TOKEN not in result.model_dump_json()
    assert TOKEN not in AnalyseRepo().summarise(result)


@pytest.mark.anyio
async def test_stories_keep_only_evidence_that_exists(tmp_path: Path) -> None:
    story = {"feature": "F3", "story": "As a client, I place an order.", "acceptance": ["201 is returned."]}
    model = Recorded(
        {
            "stories": [
                story
                | {"evidence": [{"path": "shop/web/api.py", "line": 6}, {"path": "shop/web/api.py", "line": 900}]},
                story | {"evidence": [{"path": "shop/ghost.py", "line": 1}]},
                story | {"evidence": [{"path": "../../etc/passwd", "line": 1}]},
                story | {"feature": "F99", "evidence": [{"path": "shop/cli.py", "line": 1}]},
            ]
        }
    )
    result = await analyse(tmp_path, SHOP, model=model, stories=True)

    assert [(kept.id, kept.feature, [(e.path, e.line) for e in kept.evidence]) for kept in result.stories] == [
        ("S1", "F3", [("shop/web/api.py", 6)])
    ]
    assert [(warning.code, warning.message.split()[0]) for warning in result.warnings] == [
        ("stories_dropped", "3"),
        ("citations_dropped", "1"),
    ]
    assert "place_order" not in model.asks[0].instructions  # repository content is context, never instructions
    assert all(section.untrusted for section in model.asks[0].context)


@pytest.mark.anyio
async def test_an_answer_without_any_grounded_story_is_sent_back(tmp_path: Path) -> None:
    story: dict[str, Any] = {"feature": "F1", "story": "s", "acceptance": []}
    wrong = {"stories": [story | {"evidence": [{"path": "ghost.py", "line": 1}]}]}
    right = {"stories": [story | {"evidence": [{"path": "shop/cli.py", "line": 5}]}]}
    result = await analyse(tmp_path, SHOP, model=Recorded(wrong, right), stories=True)
    assert [kept.story for kept in result.stories] == ["s"]
    with pytest.raises(AnswerRejected):
        await analyse(tmp_path / "other", SHOP, model=Recorded(wrong), stories=True)


@pytest.mark.anyio
async def test_without_features_no_model_is_asked_for_stories(tmp_path: Path) -> None:
    result = await analyse(tmp_path, {"a.txt": "x\n"}, stories=True)
    assert [warning.code for warning in result.warnings] == ["no_features"]
    assert ProposedStories.model_json_schema()["properties"].keys() == {"stories"}


@pytest.mark.anyio
async def test_the_same_tree_gives_the_same_result(tmp_path: Path) -> None:
    one = await analyse(tmp_path, SHOP, focus="order")
    two = await analyse(tmp_path, SHOP, focus="order")
    assert one.model_dump_json() == two.model_dump_json().replace(two.commit or "", one.commit or "")


@pytest.mark.anyio
async def test_progress_text_artifact_and_next_steps_are_given(tmp_path: Path) -> None:
    commit = make_repository(tmp_path, SHOP)
    events = RecordedEvents()
    context = stage_context(bound(tmp_path, commit), index=Index(), events=events)
    stage = AnalyseRepo()
    result = await stage.run(context, AnalyseRepoArguments())

    told = [event.message for event in events.events if isinstance(event, ProgressEvent)]
    assert [message for message in told if message in {"History", "Map", "Features"}] == ["History", "Map", "Features"]
    assert any(isinstance(event, ProgressEvent) and event.total for event in events.events)
    assert [(artifact.name, artifact.text) for artifact in stage.artifacts(result)] == [("map", result.map)]
    assert [action.tool for action in stage.next_actions(result)] == [
        "plan_feature",
        "generate_cursor_rules",
        "run_tests_sandboxed",
    ]
    assert "6 of 7 files" in stage.summarise(result)


@pytest.mark.parametrize(
    ("path", "text", "titles"),
    [
        ("a.py", '@app.route("/x")\ndef x(): ...\nparser.add_parser("sync")\n', ["command sync", "route /x"]),
        ("urls.py", 'urlpatterns = [\n    path("users/", users),\n]\n', ["route users/"]),
        (
            "a.ts",
            'router.get("/users/:id", h);\nprogram.command("deploy <env>")\n',
            ["command deploy", "route GET /users/:id"],
        ),
        (
            "a.go",
            'package a\nfunc f() { http.HandleFunc("/ping", h); r.GET("/x", h) }\n',
            ["route /ping", "route GET /x"],
        ),
        ("a.rs", '#[get("/items")]\nfn items() {}\n', ["route GET /items"]),
        (
            "A.java",
            'class A { @GetMapping("/a") void a() {} @RequestMapping(value = "/b") void b() {} }\n',
            ["route GET /a", "route /b"],
        ),
        ("tests/a.py", '@app.get("/x")\ndef x(): ...\n', []),
    ],
)
@pytest.mark.anyio
async def test_routes_and_commands_are_features(tmp_path: Path, path: str, text: str, titles: list[str]) -> None:
    result = await analyse(tmp_path, {path: text})
    assert [feature.title for feature in result.features] == titles


def test_loading_the_stage_loads_nothing_heavy() -> None:
    heavy = ["tree_sitter", "pathspec", "git", "docker", "github", "anthropic", "tiktoken", "sqlalchemy"]
    code = f"import sys, repowright_tools.analyse_repo.stage; print([m for m in {heavy} if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
