"""What a command starts is what the base's scripts and packages say, and never something narrower than was asked."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from repowright_tools.git.tree import TreeFile
from repowright_tools.run_tests_sandboxed.command import TestCommand as Command
from repowright_tools.run_tests_sandboxed.command import test_command as command_for
from repowright_tools.run_tests_sandboxed.deciding import Deciding, deciding_files
from repowright_tools.run_tests_sandboxed.known_command import Known, known_command
from repowright_tools.run_tests_sandboxed.runners.packages import fits
from repowright_tools.run_tests_sandboxed.sources import Sources
from support.ports import bound, stage_context

FILE = 0o100644
Tree = Mapping[str, Mapping[str, Any]]


def files(tree: Tree) -> list[TreeFile]:
    return [TreeFile(path, FILE, json.dumps(says).encode()) for path, says in tree.items()]


def changed(base: Tree, change: Tree, command: str = "npm test", owned: tuple[str, ...] = ()) -> Command:
    sources = Sources(files(change), files(base), Path())
    return command_for(command, None, change, by_caller=False, files=deciding_files(sources, owned))


def reports(made: Command) -> list[str]:
    return [name for name in made.single.collect if name.endswith(".json")]


def scripts(**named: str) -> dict[str, Any]:
    return {"scripts": named}


MOCHA, FINE = {"package.json": scripts(test="mocha")}, {"package.json": scripts(test="mocha --grep fine")}


def test_the_script_that_is_run_is_the_bases() -> None:
    made = changed(MOCHA, FINE)
    assert "--grep" not in made.line
    assert made.remarks == ()


def test_the_script_that_is_run_is_the_changes_where_the_plan_owns_it() -> None:
    assert "--grep fine" in changed(MOCHA, FINE, owned=("package.json",)).line


@pytest.mark.anyio
async def test_a_change_that_removes_what_names_the_command_does_not_choose_another(tmp_path: Path) -> None:
    change = [TreeFile("Makefile", FILE, b"check:\n\ttrue\n")]
    sources = Sources(change, files(MOCHA), tmp_path)
    assert await known_command(stage_context(bound(tmp_path, "0" * 40)), sources, ()) == Known("npm test")


def test_a_script_that_only_the_change_has_is_run_and_that_is_said() -> None:
    for base in ({}, {"package.json": scripts(build="tsc")}):
        made = changed(base, MOCHA)
        assert made.single.collect == ("mocha.json",)
        assert "which the base has not" in made.remarks[-1]


@pytest.mark.parametrize("name", ["pretest", "posttest", "unit"])
def test_no_new_script_runs_beside_one_of_the_bases(name: str) -> None:
    base = {"package.json": scripts(test="npm run unit --if-present && mocha")}
    change = {"package.json": scripts(test="mocha", **{name: "node --test repair.js"})}
    assert "repair" not in changed(base, change).line


def test_no_package_of_the_base_is_left_out_hidden_or_renamed_and_new_ones_come_last() -> None:
    base: Tree = {
        "package.json": {"workspaces": ["p/*"]},
        "p/b/package.json": {"name": "b", **scripts(test="jest one")},
        "p/c/package.json": {"name": "c", **scripts(test="jest two")},
    }
    change: Tree = {
        "package.json": {"workspaces": ["p/b", "!p/c", "q/*"]},
        "p/b/package.json": {"name": "c", **scripts(test="jest one")},
        "p/c/package.json": {"name": "b", **scripts(test="true")},
        "p/a/package.json": {"name": "a", **scripts(test="jest three")},
        "q/a/package.json": {"name": "d", **scripts(test="jest four")},
    }
    made = changed(base, change, "npm test --workspaces")
    assert len(reports(made)) == 4
    order = [made.line.index(f"{word}\n") for word in ("one", "two", "three", "four")]
    assert order == sorted(order)
    assert "which the base has not" in made.remarks[-1]
    assert "jest.json one" in changed(base, change, "npm test -w b").line


def test_packages_of_the_change_that_cannot_be_looked_through_do_not_hide_the_bases() -> None:
    base: Tree = {"package.json": {"workspaces": ["p/*"]}, "p/a/package.json": {"name": "a", **scripts(test="jest")}}
    many = {f"p/n{number}/package.json": scripts(test="jest") for number in range(60)}
    made = changed(base, {**base, **many}, "npm test -ws")
    assert made.single.collect == ("jest.json",)
    assert made.remarks == ("scripts or packages of the change, which the base has not, are not run",)


WORKSPACES: Tree = {
    "package.json": {"workspaces": ["p/*"], **scripts(test="node --test root.test.js")},
    "p/a/package.json": {"name": "@x/a", **scripts(test="jest")},
    "p/b/package.json": {"name": "@x/b", **scripts(test="vitest")},
    "other/package.json": {"name": "other", **scripts(test="mocha")},
}


def in_workspaces(command: str, pnpm: bytes = b"packages:\n  - 'p/*'\nonlyBuilt:\n  - other\n") -> Command:
    held = {file.path: file.data for file in files(WORKSPACES)} | {"pnpm-workspace.yaml": pnpm}
    return command_for(command, None, held, by_caller=False, files=Deciding(held, held))


@pytest.mark.parametrize(
    "command",
    [
        "pnpm --filter './p/*' test",
        "pnpm --filter '@x/*' test",
        "pnpm --filter @x/a... test",
        "pnpm --filter {p/a} test",
        "pnpm --filter p/a test",
        "pnpm -r --filter '!@x/a' test",
        "pnpm -r --filter @x/a test",
        "pnpm -w test",
        "pnpm test -r",
        "npm test -w missing",
        "npm test -w other",
        "npm test -w p",
        "npm test -w ../../etc",
        "npm test -w",
        "npm test -ws -w @x/a",
        "npm test --workspaces --include-workspace-root",
        "npm test --workspaces=false",
        "npm test --coverage",
        "npm --prefix nowhere test",
        "npm exec -w @x/a jest",
        "npm exec jest -w @x/a",
        "npx -w @x/a jest",
        "yarn workspace missing test",
        "yarn workspaces foreach -A run test",
        "yarn --top-level test",
        "bun test",
        "bun --filter @x/a run test",
    ],
)
def test_what_selects_packages_in_a_way_that_is_not_understood_runs_as_it_is(command: str) -> None:
    made = in_workspaces(command)
    assert made.line == command
    assert "JUNIT_OUTPUT" in made.remarks[-1]


@pytest.mark.parametrize(
    ("command", "folders"),
    [
        ("pnpm -F @x/a test", ["p/a"]),
        ("pnpm --filter ./p/b run test", ["p/b"]),
        ("pnpm -C other test --grep it", ["other"]),
        ("pnpm -r test", ["p/a", "p/b"]),
        ("npm test -w @x/a -w p/b", ["p/a", "p/b"]),
        ("npm run test --workspaces --if-present", ["p/a", "p/b"]),
        ("npm --prefix other test", ["other"]),
        ("yarn workspace @x/a test", ["p/a"]),
        ("yarn workspaces run test", ["p/a", "p/b"]),
        ("yarn --cwd other test", ["other"]),
    ],
)
def test_what_selects_packages_to_the_letter_is_looked_through(command: str, folders: list[str]) -> None:
    made = in_workspaces(command)
    assert [folder for folder in ("p/a", "p/b", "other") if f"cd {folder} " in made.line] == folders
    assert len(reports(made)) == len(folders)


def test_a_script_runs_in_its_own_folder_wherever_its_command_runs() -> None:
    made = in_workspaces("cd p/a && npm --prefix ../.. test")
    assert made.line.startswith("cd p/a && ")
    assert "( cd ../.. " in made.line
    assert "root.test.js" in made.line


def test_of_what_is_not_understood_it_is_said_what() -> None:
    remark, _ = in_workspaces("npm test -w missing").remarks
    assert remark == (
        "missing is not the folder or name of exactly one of the workspaces, so this runs as it is: npm test -w missing"
    )


@pytest.mark.parametrize("pnpm", [b"packages: ['p/*']\n", b"packages:\n  - 'p/{a,b}'\n", b"packages:\n  nested: x\n"])
def test_workspaces_that_are_written_in_another_way_run_as_they_are(pnpm: bytes) -> None:
    assert in_workspaces("pnpm -r test", pnpm).line == "pnpm -r test"


def test_more_packages_than_are_looked_through_all_run_as_they_are() -> None:
    tree: Tree = {
        "package.json": {"workspaces": ["p/*"], **scripts(test="npm test --workspaces")},
        **{f"p/{number}/package.json": scripts(test="node --test") for number in range(61)},
    }
    made = changed(tree, tree)
    assert made.line == "npm test"
    assert made.remarks[0].startswith("it tests 61 packages, and 60 are looked through at most, so this runs as it is")


@pytest.mark.parametrize(
    ("folder", "pattern", "expected"),
    [
        ("packages/a", "packages/*", True),
        ("packages/a/b", "packages/*", False),
        ("packages/a/b", "packages/**", True),
        ("packages", "packages/**", True),
        ("a/b/c/d", "a/**/d", True),
        ("a/d/c", "a/**/d", False),
        ("a/x-lib-y", "a/x*lib*y", True),
        ("a/x-lib-z", "a/x*lib*y", False),
        ("a", "./a/", True),
        ("a", "*/b", False),
        ("ab", "a", False),
    ],
)
def test_a_pattern_of_folders_fits_as_the_managers_say(folder: str, pattern: str, expected: bool) -> None:
    assert fits(folder, pattern) is expected


def test_no_pattern_of_a_repository_takes_long() -> None:
    began = time.process_time()
    assert not fits("a" * 200, "*a*a*a*a*a*a*a*a*b")
    assert not fits("/".join("a" * 200), "/".join(["**", "a"] * 20 + ["b"]))
    tree: Tree = {
        "package.json": {"workspaces": ["*a" * 90 + f"b{number}" for number in range(100)]},
        **{f"{'a' * 190}{number}/package.json": scripts(test="jest") for number in range(60)},
    }
    for number in range(2):
        line = " && ".join(["npm test -ws"] * 20)
        assert changed(tree, tree, line).line == line, number
    assert time.process_time() - began < 20


def test_scripts_that_start_each_other_without_end_run_as_they_are() -> None:
    nested = {name: " && ".join([f"npm run {following}"] * 19) for name, following in ("ab", "bc", "cd")}
    tree: Tree = {"package.json": scripts(test=" && ".join(["npm run a"] * 19), **nested, d="jest")}
    began = time.process_time()
    assert any("scripts" in remark for remark in changed(tree, tree).remarks)
    assert time.process_time() - began < 10
