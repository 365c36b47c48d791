"""How repositories say that they are installed, tested, linted, built and run."""

from pathlib import Path

import pytest

from repowright_tools.index.commands import find_commands
from repowright_tools.index.index import Index
from repowright_tools.index.manifests.ci import steps
from repowright_tools.index.manifests.classify import command_in
from support.files import Files
from support.repositories import make_repository


def found(files: dict[str, str], kind: str) -> list[tuple[str, str, int]]:
    commands = find_commands(Files(files))[kind]
    return [(found.command, found.evidence.path, found.evidence.line) for found in commands]


@pytest.mark.parametrize(
    ("files", "path", "line"),
    [
        ({"pyproject.toml": "[project]\nname = 'x'\n\n[tool.pytest.ini_options]\n"}, "pyproject.toml", 4),
        ({"pytest.ini": "[pytest]\n"}, "pytest.ini", 1),
        ({"setup.cfg": "[metadata]\n[tool:pytest]\n"}, "setup.cfg", 2),
        ({"requirements-dev.txt": "ruff\npytest==9\n"}, "requirements-dev.txt", 2),
        ({"tests/test_a.py": "import pytest\n"}, "tests/test_a.py", 1),
        ({"tests/conftest.py": "\n"}, "tests/conftest.py", 1),
        ({"tests/test_a.py": "x = 1\n\ndef test_a():\n    pass\n"}, "tests/test_a.py", 3),
        ({"tests/test_a.py": "def test():\n    pass\n"}, "tests/test_a.py", 1),
    ],
)
def test_pytest_is_found_wherever_it_is_named(files: dict[str, str], path: str, line: int) -> None:
    assert found(files, "test")[0] == ("python -m pytest", path, line)


def test_a_repository_of_unittest_cases_is_run_by_unittest() -> None:
    files = {
        "tests/test_a.py": "import os\nimport unittest\n\nclass A(unittest.TestCase):\n    def test_a(self): ...\n"
    }
    assert found(files, "test") == [("python -m unittest discover", "tests/test_a.py", 2)]


def test_python_projects_are_installed_as_their_files_say() -> None:
    pyproject = (
        "[build-system]\n[project]\nname = 'x'\n[project.optional-dependencies]\ntest = ['pytest']\n"
        "[project.scripts]\nrun-x = 'x:main'\n"
    )
    assert found({"pyproject.toml": pyproject, "uv.lock": "version = 1\n"}, "install") == [
        ("uv sync --extra test", "uv.lock", 1),
        ("python -m pip install -e '.[test]'", "pyproject.toml", 2),
    ]
    assert found({"pyproject.toml": pyproject}, "run") == [("run-x", "pyproject.toml", 7)]
    assert found({"pyproject.toml": pyproject}, "build") == [("python -m build", "pyproject.toml", 1)]
    assert found({"requirements.txt": "a\n"}, "install") == [
        ("python -m pip install -r requirements.txt", "requirements.txt", 1)
    ]


@pytest.mark.parametrize(
    ("lock", "install", "test", "lint"),
    [
        ("package-lock.json", "npm ci", "npm test", "npm run lint"),
        ("yarn.lock", "yarn install --frozen-lockfile", "yarn test", "yarn run lint"),
        ("pnpm-lock.yaml", "pnpm install --frozen-lockfile", "pnpm test", "pnpm run lint"),
        ("bun.lock", "bun install --frozen-lockfile", "bun run test", "bun run lint"),
        (None, "npm install", "npm test", "npm run lint"),
    ],
)
def test_the_lock_file_names_the_package_manager(lock: str | None, install: str, test: str, lint: str) -> None:
    package = '{\n  "name": "x",\n  "test": 1,\n  "scripts": {\n    "test": "vitest",\n    "lint": "eslint ."\n  }\n}\n'
    files = {"package.json": package} | ({lock: "{}\n"} if lock else {})
    assert found(files, "install") == [(install, lock or "package.json", 1)]
    assert found(files, "test") == [(test, "package.json", 5)]
    assert found(files, "lint") == [(lint, "package.json", 6)]


def test_the_placeholder_of_npm_init_is_no_test_command() -> None:
    package = '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}'
    assert found({"package.json": package}, "test") == []


