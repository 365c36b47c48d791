"""What is read from the sources of a change: which tree decides, what was weakened, which lines are new."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from repowright_tools.git.tree import TreeFile
from repowright_tools.run_tests_sandboxed.changed_lines import changed_statements
from repowright_tools.run_tests_sandboxed.in_box.probes import with_probes
from repowright_tools.run_tests_sandboxed.judged import judged_tree
from repowright_tools.run_tests_sandboxed.known_command import Known, known_command
from repowright_tools.run_tests_sandboxed.shared_configuration import with_base_sections
from repowright_tools.run_tests_sandboxed.sources import Sources
from repowright_tools.run_tests_sandboxed.suspicious import suspicions
from repowright_tools.run_tests_sandboxed.test_files import is_protected
from repowright_tools.run_tests_sandboxed.weakened import weakenings
from support.ports import bound, stage_context

FILE, LINK = 0o100644, 0o120000


def tree(**files: str) -> list[TreeFile]:
    return [
        TreeFile(path.replace("__", "/").replace("_py", ".py"), FILE, text.encode()) for path, text in files.items()
    ]


def content(files: object) -> dict[str, str]:
    return {file.path: file.data.decode() for file in files}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path",
    [
        *(
            "conftest.py",
            "a/conftest.py",
            "pytest.ini",
            ".coveragerc",
            "sitecustomize.py",
            "x.pth",
            "pytest/__init__.py",
        ),
        *(".mocharc.yaml", "web/.mocharc.jsonc", "vite.config.mts", "vitest.config.ts", "vitest.workspace.json"),
        *("jest.config.json", ".c8rc.json", ".nycrc.yml", "nyc.config.js", "babel.config.js", ".babelrc.cjs", ".swcrc"),
        *("tsconfig.test.json", "karma.conf.js", "playwright.config.ts", ".npmrc", ".yarnrc.yml", ".cargo/config.toml"),
        *("x/.cargo/config", ".mvn/jvm.config", "mvnw", ".yarn/releases/yarn-4.cjs", "Makefile", "justfile"),
        *("node_modules", "node_modules/.bin/mocha", "packages/a/node_modules/b/index.js"),
        *("src/unittest.py", "tests/data/expected.json", "a/test_b.py", "b_test.go", "c.spec.ts", "src/FooTest.java"),
    ],
)
def test_tests_their_data_and_what_steers_them_are_not_the_changes_to_decide(path: str) -> None:
    assert is_protected(path)


@pytest.mark.parametrize(
    "path",
    ["shop/prices.py", "testing/helpers.py", "src/contest.py", "latest.py", "docs/x.md", "vite.ts", "src/mocharc.js"],
)
def test_other_files_are(path: str) -> None:
    assert not is_protected(path)


def test_the_base_decides_over_tests_and_the_change_over_its_code() -> None:
    base = tree(a_py="old", test_a_py="old", conftest_py="old", tests__data="old")
    change = tree(a_py="new", test_a_py="new", test_b_py="new", sitecustomize_py="new")
    judged = judged_tree(change, base, owned=())
    assert content(judged.files) == {"a.py": "new", "test_a.py": "old", "conftest.py": "old", "tests/data": "old"}
    assert list(judged.restored) == ["conftest.py", "sitecustomize.py", "test_a.py", "test_b.py", "tests/data"]
    assert (judged.own_tests, judged.whole) == (["test_a.py", "test_b.py"], True)


def test_what_the_plan_owns_is_taken_from_the_change_unless_it_switches_a_test_off() -> None:
    base = tree(test_a_py="def test_x():\n    assert f() == 1\n", conftest_py="old")
    owned = {"test_a.py", "conftest.py"}
    honest = tree(test_a_py="def test_x():\n    assert f() == 2\n", conftest_py="new")
    assert content(judged_tree(honest, base, owned).files) == content(honest)
    emptied = tree(test_a_py="def test_x():\n    pass\n", conftest_py="new")
    assert content(judged_tree(emptied, base, owned).files) == {**content(base), "conftest.py": "new"}


def test_links_cannot_take_the_place_of_a_folder_of_tests() -> None:
    base = tree(tests__test_a_py="old")
    judged = judged_tree([TreeFile("tests", LINK, b"elsewhere")], base, owned=())
    assert content(judged.files) == {"tests/test_a.py": "old"}


def test_compiled_files_are_in_no_tree() -> None:
    assert judged_tree([TreeFile("tests/__pycache__/a.pyc", FILE, b"")], [], owned=()).files == []


TOML = '[project]\nname = "new"\n[tool.pytest.ini_options]\naddopts = "-k nothing"\n[tool.ruff]\nx = 1\n'


@pytest.mark.parametrize(
    ("candidate", "base", "expected"),
    [
        (TOML, '[tool.pytest.ini_options]\naddopts = "-q"\n', {"addopts": "-q"}),
        (TOML, '[project]\nname = "old"\n', None),
        (TOML, None, None),
    ],
)
def test_a_shared_file_gets_the_bases_sections_about_tests(candidate: str, base: str | None, expected: object) -> None:
    import tomllib

    made = with_base_sections("pyproject.toml", candidate.encode(), None if base is None else base.encode())
    whole = tomllib.loads(made.decode())
    assert whole["project"] == {"name": "new"}
    assert whole["tool"].get("pytest", {}).get("ini_options") == expected
    assert whole["tool"]["ruff"] == {"x": 1}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "tool.pytest.ini_options.addopts = '-k x'\n"),
        ("pyproject.toml", '[tool]\npytest = {ini_options = {addopts = "-k x"}}\n'),
        ("pyproject.toml", "not toml ="),
        ("setup.cfg", "no section\n"),
    ],
)
def test_a_shared_file_that_cannot_be_divided_is_the_bases(name: str, text: str) -> None:
    base = b"[tool.x]\ny = 1\n" if name.endswith("toml") else b"[flake8]\nx = 1\n"
    assert with_base_sections(name, text.encode(), base) == base


def test_a_shared_file_that_says_the_same_of_tests_stays_as_the_change_has_it() -> None:
    base = b"[tool:pytest]\naddopts = -q\n[flake8]\nx = 1\n"
    change = b"[flake8]\nx = 2\n[tool:pytest]\naddopts = -q\n"
    assert with_base_sections("setup.cfg", change, base) == change
    made = with_base_sections("setup.cfg", change.replace(b"-q", b"-k no"), base).decode()
    assert "addopts = -q" in made
    assert "x = 2" in made


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("owned", "line", "by"), [((), "npm test", "run_test.py"), (("run_test.py",), "python -m pytest", None)]
)
async def test_the_bases_command_is_run_unless_the_plan_owns_what_names_another(
    owned: tuple[str, ...], line: str, by: str | None, tmp_path: Path
) -> None:
    base = [TreeFile("package.json", FILE, b'{"scripts": {"test": "node --test"}}'), TreeFile("a.js", FILE, b"")]
    more = [
        TreeFile("run_test.py", FILE, b"import pytest\n"),
        TreeFile("b_test.py", FILE, b""),
        TreeFile("c.py", FILE, b""),
    ]
    sources = Sources([*base, *more], base, tmp_path)
    assert await known_command(stage_context(bound(tmp_path, "0" * 40)), sources, owned) == Known(line, by)


def test_scripts_that_start_the_runner_are_the_bases() -> None:
    base, change = b'{"scripts": {"test": "node --test"}}', b'{"scripts": {"test": "true"}, "version": "2"}'
    assert json.loads(with_base_sections("package.json", change, base)) == {
        "scripts": {"test": "node --test"},
        "version": "2",
    }
    assert with_base_sections("package.json", b"{}", b"{}") == b"{}"


BEFORE = "def test_x():\n    assert f() == 1\n    assert g() == approx(2, abs=0.1)\n"


@pytest.mark.parametrize(
    ("after", "kinds"),
    [
        (BEFORE, []),
        (BEFORE.replace("== 1", "== 2"), []),
        ("import pytest\n@pytest.mark.skip\n" + BEFORE, ["test_skipped"]),
        ("import pytest\npytestmark = pytest.mark.skip\n" + BEFORE, ["test_skipped"]),
        ("import pytest\npytest.skip('x', allow_module_level=True)\n" + BEFORE, ["test_skipped"]),
        ("__test__ = False\n" + BEFORE, ["test_skipped"]),
        (BEFORE.replace("    assert f()", "    raise SkipTest\n    assert f()"), ["test_skipped"]),
        (BEFORE.replace("assert f() == 1", "assert True or f() == 1"), ["assertion_trivial", "assertion_removed"]),
        (BEFORE.replace("assert f() == 1", "assert (f() == 1, 'text')"), ["assertion_trivial", "assertion_removed"]),
        (BEFORE.replace("    assert f() == 1\n", ""), ["assertion_removed"]),
        (BEFORE.replace("    assert f()", "    return\n    assert f()"), ["assertion_removed"]),
        (BEFORE.replace("0.1", "10"), ["tolerance_raised"]),
        (
            BEFORE.replace("    assert f() == 1", "    with suppress(Exception):\n        assert f() == 1"),
            ["failure_swallowed"],
        ),
        (BEFORE.replace("test_x", "check_x"), ["test_removed"]),
        ("def test_x(:\n", []),
    ],
)
def test_what_a_test_checks_less_is_found(after: str, kinds: list[str]) -> None:
    assert [found.kind for found in weakenings(BEFORE.encode(), after.encode())] == kinds


@pytest.mark.parametrize(
    ("text", "kind", "decides"),
    [
        ("class A:\n    def __eq__(self, other):\n        'doc'\n        return True\n", "equals_everything", True),
        ("import os\nx = os.environ.get('PYTEST_CURRENT_TEST')\n", "detects_tests", True),
        ("import sys\nif 'pytest' in sys.modules: pass\n", "detects_tests", True),
        ("import sys\nx = sys.modules.get('pytest')\n", "detects_tests", True),
        (
            "import inspect\ndef f():\n    return 'test_' in str(inspect.stack())\n",
            "detects_tests",
            True,
        ),
        ("import os\ndef f(): os._exit(1)\n", "ends_process", False),
        ("import unittest\nunittest.TestCase.assertEqual = None\n", "touches_runner", False),
    ],
)
def test_product_code_that_speaks_with_the_tests_is_found_when_it_is_new(text: str, kind: str, decides: bool) -> None:
    assert (kind, decides) in {(found.kind, found.decides) for found in suspicions(b"", text.encode())}
    assert suspicions(text.encode(), text.encode() + b"\nmore = 1\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n    def __eq__(self, other):\n        return self.x == other.x\n",
        "import subprocess\nsubprocess.run(['python', '-m', 'pytest'])\n",
        "import sys\nsys.exit(main(sys.argv))\n",
        "import inspect\ndef f():\n    return inspect.stack()[1].function\n",
    ],
)
def test_ordinary_product_code_is_not_suspected(text: str) -> None:
    assert suspicions(None, text.encode()) == []


def test_changed_statements_are_those_that_can_run() -> None:
    base = {"a.py": b"x = 1\ndef f(y):\n    return y\n", "test_a.py": b""}
    after = (
        b'"""Text."""\nfrom __future__ import annotations\nx = 1\n\n# comment\n'
        b"def f(y):\n    if (y\n            > 1):\n"
        b"        return 2\n    return y\n"
    )
    assert changed_statements(base, {"a.py": after, "test_a.py": b"new = 1\n", "b.txt": b"x"}) == {"a.py": [7, 9]}


def test_probes_report_the_lines_that_ran_and_change_nothing_else() -> None:
    source = (
        "def f(y):\n    'doc'\n    if y:\n        return 1\n    try:\n        return 2\n    finally:\n        y = 3\n"
    )
    ran: set[int] = set()
    names: dict[str, Any] = {"__repowright_ran__": ran.add}
    exec(compile(with_probes(ast.parse(source), {1, 3, 4, 6, 8}), "f.py", "exec"), names)
    f = names["f"]
    assert (f(0), ran) == (2, {1, 3, 6, 8})
    assert f.__doc__ == "doc"
