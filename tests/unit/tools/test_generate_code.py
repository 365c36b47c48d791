"""The stage generate_code on real repositories, with a model that gives prepared answers."""

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from repowright_tools.errors import AnswerRejected, InvalidArguments, PlanMissing
from repowright_tools.events import ProgressEvent
from repowright_tools.generate_code.models import GenerateCodeArguments
from repowright_tools.generate_code.stage import GenerateCode, branch_name
from repowright_tools.git.workspace import Identity, Workspace
from repowright_tools.index.index import Index
from repowright_tools.models import Edits, Forecast, GeneratedCode, Plan, PlanResult
from repowright_tools.stage import Answer, Ask, BoundRepository, RejectedAnswer
from support.ports import MemoryJournal, RecordedEvents, bound, stage_context
from support.repositories import git, make_repository, write_files

pytestmark = pytest.mark.anyio
FILES = {
    "shop/cart.py": "def total(prices):\n    return sum(prices)\n",
    "README.md": "# Shop\n",
    "run.sh": "#!/bin/sh\n",
}
DISCOUNT = {
    "edits": [{"path": "shop/cart.py", "old": "    return sum(prices)", "new": "    return sum(prices) * 0.9"}],
    "new_files": [{"path": "tests/test_cart.py", "content": "from shop.cart import total\n"}],
    "notes": "A flat discount.",
}


