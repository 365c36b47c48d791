"""generate_cursor_rules as a stage: real repositories, the real index, real files."""

from pathlib import Path

import pytest

from repowright_tools.errors import InvalidArguments
from repowright_tools.generate_cursor_rules.models import GenerateCursorRulesArguments, GenerateCursorRulesResult
from repowright_tools.generate_cursor_rules.stage import GenerateCursorRules
from repowright_tools.git.workspace import Identity, Workspace
from repowright_tools.index.index import Index
from repowright_tools.stage import BoundRepository, StageContext
from repowright_tools.tokens import estimate_tokens
from support.ports import bound, stage_context
from support.repositories import commit_all, git, make_repository, write_files

PYPROJECT = """\
[project]
name = "shop"

[project.scripts]
shop = "shop.cli:main"

[tool.pytest.ini_options]
testpaths = ["tests"]

[tool.ruff]
"""
FILES = {
    "pyproject.toml": PYPROJECT,
    "uv.lock": "version = 1\n",
    "shop/__init__.py": "",
    "shop/cli.py": "def main() -> int:\n    return 0\n",
    "tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef basket() -> list[str]:\n    return []\n",
    "tests/test_cart.py": "def test_empty(basket):\n    assert not basket\n",
    "tests/test_cli.py": "def test_main():\n    pass\n",
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    make_repository(root, FILES)
    return root


def context_of(repository: BoundRepository, workspace: Path) -> StageContext:
    own = Workspace(workspace, Identity("Ada", "ada@example.org"), 10_000_000)
    return stage_context(repository, index=Index(), workspace=own)


async def rules(root: Path, **arguments: object) -> GenerateCursorRulesResult:
    context = context_of(bound(root, git(root, "rev-parse", "HEAD")), root.parent / "workspace")
    return await GenerateCursorRules().run(context, GenerateCursorRulesArguments.model_validate(arguments))


def tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".git" not in path.parts
    }


def front_matter(content: str) -> dict[str, str]:
    head = content.split("---\n")[1]
    return {key: value.strip() for key, _, value in (line.partition(":") for line in head.splitlines())}


@pytest.mark.anyio
async def test_a_preview_shows_one_cursor_file_a_topic_and_writes_nothing(shop: Path) -> None:
    before = tree(shop)

    result = await rules(shop)

    assert [file.path for file in result.files] == [
        ".cursor/rules/repowright-commands.mdc",
        ".cursor/rules/repowright-layout.mdc",
        ".cursor/rules/repowright-tests.mdc",
    ]
    assert tree(shop) == before
    assert (result.drift, result.conflicts) == ([], [])
    assert all(file.tokens == estimate_tokens(file.content) for file in result.files)
    assert sum(file.rules for file in result.files) == len(result.rules)


@pytest.mark.anyio
async def test_cursor_front_matter_has_exactly_its_three_keys_with_plain_globs_and_real_booleans(shop: Path) -> None:
    files = {file.path: front_matter(file.content) for file in (await rules(shop)).files}

    assert all(list(keys) == ["description", "globs", "alwaysApply"] for keys in files.values())
    assert files[".cursor/rules/repowright-commands.mdc"]["alwaysApply"] == "true"
    assert files[".cursor/rules/repowright-layout.mdc"]["globs"] == ""
    assert files[".cursor/rules/repowright-tests.mdc"]["globs"] == "tests/**/*.py"
    assert files[".cursor/rules/repowright-tests.mdc"]["alwaysApply"] == "false"


@pytest.mark.anyio
async def test_each_rule_has_a_stable_id_and_evidence_at_true_lines(shop: Path) -> None:
    result = await rules(shop)

    found = {rule.id: rule for rule in result.rules}
    assert len(found) == len(result.rules)
    assert found["commands.test"].claim == "Test: `python -m pytest`"
    assert found["commands.lint"].claim == "Lint: `python -m ruff check .`"
    assert found["layout.command-shop"].claim == "Command `shop`: starts in `shop/cli.py`"
    assert found["layout.tests"].claim == "`tests/`: tests"
    for rule in result.rules:
        assert rule.evidence
        assert 0 < rule.conforming <= rule.sites
        for place in rule.evidence:
            assert 1 <= place.line <= len((shop / place.path).read_text().splitlines())
    [place] = found["commands.test"].evidence
    assert PYPROJECT.splitlines()[place.line - 1] == "[tool.pytest.ini_options]"


@pytest.mark.anyio
async def test_write_makes_exactly_the_files_of_the_preview_and_a_second_write_changes_nothing(shop: Path) -> None:
    targets = ["cursor", "agents", "claude", "copilot", "devin", "gemini"]
    before = tree(shop)
    preview = await rules(shop, targets=targets)

    written = await rules(shop, targets=targets, mode="write")

    after = tree(shop)
    assert {path: text for path, text in after.items() if path not in before} == {
        file.path: file.content.encode() for file in preview.files
    }
    assert written == preview
    commit_all(shop)
    assert await rules(shop, targets=targets, mode="write") == preview
    assert tree(shop) == after


