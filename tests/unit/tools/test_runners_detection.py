"""Which runner a command starts is known from its words and from package.json, and each is made to report."""

import json

import pytest

from repowright_tools.run_tests_sandboxed.command import TestCommand as Command
from repowright_tools.run_tests_sandboxed.command import test_command as command_for
from repowright_tools.run_tests_sandboxed.deciding import Deciding


def made(command: str, scripts: dict[str, str] | None = None) -> Command:
    files = {} if scripts is None else {"package.json": json.dumps({"scripts": scripts}).encode()}
    return command_for(command, None, files, by_caller=True, files=Deciding(files, files))


def reports(command: Command) -> list[str]:
    """The files of tests that a command leaves, by the runner's own names; where there are several, in their order."""
    names = [name.rpartition("-")[2] for name in command.single.collect]
    return [name for name in names if name != "codes.txt"]


@pytest.mark.parametrize(
    ("command", "collected"),
    [
        ("go test ./...", "go.json"),
        ("go test -v -race ./pkg", "go.json"),
        ("cd module && go test ./...", "go.json"),
        ("CGO_ENABLED=0 go test ./...", "go.json"),
        ("cargo test --workspace", "cargo.txt"),
        ("cargo +stable test", "cargo.txt"),
        ("cargo nextest run", "nextest.xml"),
        ("node --test test/", "node.jsonl"),
        ("npx jest --coverage", "jest.json"),
        ("jest", "jest.json"),
        ("npx vitest", "jest.json"),
        ("vitest run --reporter dot", "jest.json"),
        ("mocha -R spec", "mocha.json"),
        ("node --test ./tests/*.js", "node.jsonl"),
        ('node --test "test/**/*.test.{js,mjs}"', "node.jsonl"),
        ("node --import tsx --test test/", "node.jsonl"),
        ("c8 --reporter=lcov mocha 'test/**/*.js'", "mocha.json"),
        ("nyc mocha", "mocha.json"),
        ("node --experimental-vm-modules node_modules/jest/bin/jest.js", "jest.json"),
        ("node_modules/.bin/vitest", "jest.json"),
        ("cross-env NODE_ENV=test jest", "jest.json"),
        ("react-scripts test --watchAll=false", "jest.json"),
        ("pnpm exec vitest", "jest.json"),
        ("yarn jest", "jest.json"),
        ("npm exec -- mocha", "mocha.json"),
        ("go test ./... && echo done", "go.json"),
        ("tsc && node --test dist", "node.jsonl"),
        ("mvn -q test", "reports.tar"),
        ("./mvnw verify", "reports.tar"),
        ("./gradlew test", "reports.tar"),
        ("gradle check", "reports.tar"),
        ("python -m unittest tests.test_a", "unittest.json"),
        ("poetry run python3 -m unittest -v tests.test_a", "unittest.json"),
        ("make test", "junit.xml"),
        ("bazel test //... --junit_output=results.xml", "junit.xml"),
    ],
)
def test_a_runner_is_known_by_its_words(command: str, collected: str) -> None:
    assert reports(made(command)) == [collected]


@pytest.mark.parametrize(
    ("command", "scripts", "collected"),
    [
        ("npm test", {"test": "jest"}, "jest.json"),
        ("npm t", {"test": "node --test"}, "node.jsonl"),
        ("npm run test:unit", {"test:unit": "vitest run"}, "jest.json"),
        ("pnpm test", {"test": "tsc && vitest"}, "jest.json"),
        ("yarn test", {"test": "npm run inner", "inner": "mocha"}, "mocha.json"),
        ("npm test", {"pretest": "tsc", "test": "jest", "posttest": "eslint ."}, "jest.json"),
        ("yarn check", {"check": "jest"}, "jest.json"),
        ("npm test --silent", {"test": "jest"}, "jest.json"),
        ("npm test", {"test": "npm test"}, "junit.xml"),
        ("npm test", {"test": "jest | tee log"}, "junit.xml"),
        ("npm test", {}, "junit.xml"),
        ("npm test", None, "junit.xml"),
    ],
)
def test_a_script_of_package_json_is_looked_through(
    command: str, scripts: dict[str, str] | None, collected: str
) -> None:
    assert reports(made(command, scripts)) == [collected]


def test_arguments_after_a_script_reach_its_runner() -> None:
    assert "src/one.test.js" in made("npm test -- src/one.test.js", {"test": "jest"}).line


def test_what_is_not_a_plain_command_runs_as_it_is() -> None:
    for command in (
        "go test ./... | tee log",
        "jest; echo done",
        "go test $(list)",
        "./test.sh",
        "go build",
        "mvn clean",
    ):
        assert made(command).line == command


