"""Which files decide what is tested and how results are reported, and so are not the change's to decide."""

from __future__ import annotations

import posixpath
import re
import sys

_STEERING = {
    *("conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", ".coveragerc"),
    *("sitecustomize.py", "usercustomize.py", "noxfile.py"),
    *(
        "Makefile",
        "makefile",
        "GNUmakefile",
        "justfile",
        ".mocharc.json",
        ".mocharc.js",
        ".mocharc.cjs",
        ".mocharc.yml",
    ),
}
SHARED = ("pyproject.toml", "setup.cfg", "tox.ini", "package.json")
"""Files of which only some sections are about tests."""
_SCRIPTED = re.compile(r"(?:jest|vitest|karma|playwright)\.conf(?:ig)?\.[cm]?[jt]s(?:on)?")
_FOLDERS = {"tests", "test", "__tests__"}
_TEST_NAME = re.compile(
    r"(?:test_.*|.*_test)\.\w+|test\.py|tests\.py|.*\.(?:test|spec)\.[cm]?[jt]sx?|(?:.*(?:Test|Tests|IT)|Test.*)\.(?:java|kt)"
)
_COLLECTED = re.compile(r"(?:test_.*|.*_test)\.py")
_MODULE = re.compile(r"(?:src/)?(?P<name>[^/]+?)(?:/__init__)?\.py")
_POINTS = re.compile(r"\.(?:egg|dist)-info/entry_points\.txt$")
_PYTEST = {"pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments"}
_RUNNER = (sys.stdlib_module_names - {"test"}) | _PYTEST


def is_steering(path: str) -> bool:
    """Whether the runner, or what starts it, reads the file by itself, or Python in place of a module that it needs."""
    name = posixpath.basename(path)
    module = _MODULE.fullmatch(path)
    return (
        name in _STEERING
        or _POINTS.search(path) is not None
        or name.endswith(".pth")
        or _SCRIPTED.fullmatch(name) is not None
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


def is_protected(path: str) -> bool:
    """Whether the base's version of the file decides, unless the plan owns it."""
    return is_steering(path) or is_test_file(path)
