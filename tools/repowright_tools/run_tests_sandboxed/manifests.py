"""What of a project's manifests an installation is given: no script of the project, no credentials, and stubs of code.

Some tools take no manifest without sources, or fetch what runs the tests only once there are some.
"""

from __future__ import annotations

import json
import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from repowright_tools.run_tests_sandboxed.runners.base import is_list, is_table

_MOST = 200
_LARGEST = 8 * 1024 * 1024
_LEFT_OUT = ("scripts", "packageManager", "devEngines")
"""Scripts need the project's code; the others only say which tool installs, which is ours to say."""
_NEEDS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies", "workspaces")
_SETTINGS = re.compile(
    r"^[ \t]*(?:legacy-peer-deps|strict-peer-dependencies|auto-install-peers|node-linker|shamefully-hoist|hoist|"
    r"hoist-pattern\[\]|public-hoist-pattern\[\]|link-workspace-packages|install-links|resolution-mode)[ \t]*="
    r"[ \t]*[\w@*!./-]{0,200}[ \t]*$",
    re.MULTILINE,
)
"""Lines of an .npmrc that change what is installed, and hold no address and no credentials."""
_VERSION = re.compile(r"(pnpm|yarn)@(\d{1,4}(?:\.\d{1,4}){2})(?:\+[\w.]+)?")
_PNPM_LOCK = re.compile(rb"^lockfileVersion:[ '\"]*(\d+)", re.MULTILINE)
_PNPM_OF_LOCK = {"5": "7", "6": "8", "9": "9"}
"""Which pnpm writes lock files of which version."""
_RUST = b"fn main() {}\n"
_JAVA = b"class StubTest {\n}\n"
_PLACES = {"bin": "src/bin", "example": "examples", "test": "tests", "bench": "benches"}


def held_manifests(tool: str, files: Mapping[str, bytes]) -> dict[str, bytes] | None:
    """The manifests among the files as an installation is given them; None when they say that nothing is needed."""
    shown = sorted((path, data) for path, data in files.items() if "node_modules" not in path.split("/"))
    held: dict[str, bytes] = {}
    for path, data in shown[:_MOST]:
        match posixpath.basename(path):
            case "package.json":
                held[path] = _package(data)
            case ".npmrc":
                if settings := _SETTINGS.findall(data[:100_000].decode("utf-8", errors="replace")):
                    held[path] = "".join(f"{line.strip()}\n" for line in settings).encode()
            case _:
                held[path] = data
    if tool == "npm" and not any(path.endswith(("-lock.json", "-shrinkwrap.json")) for path in held):
        manifest = _json(held.get("package.json", b""))
        if manifest is not None and not any(manifest.get(name) for name in _NEEDS):
            return None
    for path in list(held):
        held |= dict.fromkeys(_stubs(tool, path, held[path]), _RUST if tool == "cargo" else _JAVA)
    return held


def javascript_tool(tool: str, files: Mapping[str, bytes]) -> str | None:
    """What starts the tool in the version that the project asks for, or that its lock file is of; None for others.

    It comes from the npm registry, so that a base image needs npm alone.
    """
    if tool not in ("pnpm", "yarn"):
        return None
    asked = _VERSION.fullmatch(str((_json(files.get("package.json", b"")) or {}).get("packageManager", "")))
    version = asked[2] if asked and asked[1] == tool else None
    if tool == "pnpm":
        lock = _PNPM_LOCK.search(files.get("pnpm-lock.yaml", b"")[:2_000])
        version = version or _PNPM_OF_LOCK.get(lock[1].decode() if lock else "", "9")
    package = f"{tool}@{version or '1.22.22'}"
    return f"npm exec --yes --package={package} -- {tool}"


def _package(manifest: bytes) -> bytes:
    document = _json(manifest)
    if document is None:
        return manifest
    return json.dumps({name: value for name, value in document.items() if name not in _LEFT_OUT}, indent=1).encode()


def _json(data: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(data[:_LARGEST])
    except (ValueError, RecursionError):
        return None
    return document if is_table(document) else None


def _stubs(tool: str, path: str, data: bytes) -> Iterator[str]:
    """Paths of sources without which the tool would not take the manifest, or fetch too little."""
    folder, name = posixpath.split(path)
    if tool == "cargo" and name == "Cargo.toml":
        for target in ("src/lib.rs", "src/main.rs", *_declared(data)):
            if not target.startswith("/") and ".." not in target.split("/"):
                yield posixpath.join(folder, target)
    elif tool in ("maven", "gradle") and name in ("pom.xml", "build.gradle", "build.gradle.kts"):
        yield posixpath.join(folder, "src/test/java/StubTest.java")


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
