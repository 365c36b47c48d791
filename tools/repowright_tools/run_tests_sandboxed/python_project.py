"""What a Python project says of its dependencies, read as data: nothing of it is executed here."""

from __future__ import annotations

import configparser
import posixpath
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard, cast

from repowright_tools.run_tests_sandboxed.poetry import poetry_requirements

_TESTING = ("test", "tests", "testing")
_DEVELOPING = ("dev", "develop", "development")
_PLAIN_FILES = ("requirements.txt", "requirements/base.txt", "requirements/requirements.txt")
_TEST_FILES = re.compile(
    rf"requirements[-_/](?P<kind>{'|'.join((*_TESTING, *_DEVELOPING))})\.txt"
    rf"|(?P<kind_first>{'|'.join((*_TESTING, *_DEVELOPING))})[-_/]requirements\.txt"
)
_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock")
_MOST_TOML = 8 * 1024 * 1024
_MOST_METADATA = 1024 * 1024
_MOST_LINE = 2_000
_OWN = re.compile(r"\s*(?:-e\b|--editable\b|\.{1,2}(?:[/\[;\s]|$)|file:)")
"""Lines of a requirements file that mean the project itself or a folder of it."""
_INCLUDE = re.compile(r"^\s*(?:-r|--requirement|-c|--constraint)[=\s]\s*(\S+)", re.MULTILINE)

_INCLUDABLE = re.compile(r"\.(?:txt|in|pip|lock)$|(?:^|/)(?:requirements|constraints)[^/]*$")
"""An installation has network: nothing but requirement files goes there, whatever a requirement file names."""


@dataclass(frozen=True)
class PythonProject:
    """Dependencies as far as they are written down.

    Attributes:
        requirements: requirement lines of the build system, the project, and its test (else development) extras.
        files: requirement files to install, and those they include, by path.
        install: paths of `files` that are installed as such.
        constraints: exact versions of a lock file.
        has_metadata: whether the project can be installed, so that its name, version and commands exist.
        is_dynamic: whether some dependencies are known only to its build system.
    """

    requirements: tuple[str, ...]
    files: Mapping[str, bytes]
    install: tuple[str, ...]
    constraints: tuple[str, ...]
    has_metadata: bool
    is_dynamic: bool


def read_python_project(files: Mapping[str, bytes]) -> PythonProject | None:
    """The Python project with these files; None when there is no Python in it."""
    if not any(path.endswith(".py") or path == "pyproject.toml" for path in files):
        return None
    pyproject = _toml(files.get("pyproject.toml", b""))
    setup = _setup_cfg(files.get("setup.cfg", b""))
    project, poetry = _table(pyproject, "project"), _table(pyproject, "tool", "poetry")
    has_metadata = bool(project or poetry or "setup.py" in files or setup.has_section("metadata"))
    dynamic = set(_texts(project.get("dynamic")))
    install = [*(path for path in _PLAIN_FILES if path in files), *_test_files(files)]
    requirements = [
        *_texts(_table(pyproject, "build-system").get("requires")),
        *_texts(project.get("dependencies")),
        *_extras(project),
        *_groups(_table(pyproject, "dependency-groups")),
        *poetry_requirements(poetry, (_TESTING, _DEVELOPING)),
    ]
    return PythonProject(
        requirements=tuple(dict.fromkeys(line for line in map(_one_line, requirements) if line)),
        files=_with_includes(files, install),
        install=tuple(install),
        constraints=_locked(files),
        has_metadata=has_metadata,
        is_dynamic=has_metadata and (not project or bool(dynamic & {"dependencies", "optional-dependencies"})),
    )


def metadata_requirements(metadata: str) -> list[str]:
    """The requirement lines of a distribution's METADATA, with those of its test (else development) extras.

    Its text is of the repository's making: lines that pip would take for options, or that are too long, are left out.
    """
    written = re.findall(r"^Requires-Dist:(.+)$", metadata[:_MOST_METADATA], re.MULTILINE)
    lines = [line for line in map(_one_line, written) if 0 < len(line) <= _MOST_LINE]
    offered = re.findall(r"^Provides-Extra:\s*(\S+)", metadata, re.MULTILINE)
    wanted = _chosen(offered)
    found: list[str] = []
    for line in lines:
        extra = re.search(r"""extra\s*==\s*['"]([^'"]+)['"]""", line)
        if extra is None:
            found.append(line)
        elif extra[1] in wanted:
            plain = re.sub(r"""\s*(?:and\s*)?extra\s*==\s*['"][^'"]+['"]\s*(?:and\b)?""", "", line)
            found.append(re.sub(r";\s*$", "", plain).strip())
    return found