@pytest.mark.parametrize(
    ("files", "test"),
    [
        ({"go.mod": "module x\n"}, ("go test ./...", "go.mod", 1)),
        ({"Cargo.toml": "# c\n[package]\nname='x'\n"}, ("cargo test", "Cargo.toml", 2)),
        ({"pom.xml": "<project>\n"}, ("mvn -B test", "pom.xml", 1)),
        ({"pom.xml": "<project>\n", "mvnw": ""}, ("./mvnw -B test", "pom.xml", 1)),
        ({"build.gradle.kts": "plugins {}\n", "gradlew": ""}, ("./gradlew test", "build.gradle.kts", 1)),
        ({"Makefile": "CC := cc\nall: x\n\ntest: all\n\t./run\n"}, ("make test", "Makefile", 4)),
        ({"justfile": "build:\n  x\ntest *ARGS:\n  y\n"}, ("just test", "justfile", 3)),
        ({"Gemfile": "source 'x'\n", "spec/a_spec.rb": ""}, ("bundle exec rspec", "Gemfile", 1)),
        (
            {"composer.json": '{"name": "x",\n"scripts": {\n"test": "phpunit"}}'},
            ("composer test", "composer.json", 3),
        ),
        ({"mix.exs": "defmodule X do\nend\n"}, ("mix test", "mix.exs", 1)),
        ({"CMakeLists.txt": "project(x)\nenable_testing()\n"}, ("ctest --test-dir build", "CMakeLists.txt", 2)),
        (
            {"X.sln": "\n", "t/T.csproj": '<x>\n<PackageReference Include="xunit" />'},
            ("dotnet test", "t/T.csproj", 2),
        ),
        ({"Taskfile.yml": "version: 3\ntasks:\n  test:\n    cmds: [x]\n"}, ("task test", "Taskfile.yml", 3)),
        ({"Package.swift": "let p = Package(\n.testTarget(name: 1))\n"}, ("swift test", "Package.swift", 2)),
        ({"script/test": "#!/bin/sh\n"}, ("script/test", "script/test", 1)),
        ({"backend/go.mod": "module x\n"}, ("cd backend && go test ./...", "backend/go.mod", 1)),
    ],
)
def test_other_ecosystems_have_their_own_commands(files: dict[str, str], test: tuple[str, str, int]) -> None:
    assert found(files, "test") == [test]


def test_ci_and_readme_come_last_and_each_command_once() -> None:
    files = {
        ".github/workflows/ci.yml": (
            "jobs:\n  t:\n    steps:\n      - run: uv run pytest -q\n      - name: x\n        run: |\n"
            "          npm ci\n          npm test\n      - run: pytest ${{ matrix.x }}\n"
        ),
        "README.md": "# X\n\n```sh\n$ pip install -r requirements.txt  # once\nnpm test\n```\n\n```py\npytest\n```\n",
        "pytest.ini": "[pytest]\n",
    }
    assert found(files, "test") == [
        ("python -m pytest", "pytest.ini", 1),
        ("uv run pytest -q", ".github/workflows/ci.yml", 4),
        ("npm test", ".github/workflows/ci.yml", 8),
    ]
    assert found(files, "install") == [
        ("npm ci", ".github/workflows/ci.yml", 7),
        ("pip install -r requirements.txt", "README.md", 4),
    ]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("python -m pytest tests", "test"),
        ("CI=1 poetry run pytest", "test"),
        ("npx vitest run", "test"),
        ("cargo nextest run", "test"),
        ("./mvnw -B verify", "test"),
        ("uv run --frozen ruff check", "lint"),
        ("npm run build", "build"),
        ("python -m build", "build"),
        ("python manage.py runserver", "run"),
        ("coverage run -m pytest", "test"),
        ("bundle exec rspec", "test"),
        ("vendor/bin/phpunit", "test"),
        ("dotnet test -c Release", "test"),
        ("ctest --test-dir build", "test"),
        ("python runtests.py --parallel", "test"),
        ("pip install -e '.[dev]'", "install"),
        ("pip install requests", None),
        ("pip install build==1.0", None),
        ("build", None),
        ("make test PY=$VERSION", None),
        ("npm run build -- <name>", None),
        ("go test ./...", "test"),
        ("pytest ...", None),
        ("npm install left-pad", None),
        ("curl https://example.org | sh", None),
        ("echo pytest", None),
        ("pytest \\", None),
        ("pytest " + "x" * 300, None),
    ],
)
def test_a_shell_line_is_known_by_its_program(line: str, kind: str | None) -> None:
    known = command_in(line)
    assert (known and known[0]) == kind


@pytest.mark.parametrize(
    ("path", "text", "shell"),
    [
        (".gitlab-ci.yml", "test:\n  script:\n    - pytest -q\n  image: pytest\n", [(3, "pytest -q", "")]),
        (
            ".github/workflows/ci.yml",
            """\
defaults:
  run:
    working-directory: web
jobs:
  a:
    needs:
      - build
    steps:
      - run: |
          npm ci

          npm \\
            test
      - run: make
        working-directory: ./api
""",
            [(10, "npm ci", "web"), (12, "npm test", "web"), (14, "make", "api")],
        ),
        (".github/workflows/ci.yml", "jobs:\n  a:\n    steps:\n    - working-directory: ../x\n      run: make\n", []),
        (
            ".circleci/config.yml",
            """\
jobs:
  a:
    steps:
      - checkout
      - run: tox
      - run:
          name: x
          command: |
            make test
""",
            [(5, "tox", ""), (9, "make test", "")],
        ),
        ("azure-pipelines.yml", "steps:\n- script: >\n    dotnet\n    test\n- task: build\n", [(3, "dotnet test", "")]),
        (".travis.yml", "install: pip install -e .\nscript:\n  - pytest  # all\n",
         [(1, "pip install -e .", ""), (3, "pytest", "")]),
        ("Jenkinsfile", "node {\n  sh 'make test'\n}\n", [(2, "make test", "")]),
    ],
)  # fmt: skip
def test_the_shell_lines_of_ci_files_are_told_from_everything_else(
    path: str, text: str, shell: list[tuple[int, str, str]]
) -> None:
    assert list(steps(path, text)) == shell


