"""What a newcomer is told of a repository, with the lines that prove it."""

from dataclasses import replace
from pathlib import Path

import pytest

from repowright_tools.index.history import Commit
from repowright_tools.index.index import Index
from repowright_tools.index.overview import Overview, overview, overview_text
from repowright_tools.index.overview.hot_spots import HALF_LIFE_S, MOST_PATHS, hot_spots
from repowright_tools.index.overview.layers import module_graph
from repowright_tools.index.overview.place import Place
from repowright_tools.index.overview.runtimes import runtimes
from repowright_tools.index.overview.services import services
from repowright_tools.index.overview.sizes import BYTES_OF_A_TOKEN, folder_sizes
from repowright_tools.tokens import estimate_tokens
from support.files import Files
from support.repositories import make_repository

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
SHOP = {
    "pyproject.toml": "[project]\nname = 'shop'\nrequires-python = '>=3.11'\n[tool.pytest.ini_options]\n",
    "compose.yaml": "services:\n  web:\n    build: .\n  db:\n    image: postgres:16\n",
    "shop/__main__.py": "from shop import orders\n",
    "shop/orders.py": "from shop import money\n" + "x = 1\n" * 60,
    "shop/money.py": "from shop import orders\n",
    "web/api.py": "from shop import orders\n" + "y = 1\n" * 40,
    "tests/test_orders.py": "import pytest\ndef test_a(): pass\n",
    ".github/workflows/ci.yml": "on: push\n",
}


def commit(time: int, *paths: str) -> Commit:
    return Commit(id=f"{time:040x}", time=time, message="m", paths=paths)


async def looked_over(root: Path, files: dict[str, str], *commits: Commit) -> Overview:
    make_repository(root, files)
    return overview(await Index().open(root), commits)


@pytest.mark.anyio
async def test_each_subject_is_told_with_the_line_that_proves_it(tmp_path: Path) -> None:
    found = await looked_over(tmp_path, SHOP, commit(1, "shop/orders.py"))

    assert [(it.name, it.version, str(it.place)) for it in found.runtimes] == [("python", ">=3.11", "pyproject.toml:3")]
    assert [(it.name, it.image, str(it.places[0])) for it in found.services] == [
        ("PostgreSQL", "postgres:16", "compose.yaml:5")
    ]
    assert [(name, str(place)) for name, place in found.tests.frameworks] == [("pytest", "pyproject.toml:4")]
    assert (found.tests.files, found.tests.folders, found.tests.naming) == (1, (("tests", 1),), (("test_*.py", 1),))
    assert (found.tests.sources, found.tests.tested, found.tests.untested) == (4, 1, ("web/api.py",))
    assert [(spot.path, spot.commits, spot.lines, spot.score) for spot in found.hot_spots] == [
        ("shop/orders.py", 1, 61, 1.0)
    ]
    assert [(entry.name, entry.kind) for entry in found.entry_points] == [("shop", "module_main")]
    assert found.ci == (("GitHub Actions", (".github/workflows/ci.yml",)),)
    assert found.commands["test"][0].command == "python -m pytest"
    assert found.graph.layers == 2


@pytest.mark.anyio
async def test_the_text_has_a_line_a_subject_and_is_the_same_each_time(tmp_path: Path) -> None:
    found = await looked_over(tmp_path, SHOP, commit(1, "shop/orders.py"))
    text = overview_text(found, 1000)

    assert [line.partition(":")[0] for line in text.splitlines()] == [
        *("test", "install", "run", "runtimes", "services", "tests", "hot spots", "starts", "modules", "languages"),
        *("tokens by size", "CI"),
    ]
    assert "services: PostgreSQL (compose.yaml:5)\n" in text
    assert overview_text(found, 1000) == text


@pytest.mark.anyio
@pytest.mark.parametrize("budget", [0, 1, 25, 60, 100, 200, 400, 3276])
async def test_the_text_is_never_over_its_budget(tmp_path: Path, budget: int) -> None:
    many = {f"part{number}/test_{number}.py": "import shop\n" * 40 for number in range(30)}
    found = await looked_over(tmp_path, SHOP | many, *(commit(1, path) for path in many))
    assert estimate_tokens(overview_text(found, budget)) <= budget