def _chosen(names: Iterable[str]) -> list[str]:
    """Those that are for testing, or for development when none is."""
    known = list(names)
    for kind in (_TESTING, _DEVELOPING):
        if found := [name for name in known if name.lower() in kind]:
            return found
    return []


def _test_files(paths: Iterable[str]) -> list[str]:
    """The requirement files for testing, or for development when there is none."""
    kinds = {path: found["kind"] or found["kind_first"] for path in paths if (found := _TEST_FILES.fullmatch(path))}
    chosen = _chosen(kinds.values())
    return sorted(path for path, kind in kinds.items() if kind in chosen)


def _extras(project: Mapping[str, Any]) -> list[str]:
    """The test extras, with references to other extras of the project itself resolved."""
    offered = _table(project, "optional-dependencies")
    own = re.compile(rf"{re.escape(str(project.get('name', '')))}\s*\[([^\]]*)\]\s*", re.IGNORECASE)
    found, waiting, seen = list[str](), _chosen(offered), set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        for line in _texts(offered.get(name)):
            reference = own.fullmatch(line)
            if reference:
                waiting += [part.strip() for part in reference[1].split(",")]
            else:
                found.append(line)
    return found


def _groups(groups: Mapping[str, Any]) -> list[str]:
    """The test dependency groups (PEP 735), with included groups."""
    found, waiting, seen = list[str](), _chosen(groups), set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        for entry in _items(groups.get(name)):
            if isinstance(entry, str):
                found.append(entry)
            elif isinstance(entry, dict):
                waiting.append(str(cast(dict[str, Any], entry).get("include-group", "")))
    return found


def _with_includes(files: Mapping[str, bytes], install: Sequence[str]) -> dict[str, bytes]:
    """The requirement files and all they include, without lines that mean the project itself."""
    found, waiting = dict[str, bytes](), list(install)
    while waiting:
        path = waiting.pop()
        if path in found or path not in files:
            continue
        text = files[path].decode("utf-8", errors="replace")
        found[path] = "\n".join(line for line in text.splitlines() if not _OWN.match(line)).encode() + b"\n"
        named = [to for to in _INCLUDE.findall(text) if _INCLUDABLE.search(to)]
        waiting += [posixpath.normpath(posixpath.join(posixpath.dirname(path), to)) for to in named]
    return found


def _locked(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """`name==version` for what a lock file pins to one release of an index."""
    lock = next((path for path in _LOCKS if path in files), None)
    if lock is None:
        return ()
    versions: dict[str, set[str]] = {}
    for package in _items(_toml(files[lock]).get("package")):
        table = cast(dict[str, Any], package) if isinstance(package, dict) else {}
        name, version, source = table.get("name"), table.get("version"), table.get("source", {})
        if isinstance(name, str) and isinstance(version, str) and not _is_local(source):
            versions.setdefault(name, set()).add(version)
    return tuple(f"{name}=={one}" for name, (one, *others) in sorted(versions.items()) if not others)


def _is_local(source: Any) -> bool:
    keys = {"editable", "virtual", "directory", "git", "path", "url"}
    if not isinstance(source, dict):
        return False
    table = cast(dict[str, Any], source)
    return bool(keys & set(table)) or table.get("type") in keys


def _one_line(requirement: str) -> str:
    """A requirement as one line that pip cannot take for an option; empty when it is one."""
    line = " ".join(requirement.split())
    return "" if line.startswith("-") else line


def _toml(data: bytes) -> dict[str, Any]:
    """The document; empty when it is none, or larger than manifests and lock files are."""
    if len(data) > _MOST_TOML:
        return {}
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _setup_cfg(data: bytes) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(data.decode("utf-8", errors="replace"))
    except configparser.Error:
        return configparser.RawConfigParser()
    return parser


def _table(tree: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        inner = tree.get(key)
        tree = cast(dict[str, Any], inner) if isinstance(inner, dict) else {}
    return tree


def _items(value: Any) -> list[Any]:
    return value if _is_list(value) else []


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _texts(value: Any) -> list[str]:
    return [entry for entry in _items(value) if isinstance(entry, str)]
