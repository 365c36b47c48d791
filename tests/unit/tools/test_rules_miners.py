"""What a repository proves about itself, and what it does not."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from repowright_tools.generate_cursor_rules.miners import mine
from repowright_tools.generate_cursor_rules.miners.python import docstrings
from repowright_tools.generate_cursor_rules.models import Rule
from repowright_tools.generate_cursor_rules.topics import Topic
from repowright_tools.index.index import Index
from repowright_tools.models import Evidence
from support.repositories import make_repository


async def topics_of(root: Path, files: Mapping[str, str]) -> dict[str, Topic]:
    make_repository(root, files)
    return {topic.kind: topic for topic in mine(await Index().open(root))}


async def rules_of(root: Path, files: Mapping[str, str]) -> dict[str, Rule]:
    return {rule.id: rule for topic in (await topics_of(root, files)).values() for rule in topic.rules}


def modules(count: int, text: str, *, start: int = 0) -> dict[str, str]:
    return {f"app/m{number}.py": text.format(number=number) for number in range(start, start + count)}


@pytest.mark.anyio
async def test_a_style_is_taught_when_nine_of_ten_sites_agree_and_not_below(tmp_path: Path) -> None:
    package = {"app/__init__.py": "", **modules(9, "from app.base import thing{number}\n\n\ndef f() -> None: ...\n")}
    odd_one = {"app/odd.py": "from .base import thing\n\n\ndef f(): ...\n"}
    odd_two = {"app/other.py": "from .base import thing\n\n\ndef f(): ...\n"}

    agreed = await rules_of(tmp_path / "agreed", package | odd_one)
    split = await rules_of(tmp_path / "split", package | odd_one | odd_two)

    assert "absolute" in agreed["python.imports"].claim
    assert (agreed["python.imports"].conforming, agreed["python.imports"].sites) == (9, 10)
    assert (agreed["python.types"].conforming, agreed["python.types"].sites) == (9, 10)
    assert agreed["python.imports"].evidence[0] == Evidence(path="app/m0.py", line=1)
    assert not [rule for rule in split if rule.startswith("python.")]


@pytest.mark.anyio
async def test_four_sites_are_too_few_for_a_style(tmp_path: Path) -> None:
    found = await rules_of(tmp_path / "few", {"app/__init__.py": "", **modules(4, "def f() -> int: ...\n")})

    assert "python.types" not in found


@pytest.mark.anyio
async def test_relative_imports_and_future_annotations_are_conventions_too(tmp_path: Path) -> None:
    text = '"""Module {number}."""\n\nfrom __future__ import annotations\n\nfrom .base import thing\n'

    found = await rules_of(tmp_path / "app", {"app/__init__.py": "", **modules(5, text)})

    assert "relative" in found["python.imports"].claim
    assert found["python.annotations"].evidence[0].line == 3


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "style"),
    [
        ("Do.\n\n    Args:\n        x: it.\n    ", "Google"),
        ("Do.\n\n    Parameters\n    ----------\n    x : int\n    ", "NumPy"),
        ("Do.\n\n    :param x: it.\n    ", "Sphinx"),
    ],
)
async def test_the_style_of_docstrings_is_recognised(tmp_path: Path, body: str, style: str) -> None:
    text = f'def f(x):\n    """{body}"""\n'

    found = await rules_of(tmp_path / "app", modules(5, text))

    assert found["python.docstrings"].claim.startswith(f"Docstrings: {style} style")
    assert found["python.docstrings"].evidence[0].line == 2


def test_only_strings_that_start_their_line_are_docstrings() -> None:
    text = "x = '''no'''\ny = \"\"\"\n'''no\"\"\"\n    r'''yes'''\n"

    assert [docstring for _, docstring in docstrings(text)] == ["yes"]


@pytest.mark.anyio
async def test_tests_have_a_place_a_naming_pattern_a_form_and_a_runner(tmp_path: Path) -> None:
    one = "def test_a(): ...\n\n\ndef test_b(): ...\n\n\ndef test_c(): ...\n"
    topics = await topics_of(
        tmp_path / "app", {"pytest.ini": "[pytest]\n", "tests/unit/test_x.py": one, "tests/test_y.py": one}
    )

    claims = {rule.id: rule.claim for rule in topics["tests"].rules}
    assert claims == {
        "tests.runner": "Runner: `pytest`",
        "tests.location": "Location: in `tests/`",
        "tests.file-names": "File names: `test_*.py`, such as `tests/test_y.py`",
        "tests.form": "Form: plain functions, not classes",
    }
    assert (topics["tests"].always, topics["tests"].globs) == (False, ["tests/**/*.py"])


@pytest.mark.anyio
async def test_tests_beside_the_code_are_found_in_other_languages(tmp_path: Path) -> None:
    files = {f"src/{name}.{end}": "export const x = 1;\n" for name in ("a", "b") for end in ("ts", "test.ts")}

    topics = await topics_of(tmp_path / "app", files)

    claims = {rule.id: rule.claim for rule in topics["tests"].rules}
    assert claims["tests.location"] == "Location: beside the code they test"
    assert claims["tests.file-names"] == "File names: `*.test.ts`, such as `src/a.test.ts`"
    assert topics["tests"].globs == ["src/**/*.test.ts"]


@pytest.mark.anyio
async def test_no_glob_starts_with_an_asterisk_which_yaml_would_read_as_an_alias(tmp_path: Path) -> None:
    topics = await topics_of(
        tmp_path / "app", {**{f"m{n}.py": "def f() -> int: ...\n" for n in range(5)}, "test_m.py": "import pytest\n"}
    )

    globs = [glob for topic in topics.values() for glob in topic.globs]
    assert globs
    assert not [glob for glob in globs if glob.startswith("*")]


@pytest.mark.anyio
async def test_generated_and_third_party_files_are_not_edited_and_do_not_vote(tmp_path: Path) -> None:
    files = {
        "app/__init__.py": "",
        **modules(5, "def f() -> int: ...\n"),
        **{f"app/x{number}_pb2.py": "def g(): ...\n" for number in range(9)},
        "web/vendor/lib/a.js": "var a\n",
    }

    found = await rules_of(tmp_path / "app", files)

    assert found["layout.third-party-code"].claim == "Third-party code: not edited here: `web/vendor/`"
    assert "such as `app/x0_pb2.py`" in found["layout.generated-files"].claim
    assert found["layout.generated-files"].sites == 9
    assert found["python.types"].sites == 5


@pytest.mark.anyio
async def test_the_lock_file_names_the_package_manager_unless_two_contradict_each_other(tmp_path: Path) -> None:
    one = {"package.json": "{}\n", "pnpm-lock.yaml": "lockfileVersion: 9\n"}

    found = await rules_of(tmp_path / "one", one)
    two = await rules_of(tmp_path / "two", one | {"yarn.lock": "# yarn\n"})

    assert "kept by `pnpm`" in found["commands.javascript-dependencies"].claim
    assert "commands.javascript-dependencies" not in two


@pytest.mark.anyio
async def test_one_command_a_purpose_is_taught_the_most_authoritative_one(tmp_path: Path) -> None:
    workflow = "jobs:\n  a:\n    steps:\n      - run: uv run pytest -q\n      - run: ruff format --check .\n"
    files = {
        "pyproject.toml": "[project]\nname = 'x'\n[tool.pytest.ini_options]\n[tool.ruff]\n",
        ".github/workflows/ci.yml": workflow,
    }

    found = await rules_of(tmp_path / "app", files)

    assert found["commands.test"].claim == "Test: `python -m pytest`"
    assert found["commands.lint"].claim == "Lint: `python -m ruff check .`; `ruff format --check .`"
    assert found["commands.lint"].evidence[1].path == ".github/workflows/ci.yml"
    assert found["commands.lint"].evidence[1].line == 5


@pytest.mark.anyio
async def test_folders_are_described_by_what_is_in_them(tmp_path: Path) -> None:
    files = {
        "src/shop/__init__.py": "X = 1\n",
        "src/shop/deep/__init__.py": "Y = 1\n",
        "docs/a.md": "a\n",
        "docs/b.rst": "b\n",
        "cmd/main.go": "package main\n\nfunc main() {}\n",
        ".hidden/a.py": "x = 1\n",
        "mixed/a.css": "a {}\n",
        "mixed/b.sql": "select 1\n",
    }

    found = await rules_of(tmp_path / "app", files)

    assert {rule.claim for rule in found.values() if rule.kind == "layout"} == {
        "`src/`: Python package `src/shop`",
        "`docs/`: documentation",
        "`cmd/`: mostly Go",
        "Program `cmd`: starts in `cmd/main.go`",
    }


@pytest.mark.anyio
async def test_an_empty_file_proves_nothing(tmp_path: Path) -> None:
    assert await rules_of(tmp_path / "app", {"app/__init__.py": "", "tests/test_a.py": "", "tests/test_b.py": ""}) == {}
