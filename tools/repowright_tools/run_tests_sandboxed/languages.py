"""Environments of projects that are not Python: what is installed from their lock files, and how it is found again.

An installation sees manifests and lock files alone, never the files beside them, and the scripts of `package.json` are
taken out: they would run with network. The manifests of Maven and Gradle are code themselves (see `manifests`), and
dependencies run scripts of their own. What it makes lies in `FOLDER` of the image, which is read-only in the box.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from repowright_tools.run_tests_sandboxed.manifests import held_manifests
from repowright_tools.run_tests_sandboxed.node_modules import collect_links, place_links
from repowright_tools.run_tests_sandboxed.package_managers import javascript_command
from repowright_tools.sandbox.base import INPUTS, REPOSITORY, EnvironmentSpec

FOLDER = "/deps"

_SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Language:
    """One way to install dependencies.

    Attributes:
        name: of the tool.
        manifests: names of the files that it reads, in any folder.
        command: a line for `sh` that installs, in a folder that holds those files and is kept; `:` for nothing.
        link: a line for `sh` that makes what was installed known to the tree under test; `:` when variables do.
        variables: environment of the tests.
        finish: what runs after `command`.
    """

    name: str
    manifests: tuple[str, ...]
    command: str
    link: str
    variables: Mapping[str, str]
    finish: tuple[str, ...] = ()


def _javascript(name: str, lock: str, command: str) -> Language:
    manifests = ("package.json", ".npmrc", *([lock] if lock else []), *(["pnpm-workspace.yaml"] * (name == "pnpm")))
    variables = {"PATH": f"{REPOSITORY}/node_modules/.bin:{_SYSTEM}", "CI": "true", "NODE_ENV": "test"}
    return Language(name, manifests, command, place_links(FOLDER), variables, tuple(collect_links(FOLDER)))


def _go(*manifests: str, command: str = ":", **more: str) -> Language:
    # Builds are written where there is room, and nothing is asked of the network
    variables = {"GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOCACHE": "/work/go-build", "GOTMPDIR": "/work", **more}
    return Language("go", ("go.mod", *manifests), command, ":", variables)


def _cargo(command: str, link: str) -> Language:
    variables = {
        "CARGO_HOME": f"{FOLDER}/cargo",
        "CARGO_NET_OFFLINE": "true",
        "CARGO_TARGET_DIR": "/work/target",
        # Debug information and what speeds up a next build are most of what a build writes; there is no next one
        "CARGO_INCREMENTAL": "0",
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_PROFILE_TEST_DEBUG": "0",
    }
    return Language("cargo", ("Cargo.toml", "Cargo.lock"), f"CARGO_HOME={FOLDER}/cargo {command}", link, variables)


def _gradle() -> Language:
    kinds = ("build.gradle", "settings.gradle")
    manifests = (*kinds, *(f"{kind}.kts" for kind in kinds), "gradle.lockfile", "libs.versions.toml")
    home = f"-g {FOLDER}/gradle"
    # Testing nothing fetches what the tests need; listing the dependencies does not fetch them
    command = f"gradle --no-daemon --continue {home} test || gradle --no-daemon {home} dependencies"
    variables = {"GRADLE_USER_HOME": "/work/gradle", "GRADLE_RO_DEP_CACHE": f"{FOLDER}/gradle/caches"}
    return Language("gradle", manifests, command, ":", variables)


_NPM_CI = "npm ci --no-audit --no-fund"
_REPOSITORY = f"-Dmaven.repo.local={FOLDER}/m2"
_PRIVATE_GO = f"GOMODCACHE={FOLDER}/go GOFLAGS=-modcacherw go mod download"
_LANGUAGES: Mapping[str, Language] = {
    # By the lock file that says which tool it is, or by the manifest; the first one counts
    "pnpm-lock.yaml": _javascript(
        "pnpm", "pnpm-lock.yaml", f"pnpm install --frozen-lockfile --store-dir {FOLDER}/.store"
    ),
    "yarn.lock": _javascript(
        "yarn", "yarn.lock", "yarn install --frozen-lockfile --ignore-engines --non-interactive --no-progress"
    ),
    "package-lock.json": _javascript("npm", "package-lock.json", _NPM_CI),
    "npm-shrinkwrap.json": _javascript("npm", "npm-shrinkwrap.json", _NPM_CI),
    "vendor/modules.txt": _go(GOFLAGS="-mod=vendor"),
    "go.sum": _go("go.sum", "go.work", "go.work.sum", command=_PRIVATE_GO, GOMODCACHE=f"{FOLDER}/go"),
    "go.mod": _go(),
    "Cargo.lock": _cargo("cargo fetch --locked", ":"),
    "Cargo.toml": _cargo("cargo fetch", f"test -e Cargo.lock || cp {FOLDER}/Cargo.lock ."),
    "pom.xml": Language(
        "maven",
        ("pom.xml",),
        # Testing nothing fetches what the tests need, which `go-offline` does only in part
        f"mvn --batch-mode -q -fae -DfailIfNoTests=false {_REPOSITORY} test"
        f" || mvn --batch-mode -q {_REPOSITORY} dependency:go-offline",
        ":",
        {"MAVEN_OPTS": _REPOSITORY},
    ),
    **dict.fromkeys(("gradle.lockfile", "build.gradle", "build.gradle.kts"), _gradle()),
    "package.json": _javascript("npm", "", "npm install --no-package-lock --no-audit --no-fund"),
}


def find_language(paths: Sequence[str] | Mapping[str, bytes]) -> Language | None:
    """The tool that installs the dependencies of a project with these files at its root; None when none is known."""
    return next((language for lock, language in _LANGUAGES.items() if lock in paths), None)


def language_spec(files: Mapping[str, bytes]) -> EnvironmentSpec | None:
    """How the dependencies of a project that is not Python are installed; None when it has none to install.

    Raises InstallFailed: see `held_manifests`.
    """
    language = find_language(files)
    if language is None or language.command == ":":
        return None
    named = {path: data for path, data in files.items() if posixpath.basename(path) in language.manifests}
    held = held_manifests(language.name, named)
    if held is None:
        return None
    command = javascript_command(language.name, language.command, named)
    install = ["sh", "-c", f"cp -R {INPUTS}/. {FOLDER}/ && cd {FOLDER} && {command}"]
    return EnvironmentSpec(
        files=held,
        commands=[install, [*language.finish]] if language.finish else [install],
        writes=[FOLDER],
    )
