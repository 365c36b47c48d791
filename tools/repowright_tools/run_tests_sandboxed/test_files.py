"""Which files decide what is tested and how results are reported, and so are not the change's to decide."""

from __future__ import annotations

import posixpath
import re
import sys
from fnmatch import translate

_STEERING = (
    # Python
    *("conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", ".coveragerc"),
    *("sitecustomize.py", "usercustomize.py", "noxfile.py", "*.pth"),
    # what starts a runner
    *("[Mm]akefile", "GNUmakefile", "[Jj]ustfile", ".justfile", "Taskfile*.y*ml", "mvnw", "gradlew"),
    # JavaScript: runners, what measures coverage, and what rewrites or loads modules for them
    *(f"{name}.{ending}" for name in ("jest", "vitest", "karma", "playwright") for ending in ("config.*", "conf.*")),
    *(f"{name}.config.*" for name in ("vite", "ava", "nyc", "babel", "cypress", "web-test-runner", "wtr")),
    *("vitest.workspace.*", "jest.preset.*", ".mocharc*", "mocha.opts", "jasmine.json", ".taprc", ".c8rc*", ".nycrc*"),
    *(".babelrc*", ".swcrc*", "tsconfig*.json"),
    # JavaScript: package managers, which can be told to start scripts in another shell, or another copy of themselves
    *(".npmrc", ".yarnrc*", ".pnp.*", ".pnpmfile.*", "pnpm-workspace.yaml"),
)
"""Names of files, as patterns of `fnmatch`, that a runner reads by itself, or what starts one."""
_STEERING_PATHS = ("*.cargo/config*", "*.config/nextest.toml", "*.mvn/*", "*.yarn/releases/*", "*.yarn/plugins/*")
SHARED = ("pyproject.toml", "setup.cfg", "tox.ini", "package.json")
"""Files of which only some sections are about tests."""
_FOLDERS = {"tests", "test", "__tests__"}
_TEST_NAME = re.compile(
    r"(?:test_.*|.*_test)\.\w+|test\.py|tests\.py|.*\.(?:test|spec)\.[cm]?[jt]sx?|(?:.*(?:Test|Tests|IT)|Test.*)\.(?:java|kt)"
)
_COLLECTED = re.compile(r"(?:test_.*|.*_test)\.py")
_MODULE = re.compile(r"(?:src/)?(?P<name>[^/]+?)(?:/__init__)?\.py")
_POINTS = re.compile(r"\.(?:egg|dist)-info/entry_points\.txt$")
_PYTEST = {"pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments"}
_RUNNER = (sys.stdlib_module_names - {"test"}) | _PYTEST
_STEERS_BY_NAME = re.compile("|".join(map(translate, _STEERING)))
_STEERS_BY_PATH = re.compile("|".join(map(translate, _STEERING_PATHS)))


def parents(path: str) -> list[str]:
    """The folders that a file lies in, the outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def is_steering(path: str) -> bool:
    """Whether the runner, or what starts it, reads the file by itself, or Python in place of a module that it needs."""
    name = posixpath.basename(path)
    module = _MODULE.fullmatch(path)
    return (
        _STEERS_BY_NAME.match(name) is not None
        or _STEERS_BY_PATH.match(path) is not None
        or _POINTS.search(path) is not None
        or (module is not None and module["name"] in _RUNNER)
    )


def is_part_of_pytest(path: str) -> bool:
    """Whether the file is a module that pytest itself imports: a project that has it is what pytest is made of."""
    module = _MODULE.fullmatch(path)
    return module is not None and module["name"] in _PYTEST


def is_test_file(path: str) -> bool:
    """Whether the file holds tests, or something beside tests that they read: helpers, data, expected output."""
    *folders, name = path.split("/")
    return _TEST_NAME.fullmatch(name) is not None or bool(_FOLDERS & set(folders))


def is_collected(path: str) -> bool:
    """Whether pytest reads tests from the file by its default rules."""
    return _COLLECTED.fullmatch(posixpath.basename(path)) is not None


def is_compiled(path: str) -> bool:
    """Whether the file could stand for a source file without being read by anybody."""
    return path.endswith((".pyc", ".pyo")) or "__pycache__" in path.split("/")


def is_installed(path: str) -> bool:
    """Whether the file lies where packages are installed, or stands in their place: it would be taken for one.

    No plan can own it: a runner is found there before any other.
    """
    return "node_modules" in path.split("/")


def is_protected(path: str) -> bool:
    """Whether the base's version of the file decides, unless the plan owns it."""
    return is_steering(path) or is_test_file(path) or is_installed(path)