@pytest.mark.anyio
async def test_each_target_gets_the_file_that_it_reads(shop: Path) -> None:
    result = await rules(shop, targets=["claude", "copilot", "devin", "gemini"])

    files = {file.path: file.content for file in result.files}
    assert sorted(files) == [
        ".devin/rules/repowright.md",
        ".github/copilot-instructions.md",
        "AGENTS.md",
        "CLAUDE.md",
        "GEMINI.md",
    ]
    assert "@AGENTS.md" in files["CLAUDE.md"].splitlines()
    assert "@AGENTS.md" in files["GEMINI.md"].splitlines()
    assert front_matter(files[".devin/rules/repowright.md"])["trigger"] == "always_on"
    assert files[".github/copilot-instructions.md"] == files["AGENTS.md"]


@pytest.mark.anyio
async def test_human_text_around_the_block_is_kept_byte_for_byte(shop: Path) -> None:
    above, below = b"\xef\xbb\xbf# Ours\r\n\r\ncaf\xe9 \xff no newline", b"\r\n\r\nand below\t \r\n"
    (shop / "AGENTS.md").write_bytes(above)
    await rules(shop, targets=["agents"], mode="write")
    first = (shop / "AGENTS.md").read_bytes()
    assert first.startswith(above + b"\r\n\r\n<!-- repowright:begin sha=")
    (shop / "AGENTS.md").write_bytes(first + below)
    write_files(shop, {"pyproject.toml": PYPROJECT + "[tool.mypy]\n"})

    result = await rules(shop, targets=["agents"], mode="write")

    text = (shop / "AGENTS.md").read_bytes()
    assert text.startswith(above + b"\r\n\r\n<!-- repowright:begin sha=")
    assert text.endswith(b"<!-- repowright:end -->\r\n" + below)
    assert b"`python -m mypy .`" in text
    assert result.conflicts == []


@pytest.mark.anyio
@pytest.mark.parametrize("target", ["cursor", "agents"])
async def test_what_a_person_edited_in_our_text_is_a_conflict_and_is_not_overwritten(shop: Path, target: str) -> None:
    path = {"cursor": ".cursor/rules/repowright-commands.mdc", "agents": "AGENTS.md"}[target]
    await rules(shop, targets=[target], mode="write")
    edited = (shop / path).read_text().replace("`python -m pytest`", "`python -m pytest --fast`")
    (shop / path).write_text(edited)

    result = await rules(shop, targets=[target], mode="write")

    assert [conflict.path for conflict in result.conflicts] == [path]
    assert "edited by hand" in result.conflicts[0].reason
    assert (shop / path).read_text() == edited


@pytest.mark.anyio
async def test_edited_front_matter_and_a_foreign_file_of_our_name_are_conflicts(shop: Path) -> None:
    await rules(shop, mode="write")
    commands = shop / ".cursor/rules/repowright-commands.mdc"
    commands.write_text(commands.read_text().replace("alwaysApply: true", "alwaysApply: false"))
    (shop / ".cursor/rules/repowright-tests.mdc").write_text("mine\n")

    result = await rules(shop, mode="write")

    assert [conflict.path for conflict in result.conflicts] == [
        ".cursor/rules/repowright-commands.mdc",
        ".cursor/rules/repowright-tests.mdc",
    ]
    assert (shop / ".cursor/rules/repowright-tests.mdc").read_text() == "mine\n"
    assert "alwaysApply: false" in commands.read_text()


@pytest.mark.anyio
async def test_line_ends_that_git_changed_are_no_edit(shop: Path) -> None:
    await rules(shop, targets=["agents", "cursor"], mode="write")
    for path in (shop / "AGENTS.md", shop / ".cursor/rules/repowright-tests.mdc"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))

    result = await rules(shop, targets=["agents", "cursor"], mode="check")

    assert (result.conflicts, result.drift) == ([], [])


@pytest.mark.anyio
async def test_a_file_in_another_encoding_is_a_conflict_and_not_mixed_with_ours(shop: Path) -> None:
    (shop / "AGENTS.md").write_bytes("human text\n".encode("utf-16"))

    result = await rules(shop, targets=["agents"], mode="write")

    assert [conflict.path for conflict in result.conflicts] == ["AGENTS.md"]
    assert (shop / "AGENTS.md").read_bytes() == "human text\n".encode("utf-16")


@pytest.mark.anyio
async def test_an_import_that_a_person_wrote_is_not_repeated(shop: Path) -> None:
    (shop / "CLAUDE.md").write_text("# Claude\n@AGENTS.md\nBe brief.\n")

    await rules(shop, targets=["claude"], mode="write")

    assert (shop / "CLAUDE.md").read_text() == "# Claude\n@AGENTS.md\nBe brief.\n"