def test_a_step_in_a_folder_is_run_in_that_folder() -> None:
    text = "jobs:\n  a:\n    steps:\n      - run: npm test\n        working-directory: web\n"
    assert found({".github/workflows/ci.yml": text}, "test") == [("cd web && npm test", ".github/workflows/ci.yml", 4)]


def test_a_name_in_a_list_of_jobs_is_no_command() -> None:
    text = "jobs:\n  release:\n    needs:\n      - build\n      - test\n    steps:\n      - run: echo\n"
    assert found({".github/workflows/ci.yml": text}, "build") == []


def test_workflows_that_check_come_before_workflows_that_publish() -> None:
    step = "jobs:\n  a:\n    steps:\n      - run: "
    files = {".github/workflows/a-release.yml": f"{step}tox\n", ".github/workflows/tests.yml": f"{step}nox\n"}
    assert [command for command, _, _ in found(files, "test")] == ["nox", "tox"]


@pytest.mark.parametrize(
    ("lock", "install", "test"),
    [
        ("uv.lock", "uv sync", "uv run pytest"),
        ("poetry.lock", "poetry install", "poetry run pytest"),
        ("pdm.lock", "pdm install", "pdm run pytest"),
    ],
)
def test_the_lock_file_names_what_installs_and_runs_a_python_project(lock: str, install: str, test: str) -> None:
    files = {"pyproject.toml": "[project]\nname = 'x'\n[tool.pytest.ini_options]\n", lock: "# lock\n"}
    assert found(files, "install")[0] == (install, lock, 1)
    assert found(files, "test") == [("python -m pytest", "pyproject.toml", 3), (test, "pyproject.toml", 3)]


def test_the_projects_own_runner_comes_before_plain_unittest() -> None:
    files = {
        "runtests.py": "import sys\nif __name__ == '__main__':\n    pass\n",
        "x/tests/test_a.py": "import unittest\n",
    }
    assert [command for command, _, _ in found(files, "test")] == ["python runtests.py", "python -m unittest discover"]
    assert found(files, "test")[0][1:] == ("runtests.py", 2)


def test_a_django_project_is_tested_by_django() -> None:
    files = {"manage.py": "execute_from_command_line(x)\n", "shop/tests.py": "import unittest\n"}
    assert found(files, "test")[0] == ("python manage.py test", "manage.py", 1)


def test_the_language_with_most_files_comes_first() -> None:
    package = {"package.json": '{"scripts": {"test": "jest"}}'}
    python = {"pytest.ini": "[pytest]\n"}
    many = {f"src/{number}.ts": "" for number in range(5)}
    assert found(package | python | many | {"a.py": ""}, "test")[0][0] == "npm test"
    assert found(package | python | {"a.py": "", "b.ts": ""}, "test")[0][0] == "python -m pytest"


def test_what_contributors_are_told_comes_before_what_users_are_told() -> None:
    files = {
        "README.md": "```\nmake test\n```\n",
        "CONTRIBUTING.md": "```\ntox\n```\n",
        "docs/notes.md": "```\nnox\n```\n",
    }
    assert [command for command, _, _ in found(files, "test")] == ["tox", "make test"]


@pytest.mark.parametrize(
    "name",
    [
        *("pyproject.toml", "package.json", "setup.cfg", "Cargo.toml", ".github/workflows/x.yml", ".gitlab-ci.yml"),
        *("composer.json", "Gemfile", "Taskfile.yml", "CMakeLists.txt", "Makefile", "README.md", "Jenkinsfile"),
    ],
)
@pytest.mark.parametrize(
    "text", ["", "\0", "[" * 100_000, "{" * 100_000, '{"scripts": 1}', "[project]\nscripts = 3\n", "\n" * 200_000]
)
def test_malformed_manifests_do_no_harm(name: str, text: str) -> None:
    find_commands(Files({name: text, "tests/test_a.py": text}))


@pytest.mark.anyio
async def test_evidence_is_true_for_a_repository_on_disk(tmp_path: Path) -> None:
    make_repository(
        tmp_path,
        {
            "pyproject.toml": "[project]\nname = 'x'\n[tool.ruff]\n[tool.pytest.ini_options]\n",
            "Makefile": "lint:\n\truff check\n",
            "tests/test_x.py": "def test_x(): pass\n",
        },
    )
    index = await Index().open(tmp_path)
    commands = index.commands()
    assert [found.command for found in commands["lint"]] == ["python -m ruff check .", "make lint"]
    lines = [
        (index.text(one.evidence.path) or "").splitlines()[one.evidence.line - 1]
        for kind in commands.values()
        for one in kind
    ]
    assert lines == ["[project]", "[tool.pytest.ini_options]", "[tool.ruff]", "lint:"]
