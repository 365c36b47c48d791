"""The command line, as an operator uses it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fakes.github import FakeGitHub
from support.repositories import make_repository, write_files

FILES = {
    "shop/__init__.py": "",
    "shop/__main__.py": 'def main() -> None:\n    pass\n\n\nif __name__ == "__main__":\n    main()\n',
    "tests/test_shop.py": "def test_nothing():\n    assert True\n",
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\n\n[tool.pytest.ini_options]\ntestpaths = ["tests"]\n',
}


class Operator:
    """Runs commands with a home and a repository of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repository = root / "shop"
        self.environment = {"PATH": os.environ["PATH"], "REPOWRIGHT_HOME": str(root / "home"), "LLM_PROVIDER": "host"}
        make_repository(self.repository, FILES)

    def __call__(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-I", "-m", "repowright_server", *arguments],
            env=self.environment | environment, cwd=self.repository, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip


@pytest.fixture
def repowright(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


def test_analyse_shows_a_summary_and_the_map(repowright: Operator) -> None:
    done = repowright("analyse", ".")

    assert done.returncode == 0
    assert "python -m pytest" in done.stdout
    assert "shop/__main__.py" in done.stdout
    assert done.stderr == ""


def test_analyse_prints_the_whole_result_as_json(repowright: Operator) -> None:
    result = json.loads(repowright("analyse", str(repowright.repository), "--json", "--focus", "main").stdout)

    assert result["files"]["listed"] == len(FILES)
    assert result["relevant"][0]["path"] == "shop/__main__.py"


def test_analyse_of_a_folder_below_is_about_its_repository(repowright: Operator) -> None:
    done = repowright("analyse", "shop", "--json")

    assert json.loads(done.stdout)["root"] == str(repowright.repository)


@pytest.mark.parametrize("command", [("doctor",), ("runs", "list"), ("analyse", ".")])
def test_a_home_that_cannot_be_used_is_named_without_a_traceback(
    repowright: Operator, command: tuple[str, ...]
) -> None:
    (repowright.root / "file").write_text("no folder", encoding="utf-8")
    done = repowright(*command, REPOWRIGHT_HOME=str(repowright.root / "file"))

    assert done.returncode == 2
    assert "REPOWRIGHT_HOME" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_home_that_a_command_makes_is_private(repowright: Operator) -> None:
    """K05"""
    repowright("runs", "list")

    assert (repowright.root / "home").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "setting",
    [{"LLM_PROVIDER": "unheard-of"}, {"GITHUB_BASE_URL": "foo"}, {"SANDBOX_MEMORY": "1"}, {"BREAKPOINTS": "x"}],
)
def test_a_setting_that_cannot_be_right_is_refused_at_the_start(repowright: Operator, setting: dict[str, str]) -> None:
    done = repowright("serve", **setting)

    assert (done.returncode, done.stdout) == (2, "")
    assert next(iter(setting)) in done.stderr


def test_analyse_of_something_else_says_what_to_do(repowright: Operator) -> None:
    (repowright.root / "plain").mkdir()
    done = repowright("analyse", str(repowright.root / "plain"))

    assert (done.returncode, done.stdout) == (2, "")
    assert "git init" in done.stderr


def test_rules_are_shown_then_written_then_fit_until_the_repository_changes(repowright: Operator) -> None:
    folder = repowright.repository / ".cursor" / "rules"
    shown = repowright("rules", ".")
    nothing_yet = folder.exists()
    written = repowright("rules", ".", "--write")
    fits = repowright("rules", ".", "--check")
    changed = {"pyproject.toml": '[project]\nname = "shop"\nversion = "1"\n', "Makefile": "test:\n\ttrue\n"}
    write_files(repowright.repository, changed)
    outgrown = repowright("rules", ".", "--check")

    assert (shown.returncode, nothing_yet, written.returncode) == (0, False, 0)
    assert list(folder.glob("repowright-*.mdc")) != []
    assert (fits.returncode, outgrown.returncode) == (0, 1)
    assert "no longer fits" in outgrown.stdout


def test_a_reader_that_has_had_enough_is_no_error(repowright: Operator) -> None:
    script = '"$0" -I -m repowright_server analyse . | true; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable], env=repowright.environment, cwd=repowright.repository,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")


def test_runs_are_listed_shown_and_resumed(repowright: Operator) -> None:
    repowright("analyse", ".")
    listed = json.loads(repowright("runs", "list", "--json").stdout)
    (run,) = listed
    shown = repowright("runs", "show", run["run_id"])
    resumed = repowright("runs", "resume", run["run_id"])
    cancelled = repowright("runs", "cancel", run["run_id"])

    assert (run["stage"], run["status"]) == ("analyse_repo", "COMPLETE")
    assert "intact" in shown.stdout
    assert "analyse_repo" in shown.stdout
    assert (resumed.returncode, cancelled.returncode) == (0, 0)


@pytest.mark.parametrize("arguments", [("runs", "show"), ("runs", "resume"), ("runs", "cancel"), ("approve",)])
def test_a_run_that_does_not_exist_is_said_to_be_unknown(repowright: Operator, arguments: tuple[str, ...]) -> None:
    done = repowright(*arguments, "r_" + "0" * 32)

    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no run" in done.stderr


def test_a_run_that_waits_for_nothing_cannot_be_approved(repowright: Operator) -> None:
    repowright("analyse", ".")
    (run,) = json.loads(repowright("runs", "list", "--json").stdout)

    assert repowright("approve", run["run_id"]).returncode == 2


def test_doctor_names_what_is_missing_and_how_to_mend_it(repowright: Operator) -> None:
    done = repowright("doctor", DOCKER_HOST="unix:///nonexistent.sock", LLM_PROVIDER="anthropic")

    lines = {line.split()[1]: line.split()[0] for line in done.stdout.splitlines() if line[:1] != " "}
    assert done.returncode == 1
    assert lines == {
        "git": "ok", "state": "ok", "disk": "ok", "roots": "ok", "model": "FAIL", "sandbox": "FAIL", "forge": "warn"
    }  # fmt: skip
    assert all(word in done.stdout for word in ("ANTHROPIC_API_KEY", "DOCKER_HOST", "GITHUB_TOKEN"))


@pytest.mark.docker
def test_doctor_is_content_when_everything_is_there(repowright: Operator, sandbox_policy: object) -> None:
    image = str(getattr(sandbox_policy, "image", ""))
    with FakeGitHub(repowright.root) as github:
        forge = {"GITHUB_BASE_URL": github.api_url, "GITHUB_TOKEN": github.token, "ALLOWED_REPOSITORIES": "ada/shop"}
        done = repowright("doctor", SANDBOX_IMAGE=image, **forge)

    assert "FAIL" not in done.stdout
    assert done.returncode == 0


def test_a_revoked_token_is_named_by_doctor_and_not_shown(repowright: Operator) -> None:
    with FakeGitHub(repowright.root) as github:
        github.revoke(github.token)
        done = repowright("doctor", GITHUB_BASE_URL=github.api_url, GITHUB_TOKEN=github.token)

    assert "FAIL forge" in done.stdout
    assert github.token not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("no-such-command",), ("analyse",), ("runs",), ("serve", "--transport", "x")]
)
def test_bad_usage_exits_with_two_and_shows_the_usage(repowright: Operator, arguments: tuple[str, ...]) -> None:
    done = repowright(*arguments)

    assert done.returncode == 2
    assert "usage: repowright" in done.stderr


@pytest.mark.docker
def test_the_demo_drives_all_six_stages(repowright: Operator, sandbox_policy: object) -> None:
    image = str(getattr(sandbox_policy, "image", ""))
    done = repowright("demo", SANDBOX_IMAGE=image)

    assert done.returncode == 0, done.stderr
    assert "The tests: passed" in done.stdout
    assert "The pull request (pushed" in done.stdout
    assert ".cursor/rules/" in done.stdout


def test_the_demo_without_an_engine_says_what_was_not_verified(repowright: Operator) -> None:
    done = repowright("demo", DOCKER_HOST="unix:///nonexistent.sock")

    assert done.returncode == 0, done.stderr
    assert "NOT VERIFIED" in done.stdout
    assert "dry run" in done.stdout