def test_go_never_takes_a_result_from_its_cache() -> None:
    assert "-count=1" in made("go test ./...").line


@pytest.mark.parametrize("scripts", [b"", b"[]", b"{", b'{"scripts": 7}', b'{"scripts": {"test": 7}}', b"[" * 100_000])
def test_a_package_json_that_is_none_says_nothing(scripts: bytes) -> None:
    files = {"package.json": scripts}
    assert command_for("npm test", None, files, by_caller=True, files=Deciding(files, files)).line == "npm test"


def test_a_pattern_stays_as_it_was_written_so_that_the_same_one_expands_it() -> None:
    assert made("node --test ./tests/*.js").line.endswith(" --test ./tests/*.js")
    assert made("mocha 'test/**/*.js'").line.endswith(" 'test/**/*.js'")


def test_what_runs_before_a_script_and_after_it_runs_there_too() -> None:
    line = made("npm test", {"pretest": "tsc", "test": "jest", "posttest": "eslint ."}).line
    assert line.index(" tsc\n") < line.index("( jest ") < line.index(" eslint .\n")


def test_scripts_without_end_are_not_made_to_report() -> None:
    scripts = {"test": "a", "a": "b", "b": "jest"}
    for name, following in (("test", "a"), ("a", "b")):
        scripts[name] = " && ".join([f"npm run {following}"] * 20)
    command = made("npm test", scripts)
    assert command.line == "npm test"
    assert "too many at once" in command.remarks[-1]


def test_runners_joined_by_and_report_each_to_its_own_file() -> None:
    single = made("npm test", {"test": "npm run unit && npm run e2e", "unit": "jest", "e2e": "jest e2e"}).single
    assert single.collect == ("0-jest.json", "1-jest.json", "codes.txt")
    one = {"testResults": [{"name": "/work/repo/a.js", "assertionResults": [{"title": "t", "status": "passed"}]}]}
    both = dict.fromkeys(single.collect, json.dumps(one).encode())
    found = single.read({**both, "codes.txt": b"0 0\n1 0\n"}, [])
    assert [case.id for case in found or []] == ["a.js::t", "a.js::t #2"]
    found = single.read({"0-jest.json": json.dumps(one).encode(), "codes.txt": b"0 0\n1 1\n"}, [])
    assert [case.outcome for case in found or []] == ["passed", "error"]  # the second has run, or should have
    assert single.read({}, []) is None


@pytest.mark.parametrize(
    ("command", "root", "collected"),
    [
        ("npm test --workspaces", {"workspaces": ["packages/*"]}, 2),
        ("npm test", {"workspaces": ["packages/*"], "scripts": {"test": "npm run test -ws --if-present"}}, 2),
        ("npm test -w packages/a", {"workspaces": ["packages/*"]}, 1),
        ("npm test --workspace=@x/b", {"workspaces": {"packages": ["packages/**"]}}, 1),
        ("yarn workspaces run test", {"workspaces": ["packages/*", "!packages/b"]}, 1),
        ("pnpm -r test", {}, 2),
        ("pnpm --filter @x/a test", {}, 1),
        ("npm --prefix packages/a test", {}, 1),
        ("cd packages/a && npm test", {}, 1),
    ],
)
def test_scripts_of_a_repositorys_packages_are_looked_through(command: str, root: object, collected: int) -> None:
    files = {
        "package.json": json.dumps(root).encode(),
        "pnpm-workspace.yaml": b"packages:\n  - 'packages/*'  # all\n" if "pnpm" in command else b"",
        "packages/a/package.json": b'{"name": "@x/a", "scripts": {"test": "jest"}}',
        "packages/b/package.json": b'{"name": "@x/b", "scripts": {"test": "vitest run"}}',
        "packages/none/package.json": b'{"name": "@x/none"}',
        "node_modules/c/package.json": b'{"scripts": {"test": "jest"}}',
    }
    made = command_for(command, None, files, by_caller=True, files=Deciding(files, files))
    assert reports(made) == ["jest.json"] * collected


def test_a_wrapper_that_would_fetch_its_tool_gives_way_to_the_images_own() -> None:
    assert "mvnw" not in made("./mvnw verify").line
    assert "gradlew" not in made("./gradlew test").line


def test_of_a_command_without_a_known_runner_it_is_said_what_would_report_its_tests() -> None:
    assert "JUNIT_OUTPUT" in made("npm test", {"test": "turbo run test"}).remarks[-1]
    assert not any("JUNIT_OUTPUT" in remark for remark in made("npm test", {"test": "jest"}).remarks)