@pytest.mark.anyio
async def test_a_wider_budget_tells_more_of_each_subject_before_it_is_used_up(tmp_path: Path) -> None:
    files = SHOP | {"go.mod": "module x\n\ngo 1.22\n", ".nvmrc": "22\n"}
    found = await looked_over(tmp_path, files)
    narrow, wide = overview_text(found, 150), overview_text(found, 800)
    assert "python >=3.11 (pyproject.toml:3), and 2 more" in narrow
    assert "python >=3.11 (pyproject.toml:3), node 22 (.nvmrc:1), go 1.22 (go.mod:3)" in wide


@pytest.mark.anyio
async def test_secrets_are_not_in_the_text(tmp_path: Path) -> None:
    files = {"Makefile": f"test:\n\tx\n{TOKEN}/x: y\n", "package.json": f'{{"packageManager": "npm@{TOKEN}"}}'}
    found = await looked_over(tmp_path, files)
    assert any(TOKEN in it.version for it in found.runtimes)
    assert TOKEN not in overview_text(found, 2000)


@pytest.mark.anyio
async def test_an_empty_repository_has_an_overview(tmp_path: Path) -> None:
    found = await looked_over(tmp_path, {"a.txt": "x\n"})
    assert overview_text(found, 400).startswith("tests: none found\n")


# --- hot spots -----------------------------------------------------------------------------------------------------


def test_hot_is_what_changes_often_and_lately_and_is_large() -> None:
    now = 100 * HALF_LIFE_S
    history = [commit(now, "new.py", "small.py"), *(commit(now - 3 * HALF_LIFE_S, "old.py") for _ in range(4))]
    found = hot_spots(history, {"new.py": 100, "old.py": 100, "small.py": 10, "never.py": 900})

    assert [(spot.path, spot.commits, spot.score) for spot in found] == [
        ("new.py", 1, 1.0),
        ("old.py", 4, 0.5),
        ("small.py", 1, 0.1),
    ]
    assert found[1].last == now - 3 * HALF_LIFE_S


def test_a_sweep_over_many_files_makes_nothing_hot() -> None:
    sweep = commit(5, *(f"{number}.py" for number in range(MOST_PATHS + 1)))
    assert hot_spots([sweep], {"1.py": 10}) == []
    assert hot_spots([replace(sweep, paths=sweep.paths[:MOST_PATHS])], {"1.py": 10}) != []


def test_hot_spots_do_not_depend_on_the_day_or_on_the_order_of_commits() -> None:
    history = [commit(10, "a.py"), commit(20, "b.py"), commit(30, "a.py")]
    later = [replace(it, time=it.time + 10**9) for it in history]
    lines = {"a.py": 5, "b.py": 5}
    scores = [(spot.path, spot.score) for spot in hot_spots(history, lines)]
    assert [(spot.path, spot.score) for spot in hot_spots(history[::-1], lines)] == scores
    assert [(spot.path, spot.score) for spot in hot_spots(later, lines)] == scores
    assert hot_spots([], lines) == []


@pytest.mark.anyio
async def test_tests_and_examples_are_no_hot_spots(tmp_path: Path) -> None:
    files = {"a.py": "x\n", "tests/test_a.py": "x\n" * 9, "examples/b.py": "x\n" * 9, "README.md": "x\n" * 9}
    found = await looked_over(tmp_path, files, *(commit(1, *files) for _ in range(5)))
    assert [spot.path for spot in found.hot_spots] == ["a.py"]


