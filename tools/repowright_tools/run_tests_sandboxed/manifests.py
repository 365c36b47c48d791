"""What of a project's manifests an installation is given: no script of package.json, no credentials, stubs of code.

Some tools take no manifest without sources, or fetch what runs the tests only once there are some. A pom.xml and a
build.gradle are code: `mvn test` runs any plugin that the one names, Gradle runs the other. They run in the box of the
installation, which reaches nothing but package indexes, and the environment is keyed by these manifests.
"""

from __future__ import annotations

import json
import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from repowright_tools.errors import InstallFailed
from repowright_tools.run_tests_sandboxed.json_objects import is_list, is_table, read_object
from repowright_tools.run_tests_sandboxed.test_files import parents

_MOST = 5_000
_MOST_STUBS = 500
_LARGEST = 8 * 1024 * 1024
_LONGEST_NAME = 255
"""Bytes of a file's name on the usual file systems."""
_LEFT_OUT = ("scripts", "packageManager", "devEngines", "__proto__")
"""Scripts need the project's code, and what takes `__proto__` for inherited finds scripts there as well; the others
only say which tool installs, which is ours to say."""
_NEEDS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "workspaces")
_SETTINGS = re.compile(
    r"^[ \t]*(?:legacy-peer-deps|strict-peer-dependencies|auto-install-peers|node-linker|shamefully-hoist|hoist|"
    r"hoist-pattern\[\]|public-hoist-pattern\[\]|link-workspace-packages|install-links|resolution-mode)[ \t]*="
    r"[ \t]*[\w@*!./-]{0,200}[ \t]*$",
    re.MULTILINE,
)
"""Lines of an .npmrc that change what is installed, and hold no address and no credentials."""
_RUST = b"fn main() {}\n"
_JAVA = b"class StubTest {\n}\n"
_PLACES = {"bin": "src/bin", "example": "examples", "test": "tests", "bench": "benches"}
_WHAT_TO_DO = "Mend the manifest that the message names."


def held_manifests(tool: str, files: Mapping[str, bytes]) -> dict[str, bytes] | None:
    """The manifests among the files as an installation is given them; None when they say that nothing is needed.

    A package.json is always written anew, so that no two programs can read it differently; below the root, where it
    can be a test's example of a broken one, it is left out when it cannot be read.

    Raises:
        InstallFailed: there are too many, package.json at the root cannot be read, or Cargo.toml names targets that
            cannot be files.
    """
    shown = {path: data for path, data in files.items() if "node_modules" not in path.split("/")}
    if len(shown) > _MOST:
        raise InstallFailed(f"the project has {len(shown)} manifests; {_MOST} are the most", what_to_do=_WHAT_TO_DO)
    held: dict[str, bytes] = {}
    for path, data in sorted(shown.items()):
        given = _given(path, data)
        if given is not None:
            held[path] = given
    if tool == "npm" and not any(path.endswith(("-lock.json", "-shrinkwrap.json")) for path in held):
        manifest = read_package(held.get("package.json", b"{}")) or {}
        if not any(manifest.get(name) for name in _NEEDS):
            return None
    return held | dict.fromkeys(_all_stubs(tool, held), _RUST if tool == "cargo" else _JAVA)


def _given(path: str, data: bytes) -> bytes | None:
    """One manifest as the installation is given it; None when it is not."""
    match posixpath.basename(path):
        case "package.json":
            package = _package(data)
            if package is None and path == "package.json":
                message = (
                    f"{path} cannot be read: it is no JSON object, has numbers or nesting without end, or is too long"
                )
                raise InstallFailed(message, what_to_do=_WHAT_TO_DO)
            return package
        case ".npmrc":
            settings = _SETTINGS.findall(data[:100_000].decode("utf-8", errors="replace"))
            return "".join(f"{line.strip()}\n" for line in settings).encode() or None
        case _:
            return data


def read_package(data: bytes) -> dict[str, Any] | None:
    """A package.json, read as npm does: bytes that are no UTF-8 are replaced. None for what is no JSON object."""
    if len(data) > _LARGEST:
        return None
    return read_object(data.decode("utf-8", errors="replace").removeprefix("\ufeff"))


def _package(manifest: bytes) -> bytes | None:
    document = read_package(manifest)
    if document is None:
        return None
    kept = {name: value for name, value in document.items() if name not in _LEFT_OUT}
    try:
        return json.dumps(kept, indent=1, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None


def _all_stubs(tool: str, held: Mapping[str, bytes]) -> list[str]:
    stubs: set[str] = set()
    for path, data in held.items():
        stubs |= {*_stubs(tool, path, data)} - {*held}
        if len(stubs) > 2 * len(held) + _MOST_STUBS:
            message = f"{path} names too many targets; {_MOST_STUBS} are the most for all manifests"
            raise InstallFailed(message, what_to_do=_WHAT_TO_DO)
    _check_places({*held, *stubs})
    return sorted(stubs)


def _stubs(tool: str, path: str, data: bytes) -> Iterator[str]:
    """Paths of sources without which the tool would not take the manifest, or fetch too little."""
    folder, name = posixpath.split(path)
    if tool == "cargo" and name == "Cargo.toml":
        for target in ("src/lib.rs", "src/main.rs", *_declared(data)):
            if target.startswith("/") or ".." in target.split("/"):
                continue
            stub = posixpath.normpath(target)
            if stub in (".", name) or target.endswith("/") or not _can_be_file(stub):
                message = f"{path} names a target that cannot be a source file: {target[:60]!a}"
                raise InstallFailed(message, what_to_do=_WHAT_TO_DO)
            yield posixpath.join(folder, stub)
    elif tool in ("maven", "gradle") and name in ("pom.xml", "build.gradle", "build.gradle.kts"):
        yield posixpath.join(folder, "src/test/java/StubTest.java")


def _can_be_file(path: str) -> bool:
    parts = path.encode("utf-8", errors="replace").split(b"/")
    return path.isprintable() and all(len(part) <= _LONGEST_NAME for part in parts) and len(parts) < _LONGEST_NAME


def _check_places(paths: set[str]) -> None:
    """Refuse a file that stands where others need a folder: no installation could hold them."""
    for path in paths:
        for folder in parents(path):
            if folder in paths:
                message = f"{folder[:60]!a} is named as a source file, and {path[:60]!a} needs it as a folder"
                raise InstallFailed(message, what_to_do=_WHAT_TO_DO)


def _declared(data: bytes) -> Iterator[str]:
    """Sources that a Cargo.toml names, or means by the name of a target."""
    try:
        document = tomllib.loads(data[:_LARGEST].decode("utf-8", errors="replace"))
    except (ValueError, RecursionError):
        return
    for kind, place in _PLACES.items():
        targets: Any = document.get(kind)
        for target in targets if is_list(targets) else []:
            if is_table(target):
                path = target.get("path")
                yield str(path) if path else f"{place}/{target.get('name', '')}.rs"
