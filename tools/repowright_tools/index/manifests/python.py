"""pyproject.toml, setup.cfg, setup.py, requirements files, tox, nox and pytest."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from repowright_tools.index.manifests.found import Found, at, found, manifests, mapping, toml
from repowright_tools.index.paths import name_of
from repowright_tools.index.tree import Tree, line_of

_REQUIREMENTS = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements_dev.txt",
    "dev-requirements.txt",
    "requirements/dev.txt",
    "requirements-test.txt",
    "test-requirements.txt",
    "requirements/test.txt",
)
_TEST_EXTRAS = ("dev", "test", "tests", "testing")
_LOCKS = (("uv", "uv.lock"), ("poetry", "poetry.lock"), ("pdm", "pdm.lock"), ("pipenv", "Pipfile.lock"))
_OWN_RUNNERS = ("runtests.py", "run_tests.py", "runtest.py", "tests/runtests.py")
_CONFIGURES_PYTEST = (
    ("pyproject.toml", r"^\[tool\.pytest\b"),
    ("pytest.ini", r"^\[pytest\]"),
    ("pytest.toml", r"^\[pytest\]"),
    ("tox.ini", r"^\[pytest\]"),
    ("setup.cfg", r"^\[tool:pytest\]"),
)
_LINTERS = (
    ("python -m ruff check .", (("ruff.toml", ""), (".ruff.toml", ""), ("pyproject.toml", r"^\[tool\.ruff\b"))),
    ("python -m mypy .", (("mypy.ini", ""), ("pyproject.toml", r"^\[tool\.mypy\b"), ("setup.cfg", r"^\[mypy\b"))),
    ("python -m flake8", ((".flake8", ""), ("setup.cfg", r"^\[flake8\]"), ("tox.ini", r"^\[flake8\]"))),
    ("python -m black --check .", (("pyproject.toml", r"^\[tool\.black\b"),)),
)
_TEST_FILE = re.compile(r"(^|/)(test_[^/]*|[^/]*_test|conftest|tests)\.py$")
_MOST_TEST_FILES = 200
_MOST_SCRIPTS = 100


def commands(tree: Tree) -> Iterator[Found]:
    manager = _manager(tree)
    yield from _install(tree)
    yield from _test(tree, manager)
    for command, places in _LINTERS:
        if place := _first(tree, places):
            yield found("lint", command, *place)
    yield from _build_and_run(tree)


def _manager(tree: Tree) -> str | None:
    """What runs a command in the project's environment, by lock file or table: uv, poetry, pdm, pipenv, or nothing."""
    tools = mapping(toml(tree.text("pyproject.toml") or "").get("tool"))
    for tool, lock in _LOCKS:
        if tree.has_path(lock) or tool in tools:
            return tool
    return None


def _build_and_run(tree: Tree) -> Iterator[Found]:
    for path, text, prefix in manifests(tree, "pyproject.toml"):
        document = toml(text)
        if line := line_of(text, r"^\[build-system\]"):
            yield found("build", f"{prefix}python -m build", path, line)
        scripts = {**mapping(at(document, "project", "scripts")), **mapping(at(document, "tool", "poetry", "scripts"))}
        for name in islice(scripts, _MOST_SCRIPTS):
            yield found("run", name, path, line_of(text, rf"^[\"']?{re.escape(name)}[\"']?\s*="))
    for path in tree.paths:
        if path.endswith("__main__.py") and re.fullmatch(r"(src/)?\w+/__main__\.py", path):
            yield found("run", f"python -m {path.removeprefix('src/').split('/')[0]}", path, 1)
    if (line := line_of(tree.text("manage.py") or "", "execute_from_command_line")) is not None:
        yield found("run", "python manage.py runserver", "manage.py", line)


def _install(tree: Tree) -> Iterator[Found]:
    for path, text, prefix in manifests(tree, "pyproject.toml"):
        document = toml(text)
        tools = mapping(document.get("tool"))
        folder = path.removesuffix("pyproject.toml")
        project = line_of(text, r"^\[project\]") or line_of(text, r"^\[build-system\]")
        for tool, lock in _LOCKS:
            if tree.has_path(folder + lock):
                yield found("install", prefix + _locked_install(tool, document), folder + lock, 1)
            elif tool in tools:
                table = line_of(text, rf"^\[tool\.{tool}\b")
                yield found("install", prefix + _locked_install(tool, document), path, table or project)
        if project:
            yield found("install", prefix + _pip_install(document), path, project)
    if tree.text("pyproject.toml") is None and tree.has_path("Pipfile.lock"):
        yield found("install", "pipenv install --dev", "Pipfile.lock", 1)
    for path in _REQUIREMENTS:
        if tree.text(path) is not None:
            yield found("install", f"python -m pip install -r {path}", path, 1)
    if tree.text("pyproject.toml") is None and (setup := tree.text("setup.py")) is not None:
        yield found("install", "python -m pip install -e .", "setup.py", line_of(setup, r"\bsetup\("))