# --- runtimes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("pyproject.toml", '[project]\nrequires-python = ">=3.11,<4"\n', ("python", ">=3.11,<4", 2)),
        ("pyproject.toml", '[tool.poetry.dependencies]\npython = "^3.9"\n', ("python", "^3.9", 2)),
        ("setup.py", "setup(\n    python_requires='>=3.8',\n)\n", ("python", ">=3.8", 2)),
        (".python-version", "3.12.1\n", ("python", "3.12.1", 1)),
        ("package.json", '{\n "engines": {\n  "node": ">=20"\n }\n}\n', ("node", ">=20", 3)),
        ("package.json", '{\n "packageManager": "pnpm@9.1.0+sha512.ab"\n}\n', ("pnpm", "9.1.0", 2)),
        (".nvmrc", "v22.3\n", ("node", "22.3", 1)),
        ("go.mod", "module x\n\ngo 1.22\n", ("go", "1.22", 3)),
        ("rust-toolchain.toml", '[toolchain]\nchannel = "1.80"\n', ("rust", "1.80", 2)),
        ("Cargo.toml", '[package]\nrust-version = "1.74"\n', ("rust", "1.74", 2)),
        (".ruby-version", "3.3.0\n", ("ruby", "3.3.0", 1)),
        ("composer.json", '{\n "require": {\n  "php": "^8.2"\n }\n}\n', ("php", "^8.2", 3)),
        ("pom.xml", "<project>\n<java.version>21</java.version>\n", ("java", "21", 2)),
        ("build.gradle.kts", "kotlin {\n  jvmToolchain(17)\n}\n", ("java", "17", 2)),
        ("src/App.csproj", "<x>\n<TargetFramework>net8.0</TargetFramework>\n", (".NET", "net8.0", 2)),
        ("global.json", '{"sdk": {\n"version": "8.0.100"}}\n', (".NET SDK", "8.0.100", 2)),
        (".tool-versions", "nodejs 20.1.0\n", ("nodejs", "20.1.0", 1)),
        ("mix.exs", 'def project do\n [elixir: "~> 1.16"]\n', ("elixir", "~> 1.16", 2)),
        ("CMakeLists.txt", "project(x)\nset(CMAKE_CXX_STANDARD 20)\n", ("c++", "20", 2)),
        ("Dockerfile", "# x\nFROM --platform=linux/amd64 python:3.12-slim AS base\n", ("image python", "3.12-slim", 2)),
        (".devcontainer/devcontainer.json", '{\n"image": "a/b:1"}\n', ("devcontainer a/b", "1", 2)),
    ],
)
def test_a_runtime_is_told_as_its_file_says(path: str, text: str, told: tuple[str, str, int]) -> None:
    found = runtimes(Files({path: text}))
    assert [(it.name, it.version, it.place) for it in found] == [(told[0], told[1], Place(path, told[2]))]


def test_a_stage_of_the_same_dockerfile_and_a_dependency_are_no_runtimes() -> None:
    files = {
        "Dockerfile": "FROM golang:1.22 AS build\nFROM build\nFROM scratch\n",
        "package.json": '{"dependencies": {"node": "1", "yarn": "2"}}',
        "deep/down/there/.nvmrc": "1\n",
    }
    assert [it.name for it in runtimes(Files(files))] == ["image golang"]


# --- services ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("docker-compose.yml", "services:\n  cache:\n    image: bitnami/redis:7\n", [("Redis", 3)]),
        ("compose.dev.yaml", "services:\n  queue:\n    image: acme/queue:1\n", [("queue", 3)]),
        ("compose.yml", "services:\n  app:\n    build: .\n    environment:\n      X: postgres\n", []),
        ("compose.yml", "services:\n  mysql:\n    image: ${IMAGE:-x}\n", [("MySQL", 3)]),
        (
            ".github/workflows/ci.yml",
            "jobs:\n  a:\n    services:\n      db:\n        image: a/postgis:16\n    steps:\n      - run: redis\n",
            [("PostgreSQL", 5)],
        ),
        (
            ".github/workflows/ci.yml",
            "jobs:\n  a:\n    services:\n      mysql:\n        image: ${{ matrix.db }}\n        ports: [1]\n",
            [("MySQL", 5)],
        ),
        (".gitlab-ci.yml", "test:\n  services:\n    - name: mongo:7\n      alias: x\n    - redis\n",
         [("MongoDB", 3), ("Redis", 5)]),
        (".circleci/config.yml", "jobs:\n  a:\n    docker:\n      - image: a/node:1\n      - image: cimg/postgres:9\n",
         [("PostgreSQL", 5)]),
        (".travis.yml", "services: [rabbitmq, mysql]\n", [("RabbitMQ", 1), ("MySQL", 1)]),
        (".env.sample", "# x\nDATABASE_URL=postgres://u:secret@h/x\nSECRET_VAULT=1\nREDIS_HOST=\n",
         [("PostgreSQL", 2), ("Redis", 4)]),
        ("shop/settings.py", 'x = {"ENGINE": "django.db.backends.mysql"}\n', [("MySQL", 1)]),
        ("config/database.yml", "default:\n  adapter: postgresql\n", [("PostgreSQL", 2)]),
        ("src/main/resources/application.yml", "url: jdbc:mysql://x\n", [("MySQL", 1)]),
        ("README.md", "needs redis://x\n", []),
    ],
)  # fmt: skip
def test_a_service_is_told_where_a_file_names_it(path: str, text: str, told: list[tuple[str, int]]) -> None:
    found = services(Files({path: text}))
    assert [(it.name, it.places[0]) for it in found] == [(name, Place(path, line)) for name, line in told]


