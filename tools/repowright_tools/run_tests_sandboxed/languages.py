"""Environments of projects that are not Python: what is installed from their lock files, and how it is found again.

An installation sees manifests and lock files alone, never the project's code, and the project's own scripts are taken
out of them: they would run with network. What it makes lies in `FOLDER` of the image, which is read-only in the box.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repowright_tools.run_tests_sandboxed.runners.base import is_table
from repowright_tools.sandbox.base import INPUTS, REPOSITORY, EnvironmentSpec

FOLDER = "/deps"

_MOST_MANIFESTS = 200
_SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_STUB = b"fn main() {}\n"


@dataclass(frozen=True)
class Language:
    """One way to install dependencies.

    Attributes:
        name: of the tool.
        manifests: names of the files that it reads, in any folder.
        command: a line for `sh` that installs, in a folder that holds those files and is kept.
        link: a line for `sh` that makes what was installed known to the tree under test; `:` when variables do.
        variables: environment of the tests.
    """

    name: str
    manifests: tuple[str, ...]
    command: str
    link: str
    variables: Mapping[str, str]


_MODULES = f"test -e node_modules || ln -s {FOLDER}/node_modules node_modules"
_NODE = {"PATH": f"{REPOSITORY}/node_modules/.bin:{_SYSTEM}", "CI": "true", "NODE_ENV": "test"}
_LANGUAGES: Mapping[str, Language] = {
    # By the lock file that says which tool it is; the first one counts
    "pnpm-lock.yaml": Language(
        "pnpm",
        ("package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"),
        f"pnpm install --frozen-lockfile --store-dir {FOLDER}/.store",
        _MODULES,
        _NODE,
    ),
    "yarn.lock": Language("yarn", ("package.json", "yarn.lock"), "yarn install --frozen-lockfile", _MODULES, _NODE),
    "package-lock.json": Language(
        "npm", ("package.json", "package-lock.json"), "npm ci --no-audit --no-fund", _MODULES, _NODE
    ),
    "npm-shrinkwrap.json": Language(
        "npm", ("package.json", "npm-shrinkwrap.json"), "npm ci --no-audit --no-fund", _MODULES, _NODE
    ),
    "go.sum": Language(
        "go",
        ("go.mod", "go.sum", "go.work", "go.work.sum"),
        f"GOMODCACHE={FOLDER}/go GOFLAGS=-modcacherw go mod download",
        ":",
        {
            "GOMODCACHE": f"{FOLDER}/go",
            "GOPROXY": "off",
            "GOFLAGS": "-mod=mod",
            "GOCACHE": "/work/go-build",
            "GOTMPDIR": "/work",
        },
    ),
    "go.mod": Language(
        "go",
        ("go.mod",),
        ":",
        ":",
        {"GOPROXY": "off", "GOCACHE": "/work/go-build", "GOTMPDIR": "/work", "GOFLAGS": "-mod=mod"},
    ),
    "Cargo.lock": Language(
        "cargo",
        ("Cargo.toml", "Cargo.lock"),
        f"CARGO_HOME={FOLDER}/cargo cargo fetch --locked",
        ":",
        {"CARGO_HOME": f"{FOLDER}/cargo", "CARGO_NET_OFFLINE": "true", "CARGO_TARGET_DIR": "/work/target"},
    ),
    "pom.xml": Language(
        "maven",
        ("pom.xml",),
        f"mvn --batch-mode -q -Dmaven.repo.local={FOLDER}/m2 dependency:go-offline",
        ":",
        {"MAVEN_OPTS": f"-Dmaven.repo.local={FOLDER}/m2"},
    ),
    "gradle.lockfile": Language(
        "gradle",
        ("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "gradle.lockfile"),
        f"gradle --no-daemon -g {FOLDER}/gradle dependencies",
        ":",
        {"GRADLE_USER_HOME": "/work/gradle", "GRADLE_RO_DEP_CACHE": f"{FOLDER}/gradle/caches"},
    ),
}


def find_language(paths: Sequence[str] | Mapping[str, bytes]) -> Language | None:
    """The tool that installs the dependencies of a project with these files at its root; None when none is known."""
    return next((language for lock, language in _LANGUAGES.items() if lock in paths), None)


def language_spec(files: Mapping[str, bytes]) -> EnvironmentSpec | None:
    """How the dependencies of a project that is not Python are installed; None when it has none to install."""
    language = find_language(files)
    if language is None or language.command == ":":
        return None
    manifests = {
        path: _without_scripts(data) if posixpath.basename(path) == "package.json" else data
        for path, data in sorted(files.items())
        if posixpath.basename(path) in language.manifests and "node_modules/" not in path
    }
    held = dict(list(manifests.items())[:_MOST_MANIFESTS])
    if language.name == "cargo":  # it takes no manifest without a target
        held |= {posixpath.join(posixpath.dirname(path), f"src/{name}.rs"): _STUB
                 for path in manifests if path.endswith("Cargo.toml") for name in ("lib", "main")}  # fmt: skip
    return EnvironmentSpec(
        files=held,
        commands=[["sh", "-c", f"cp -R {INPUTS}/. {FOLDER}/ && cd {FOLDER} && {language.command}"]],
        writes=[FOLDER],
    )


def language_variables(paths: Sequence[str] | Mapping[str, bytes]) -> dict[str, str]:
    """Environment variables for the tests of a project with these files."""
    language = find_language(paths)
    return {} if language is None else dict(language.variables)


def _without_scripts(manifest: bytes) -> bytes:
    """A package.json without its scripts, which need the project's code; that of dependencies are left alone."""
    try:
        document = json.loads(manifest)
    except (ValueError, RecursionError):
        return manifest
    if not is_table(document):
        return manifest
    return json.dumps({name: value for name, value in document.items() if name != "scripts"}, indent=1).encode()
