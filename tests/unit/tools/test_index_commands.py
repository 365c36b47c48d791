"""How repositories say that they are installed, tested, linted, built and run."""

from pathlib import Path

import pytest

from repowright_tools.index.commands import find_commands
from repowright_tools.index.index import Index
from repowright_tools.index.manifests.ci import steps
from repowright_tools.index.manifests.classify import command_in
from support.repositories import make_repository


class Files:
    """A tree in memory."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files
        self.paths = sorted(files)

    def has_path(self, path: str) -> bool:
        return path in self.files

    def text(self, path: str) -> str | None:
        return self.files.get(path)


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
    assert found({"pyproject.toml": pyproject, "uv.lock": ""}, "install") == [
        ("uv sync", "pyproject.toml", 2),
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
    files = {"package.json": package} | ({lock: ""} if lock else {})
    assert found(files, "install") == [(install, "package.json", 1)]
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


def test_a_gitlab_script_is_read_line_by_line() -> None:
    assert (3, "pytest -q") in list(steps("test:\n  script:\n    - pytest -q\n"))


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "package.json", "setup.cfg", "Cargo.toml", ".github/workflows/x.yml"]
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