class PreparedAnswers:
    """A model that answers one after another until its check is content."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asks: list[Ask[Any]] = []

    async def think(self, ask: Ask[Any]) -> Answer[Any]:
        self.asks.append(ask)
        rejected: list[RejectedAnswer[Any]] = []
        for answer in self.answers:
            value = ask.schema.model_validate(answer)
            findings = await ask.check(value)
            if not findings:
                return Answer(value, "prepared", rejected)
            rejected.append(RejectedAnswer(value, findings))
        raise AnswerRejected(rejected[-1].findings[0])


def plan(**changes: Any) -> Plan:
    task = {"title": "t", "description": "d", "symbols": [], "depends_on": [], "covers": ["R1"]}
    values: dict[str, Any] = {
        "summary": "Add a discount to the cart",
        "complexity": 1,
        "requirements": [{"id": "R1", "text": "10 % off"}],
        "acceptance": [],
        "tasks": [
            {**task, "id": "T1", "files_to_modify": ["shop/cart.py"], "new_files_needed": []},
            {**task, "id": "T2", "files_to_modify": [], "new_files_needed": ["tests/test_cart.py"]},
        ],
        "files_to_modify": ["shop/cart.py"],
        "new_files_needed": ["tests/test_cart.py"],
        "dependencies": [],
        "risks": [],
        "test_plan": "",
        "estimated_time_minutes": 5,
        "rollback": "",
        "questions": [],
    }
    return Plan.model_validate(values | changes)


@pytest.fixture
def repository(tmp_path: Path) -> BoundRepository:
    return bound(tmp_path / "user repo", make_repository(tmp_path / "user repo", FILES))


async def generate(
    repository: BoundRepository,
    answers: Sequence[dict[str, Any]],
    *,
    results: dict[str, BaseModel] | None = None,
    ports: dict[str, Any] | None = None,
    **arguments: Any,
) -> GeneratedCode:
    workspace = Workspace(Path(repository.root).parent / "workspace", Identity("Bot", "bot@example.org"), 10_000_000)
    given = {"workspace": workspace, "index": Index(), "model": PreparedAnswers(*answers)} | (ports or {})
    ctx = stage_context(repository, results=results, **given)
    return await GenerateCode().run(ctx, GenerateCodeArguments.model_validate(arguments))


async def test_a_plan_becomes_a_commit_on_a_branch_of_its_own(repository: BoundRepository) -> None:
    result = await generate(repository, [DISCOUNT], plan=plan())
    clone = Path(result.repository)
    assert result.branch == "repowright/add-a-discount-to-the-cart-00000000"
    assert result.base_commit == repository.commit
    assert git(clone, "rev-parse", result.branch, "HEAD^") == f"{result.head_commit}\n{repository.commit}"
    assert [(file.path, file.change, file.additions, file.deletions, file.task) for file in result.files] == [
        ("shop/cart.py", "modified", 1, 1, "T1"),
        ("tests/test_cart.py", "added", 1, 0, "T2"),
    ]
    assert "+    return sum(prices) * 0.9" in result.diff
    assert {check.name: check.status for check in result.checks} == dict.fromkeys(
        ("syntax", "ruff", "secrets"), "passed"
    )
    assert result.rejected == []
    message = git(clone, "log", "-1", "--format=%B")
    run = "r_" + "0" * 32
    assert message == f"Add a discount to the cart\n\nA flat discount.\n\nTask: T1\nTask: T2\nRepowright-Run: {run}"
    assert git(Path(repository.root), "status", "--porcelain", "--branch") == "## main"


async def test_the_line_it_gives_brings_the_branch_home(repository: BoundRepository, tmp_path: Path) -> None:
    result = await generate(repository, [DISCOUNT], instruction="Discount; rm -rf $HOME `x`")
    subprocess.run(["sh", "-c", result.fetch], cwd=tmp_path, check=True, capture_output=True)
    assert git(Path(repository.root), "rev-parse", result.branch) == result.head_commit
    assert shlex.split(result.fetch)[:3] == ["git", "-C", repository.root]


async def test_for_a_remote_the_line_is_meant_for_the_users_own_clone(
    repository: BoundRepository, tmp_path: Path
) -> None:
    result = await generate(repository.model_copy(update={"kind": "remote"}), [DISCOUNT], instruction="Discount")
    git(tmp_path, "clone", "-q", repository.root, "own")
    subprocess.run(["sh", "-c", result.fetch], cwd=tmp_path / "own", check=True, capture_output=True)
    assert git(tmp_path / "own", "rev-parse", result.branch) == result.head_commit


async def test_uncommitted_changes_are_left_out_with_a_warning(repository: BoundRepository) -> None:
    write_files(Path(repository.root), {"shop/cart.py": "broken\n"})
    events = RecordedEvents()
    result = await generate(
        repository.model_copy(update={"dirty": True}), [DISCOUNT], instruction="Discount", ports={"events": events}
    )
    assert result.checks[-1].name == "uncommitted changes"
    assert result.checks[-1].findings[0].code == "uncommitted_changes_left_out"
    assert any(isinstance(event, ProgressEvent) and "Uncommitted" in event.message for event in events.events)
    assert (Path(repository.root) / "shop/cart.py").read_text() == "broken\n"
    assert "uncommitted" in GenerateCode().summarise(result)


@pytest.mark.parametrize(
    ("bad", "path", "reason"),
    [
        ({"edits": [{"path": "shop/cart.py", "old": "return nothing", "new": ""}]}, "shop/cart.py", "does not occur"),
        ({"new_files": [{"path": "../x", "content": ""}]}, "../x", "leaves the repository"),
        ({"new_files": [{"path": ".github/workflows/x.yml", "content": ""}]}, ".github/workflows/x.yml", "protected"),
        ({"new_files": [{"path": "x.py", "content": "def f(:\n"}]}, "x.py", "syntax_error"),
        ({"new_files": [{"path": "x.py", "content": "print(missing)\n"}]}, "x.py", "F821"),
    ],
)
async def test_a_refused_proposal_is_told_to_the_model_and_kept_in_the_result(
    repository: BoundRepository, bad: dict[str, Any], path: str, reason: str
) -> None:
    """G06, G08, I02."""
    result = await generate(repository, [bad, DISCOUNT], instruction="Discount")
    assert any(one.path == path and reason in one.reason for one in result.rejected)
    assert [file.path for file in result.files] == ["shop/cart.py", "tests/test_cart.py"]


async def test_what_is_never_accepted_leaves_no_commit(repository: BoundRepository, tmp_path: Path) -> None:
    with pytest.raises(AnswerRejected):
        await generate(repository, [{"deletes": ["nowhere"]}], instruction="Discount")
    assert git(tmp_path / "workspace" / "clone", "rev-parse", "HEAD") == repository.commit


async def test_a_resumed_attempt_gives_the_same_commit(repository: BoundRepository, tmp_path: Path) -> None:
    journal = MemoryJournal()
    first = await generate(repository, [DISCOUNT], instruction="Discount", ports={"journal": journal})
    again = await generate(repository, [DISCOUNT], instruction="Discount", ports={"journal": journal})
    assert again == first
    assert journal.effects == ["commit date", "commit"]
    (tmp_path / "workspace" / "clone").rename(tmp_path / "lost")
    assert await generate(repository, [DISCOUNT], instruction="Discount", ports={"journal": journal}) == first


async def test_the_plan_of_the_run_is_used_when_none_is_given(repository: BoundRepository) -> None:
    earlier = PlanResult(plan=plan(), plan_digest="", forecast=Forecast())
    model = PreparedAnswers(DISCOUNT)
    await generate(repository, [], results={"plan_feature": earlier}, ports={"model": model}, tasks=["T1"])
    sections = {section.title: section for section in model.asks[0].context}
    assert '"T1"' in sections["The plan"].text
    assert '"T2"' not in sections["The plan"].text
    assert sections["File shop/cart.py"].text == FILES["shop/cart.py"]
    assert sections["File shop/cart.py"].untrusted


async def test_an_instruction_alone_shows_the_files_it_is_about(repository: BoundRepository) -> None:
    model = PreparedAnswers(DISCOUNT)
    await generate(repository, [], instruction="Discount the total of the cart", ports={"model": model})
    titles = [section.title for section in model.asks[0].context]
    assert titles[:2] == ["What is asked for", "File shop/cart.py"]
    assert titles[-1] == "Map of the repository"


async def test_neither_plan_nor_instruction_is_an_error(repository: BoundRepository) -> None:
    with pytest.raises(PlanMissing):
        await generate(repository, [])
    with pytest.raises(InvalidArguments):
        GenerateCode().require(GenerateCodeArguments(), starts_run=True)
    GenerateCode().require(GenerateCodeArguments(), starts_run=False)
    with pytest.raises(InvalidArguments, match="T9"):
        await generate(repository, [DISCOUNT], plan=plan(), tasks=["T1", "T9"])


async def test_a_legacy_harness_is_nothing_but_new_tests(repository: BoundRepository) -> None:
    tests_only = {"new_files": [{"path": "tests/test_cart.py", "content": "x = 1\n"}]}
    no_test = {"new_files": [{"path": "shop/test_cart.go", "content": "package shop\n"}]}  # Go reads cart_test.go alone
    result = await generate(
        repository, [DISCOUNT, no_test, tests_only], instruction="Pin the cart", mode="legacy_harness"
    )
    assert [file.path for file in result.files] == ["tests/test_cart.py"]
    assert [one.path for one in result.rejected] == ["shop/cart.py", "shop/test_cart.go"]


async def test_a_file_mode_survives_an_edit_and_a_rename(repository: BoundRepository) -> None:
    user = Path(repository.root)
    git(user, "update-index", "--chmod=+x", "run.sh")
    git(user, "commit", "-q", "-m", "mode")
    moved = {
        "renames": [{"from": "run.sh", "to": "bin/run.sh"}],
        "edits": [{"path": "bin/run.sh", "old": "#!/bin/sh\n", "new": "#!/bin/sh\nexit 0\n"}],
    }
    result = await generate(bound(user, git(user, "rev-parse", "HEAD")), [moved], instruction="Move")
    assert git(Path(result.repository), "ls-tree", "-r", "HEAD", "bin/").startswith("100755")


def test_the_branch_says_what_it_is_for_and_stays_under_the_prefix() -> None:
    run = "r_0123456789abcdef0123456789abcdef"
    assert branch_name("Fix: the *Cart*!", run) == "repowright/fix-the-cart-01234567"
    assert branch_name("Привет", run) == "repowright/change-01234567"
    assert branch_name("x" * 100, run) == f"repowright/{'x' * 40}-01234567"
    assert Edits().edits == []