def test_a_service_that_several_files_name_is_one_with_its_image() -> None:
    files = {
        ".env.example": "REDIS_URL=redis://x\n",
        "compose.yml": "services:\n  a:\n    image: redis:7\n",
        ".travis.yml": "services: redis\n",
    }
    (found,) = services(Files(files))
    assert (found.name, found.image) == ("Redis", "redis:7")
    assert [place.path for place in found.places] == ["compose.yml", ".travis.yml", ".env.example"]


def test_no_value_of_an_environment_is_told() -> None:
    found = services(Files({".env.example": f"REDIS_URL=redis://:{TOKEN}@x\n"}))
    assert TOKEN not in repr(found)


# --- tests, sizes, layers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "naming", "tested"),
    [
        ({"a.go": "package a\n", "a_test.go": "package a\n"}, "*_test.go", 1),
        ({"src/a.ts": "x", "src/a.spec.ts": "x", "src/b.ts": "x"}, "*.spec.*", 1),
        ({"src/A.java": "class A {}", "test/ATest.java": "class ATest {}"}, "*Test.java", 1),
        ({"lib/a.py": "x", "tests/a/test_deep.py": "x"}, "test_*.py", 1),
        ({"lib/a.py": "x", "tests/test_b.py": "x"}, "test_*.py", 0),
    ],
)
@pytest.mark.anyio
async def test_a_source_is_tested_by_what_is_named_after_it(
    tmp_path: Path, files: dict[str, str], naming: str, tested: int
) -> None:
    found = (await looked_over(tmp_path, files)).tests
    assert [name for name, _ in found.naming] == [naming]
    assert found.tested == tested
    assert found.files == 1


@pytest.mark.anyio
async def test_what_tests_read_is_neither_a_test_nor_a_source(tmp_path: Path) -> None:
    files = {"a.py": "x", "tests/test_a.py": "x", "tests/fixtures/test_x.py": "x", "testdata/x_test.go": "package x"}
    found = (await looked_over(tmp_path, files)).tests
    assert (found.files, found.sources) == (1, 1)


@pytest.mark.anyio
async def test_folders_are_sized_in_tokens_by_their_bytes(tmp_path: Path) -> None:
    files = {"a/b/c.py": "x" * 330 + "\n", "a/d.py": "x\n", "e.py": "x\n"}
    make_repository(tmp_path, files)
    found = folder_sizes((await Index().open(tmp_path)).files)
    assert [(it.path, it.files, it.bytes, it.tokens) for it in found] == [
        (".", 3, 335, round(335 / BYTES_OF_A_TOKEN)),
        ("a", 2, 333, 101),
        ("a/b", 1, 331, 100),
    ]


@pytest.mark.anyio
async def test_cycles_and_what_most_modules_lean_on_are_found(tmp_path: Path) -> None:
    files = {
        "a/__init__.py": "import b\n",
        "b/__init__.py": "import a\nimport c\n",
        "c/__init__.py": "",
        "d/__init__.py": "import c\n",
    }
    make_repository(tmp_path, files)
    graph = module_graph((await Index().open(tmp_path)).modules())
    assert graph.cycles == (("a", "b"),)
    assert graph.leaned_on[0] == ("c", 2)
    assert graph.layers == 2


@pytest.mark.parametrize("text", ["", "\0", "[" * 100_000, "services:\n" * 20_000, "- " * 50_000, " " * 100_000 + "x"])
def test_malformed_files_do_no_harm(text: str) -> None:
    names = ["compose.yml", ".github/workflows/a.yml", ".env.example", "package.json", "pom.xml", "Dockerfile"]
    files = Files(dict.fromkeys(names, text))
    assert len(services(files)) <= 40
    assert len(runtimes(files)) <= 40