def _locked_install(tool: str, document: Mapping[str, Any]) -> str:
    """What installs from the lock, with the extra that the tests need when they are an extra (uv leaves those out)."""
    extra = _test_extra(document)
    if tool == "uv":
        group = _test_group(document)
        wanted = [f"--extra {extra}"] if extra else []
        wanted += [f"--group {group}"] if group and group != "dev" else []  # uv installs `dev` unasked
        return " ".join(["uv sync", *wanted])
    if tool == "pipenv":
        return "pipenv install --dev"
    return f"{tool} install --extras {extra}" if extra and tool == "poetry" else f"{tool} install"


def _test_extra(document: Mapping[str, Any]) -> str | None:
    extras = mapping(at(document, "project", "optional-dependencies"))
    return next((name for name in _TEST_EXTRAS if name in extras), None)


def _test_group(document: Mapping[str, Any]) -> str | None:
    groups = mapping(document.get("dependency-groups"))
    return next((name for name in _TEST_EXTRAS if name in groups), None)


def _pip_install(document: Mapping[str, Any]) -> str:
    extra, group = _test_extra(document), _test_group(document)
    command = f"python -m pip install -e '.[{extra}]'" if extra else "python -m pip install -e ."
    return f"{command} --group {group}" if group else command


def _test(tree: Tree, manager: str | None) -> Iterator[Found]:
    if place := _first(tree, _CONFIGURES_PYTEST) or _pytest_needed(tree) or _pytest_used(tree):
        yield found("test", "python -m pytest", *place)  # in whatever environment is active
        if manager:
            yield found("test", f"{manager} run pytest", *place)
    else:
        yield from _without_pytest(tree)
    if place := _first(
        tree, (("tox.ini", r"^\[(tox|testenv)"), ("tox.toml", ""), ("pyproject.toml", r"^\[tool\.tox\b"))
    ):
        yield found("test", "tox", *place)
    if (text := tree.text("noxfile.py")) is not None and (line := line_of(text, r"^def test\w*\(")):
        session = text.splitlines()[line - 1].removeprefix("def ").split("(")[0]
        yield found("test", f"nox -s {session}", "noxfile.py", line)
    if text := tree.text("pyproject.toml"):
        hatch = at(toml(text), "tool", "hatch", "envs", "default", "scripts", "test")
        if hatch is not None:
            yield found("test", "hatch run test", "pyproject.toml", line_of(text, r"^test\s*="))


def _without_pytest(tree: Tree) -> Iterator[Found]:
    """The project's own runner, Django's, or plain unittest."""
    for path in _OWN_RUNNERS:
        if (text := tree.text(path)) is not None:
            folder, _, name = path.rpartition("/")
            prefix = f"cd {folder} && " if folder else ""
            yield found("test", f"{prefix}python {name}", path, line_of(text, r"^if __name__\b"))
    if (text := tree.text("manage.py")) is not None:
        yield found("test", "python manage.py test", "manage.py", line_of(text, "execute_from_command_line"))
    if place := _in_tests(tree, r"^[ \t]*(import|from) unittest\b"):
        yield found("test", "python -m unittest discover", *place)


def _pytest_needed(tree: Tree) -> tuple[str, int] | None:
    """Where pytest is named as a requirement."""
    for path in ("pyproject.toml", "setup.cfg", "setup.py", "Pipfile", "tox.ini", *_REQUIREMENTS):
        if (text := tree.text(path)) is not None and (line := line_of(text, r"^[^#\n]*\bpytest\b")):
            return path, line
    return None


def _pytest_used(tree: Tree) -> tuple[str, int] | None:
    """Where a test file imports pytest, is its conftest, or has a test function outside any class."""
    if place := _in_tests(tree, r"^[ \t]*(import|from) pytest\b"):
        return place
    conftest = next((path for path in tree.paths if name_of(path) == "conftest.py"), None)
    return (conftest, 1) if conftest else _in_tests(tree, r"^(async )?def test\w*\(")


def _in_tests(tree: Tree, pattern: str) -> tuple[str, int] | None:
    tests = [path for path in tree.paths if path.endswith(".py") and _TEST_FILE.search(path)]
    for path in tests[:_MOST_TEST_FILES]:
        if line := line_of(tree.text(path) or "", pattern):
            return path, line
    return None


def _first(tree: Tree, places: tuple[tuple[str, str], ...]) -> tuple[str, int] | None:
    """The first of these files that exists and has its pattern, and the line; any first line will do for none."""
    for path, pattern in places:
        if (text := tree.text(path)) is not None and (line := line_of(text, pattern or r"\A")):
            return path, line
    return None
