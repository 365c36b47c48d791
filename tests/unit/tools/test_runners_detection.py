"""Which runner a command starts is known from its words and from package.json, and each is made to report."""

import json

import pytest

from repowright_tools.run_tests_sandboxed.command import TestCommand as Command
from repowright_tools.run_tests_sandboxed.command import test_command as command_for


def made(command: str, scripts: dict[str, str] | None = None) -> Command:
    files = {} if scripts is None else {"package.json": json.dumps({"scripts": scripts}).encode()}
    return command_for(command, None, files, by_caller=True, files=files)


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
    assert made(command).single.collect == (collected,)


@pytest.mark.parametrize(
    ("command", "scripts", "collected"),
    [
        ("npm test", {"test": "jest"}, "jest.json"),
        ("npm t", {"test": "node --test"}, "node.jsonl"),
        ("npm run test:unit", {"test:unit": "vitest run"}, "jest.json"),
        ("pnpm test", {"test": "tsc && vitest"}, "jest.json"),
        ("yarn test", {"test": "npm run inner", "inner": "mocha"}, "mocha.json"),
        ("npm test", {"test": "npm test"}, "junit.xml"),
        ("npm test", {"test": "jest | tee log"}, "junit.xml"),
        ("npm test", {}, "junit.xml"),
        ("npm test", None, "junit.xml"),
    ],
)
def test_a_script_of_package_json_is_looked_through(
    command: str, scripts: dict[str, str] | None, collected: str
) -> None:
    assert made(command, scripts).single.collect == (collected,)


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
    assert command_for("npm test", None, files, by_caller=True, files=files).line == "npm test"