@pytest.mark.anyio
async def test_check_names_each_line_that_the_repository_no_longer_supports(shop: Path) -> None:
    await rules(shop, targets=["agents"], mode="write")
    commit_all(shop)
    git(shop, "rm", "-q", "uv.lock", "tests/conftest.py")
    write_files(shop, {"pyproject.toml": PYPROJECT + "[tool.mypy]\n", "docs/a.md": "a\n", "docs/b.md": "b\n"})
    before = tree(shop)

    result = await rules(shop, targets=["agents"], mode="check")

    lines = (shop / "AGENTS.md").read_text().splitlines()
    assert {drift.rule: lines[drift.line - 1].split(":")[0] for drift in result.drift} == {
        "commands.install": "- Install",
        "commands.lint": "- Lint",
        "commands.python-dependencies": "- Python dependencies",
        "tests.fixtures-of-tests/conftest.py": "- Fixtures of `tests/conftest.py`",
        "layout.docs": "<!-- repowright",
    }
    assert all(drift.path == "AGENTS.md" and drift.since is None for drift in result.drift)
    assert tree(shop) == before
    assert (await rules(shop, targets=["agents"], mode="write")).drift == []


@pytest.mark.anyio
async def test_a_cursor_topic_without_rules_left_is_drift_and_its_file_is_not_deleted(shop: Path) -> None:
    await rules(shop, mode="write")
    git(shop, "rm", "-q", "-r", "tests")

    result = await rules(shop, mode="write")

    assert {drift.path for drift in result.drift} == {".cursor/rules/repowright-tests.mdc"}
    assert (shop / ".cursor/rules/repowright-tests.mdc").exists()


@pytest.mark.anyio
async def test_a_short_budget_keeps_the_most_important_rules(shop: Path) -> None:
    whole = await rules(shop, targets=["agents"])

    short = await rules(shop, targets=["agents"], max_tokens=120)

    assert short.rules == whole.rules
    [file] = short.files
    assert file.tokens <= 120
    assert 0 < file.rules < len(whole.rules)
    assert "## Commands" in file.content
    assert "## Tests" not in file.content


@pytest.mark.anyio
async def test_nested_scope_gives_a_folder_with_a_manifest_its_own_files(tmp_path: Path) -> None:
    root = tmp_path / "mono"
    api = {"api/pyproject.toml": PYPROJECT, "api/tests/test_a.py": "def test_a():\n    pass\n"}
    make_repository(root, {"package.json": '{"scripts": {"test": "jest"}}\n', **api})

    result = await rules(root, targets=["agents", "copilot"], scope="nested", mode="write")

    files = {file.path: file.content for file in result.files}
    assert sorted(files) == [".github/copilot-instructions.md", "AGENTS.md", "api/AGENTS.md"]
    assert "Run these in `api/`." in files["api/AGENTS.md"]
    assert "`python -m pytest`" in files["api/AGENTS.md"]
    found = {rule.id: rule for rule in result.rules}
    assert "`npm test`" in found["commands.test"].claim
    assert found["api/commands.test"].evidence[0].path == "api/pyproject.toml"
    assert (root / "api/AGENTS.md").read_text() == files["api/AGENTS.md"]


@pytest.mark.anyio
async def test_a_repository_that_shows_nothing_gives_no_file_and_says_so(tmp_path: Path) -> None:
    root = tmp_path / "notes"
    make_repository(root, {"README.md": "# Notes\n"})

    result = await rules(root, targets=["cursor", "claude"], mode="write")

    assert result == GenerateCursorRulesResult()
    assert sorted(tree(root)) == ["README.md"]
    assert "no convention" in GenerateCursorRules().summarise(result)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["local", "remote"])
async def test_rules_are_never_written_into_a_checkout_of_ours(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "workspace" / "source"
    context = context_of(bound(root, make_repository(root, FILES), kind=kind), root.parent)

    with pytest.raises(InvalidArguments):
        await GenerateCursorRules().run(context, GenerateCursorRulesArguments(mode="write"))
    assert not (root / ".cursor").exists()
    assert (await GenerateCursorRules().run(context, GenerateCursorRulesArguments())).files


@pytest.mark.anyio
async def test_rules_are_never_written_for_a_remote_wherever_it_lies(shop: Path, tmp_path: Path) -> None:
    repository = bound(shop, git(shop, "rev-parse", "HEAD"), kind="remote")

    with pytest.raises(InvalidArguments):
        await GenerateCursorRules().run(
            context_of(repository, tmp_path / "workspace"), GenerateCursorRulesArguments(mode="write")
        )


@pytest.mark.anyio
async def test_the_next_action_writes_what_was_shown(shop: Path) -> None:
    stage = GenerateCursorRules()
    result = await rules(shop, targets=["cursor", "claude"])

    [action] = stage.next_actions(result)

    assert action.tool == "generate_cursor_rules"
    again = await rules(shop, **action.arguments)
    assert again == result
    assert "commands.mdc: 6 rules" in stage.summarise(result)
    assert "CLAUDE.md: imports AGENTS.md" in stage.summarise(result)
