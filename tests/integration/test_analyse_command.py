"""repowright analyse, as an operator uses it: on a terminal, in a pipe, as JSON and as a page."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from repowright_tools.analyse_repo.models import Analysis
from support.repositories import commit_all, make_repository, write_files

FILES = {
    "shop/__init__.py": "",
    "shop/__main__.py": 'from shop.core import total\n\nif __name__ == "__main__":\n    print(total([]))\n',
    "shop/core/__init__.py": "def total(prices):\n    return sum(prices)\n",
    "tests/test_core.py": "from shop.core import total\n\n\ndef test_nothing():\n    assert total([]) == 0\n",
    "docs/größe_文.md": "# Größe\n",
    "package-lock.json": "{}\n",
    "compose.yaml": "services:\n  db:\n    image: postgres:17\n",
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\n[tool.pytest.ini_options]\ntestpaths = ["tests"]\n',
}
READ_AT_ONCE = 65_536


class Operator:
    """Runs commands in a repository that no test changes, with a home of its own."""

    def __init__(self, root: Path, repository: Path) -> None:
        self.root = root
        self.repository = repository
        self.environment = {
            "PATH": os.environ["PATH"], "REPOWRIGHT_HOME": str(root / "home"), "LLM_PROVIDER": "host",
            "PYTHONUTF8": "1", "TERM": "xterm",
        }  # fmt: skip

    def __call__(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self._command(arguments), env=self.environment | environment, cwd=self.repository,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def on_a_terminal(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """Exit code, and what a terminal of 80 columns saw on stdout and on another one on stderr."""
        (out, inner_out), (err, inner_err) = pty.openpty(), pty.openpty()
        with subprocess.Popen(
            self._command(arguments), env=self.environment | {"COLUMNS": "80"} | environment, cwd=self.repository,
            stdin=subprocess.DEVNULL, stdout=inner_out, stderr=inner_err,
        ) as process:  # fmt: skip
            os.close(inner_out)
            os.close(inner_err)
            seen = _read_all(out), _read_all(err)
        return process.returncode, *seen

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-I", "-m", "repowright_server", "analyse", *arguments]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two commits."""
    folder = tmp_path_factory.mktemp("repositories") / "shop"
    make_repository(folder, FILES)
    write_files(folder, {"shop/core/__init__.py": FILES["shop/core/__init__.py"] + "# changed\n"})
    commit_all(folder)
    return folder


@pytest.fixture
def analyse(tmp_path: Path, shop: Path) -> Operator:
    return Operator(tmp_path, shop)


def test_the_summary_tells_a_newcomer_what_there_is_in_plain_text(analyse: Operator) -> None:
    done = analyse(".", "--focus", "total of prices")

    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    titles = [line for line in done.stdout.splitlines() if re.fullmatch(r"[A-Z][\w ,()]+", line)]
    assert [title.split(" (")[0] for title in titles] == [
        "Languages", "Left out", "Commands", "Entry points", "Services", "Tests", "Hot spots", "Modules",
        "Tokens per folder", "Relevant", "Map",
    ]  # fmt: skip
    for found in (
        "lock files", "python -m pytest", "pyproject.toml:", "shop/__main__.py", "compose.yaml:", "1 test file",
        "█", "layer 1", "def total(prices)",
    ):  # fmt: skip
        assert found in done.stdout, found
    assert re.search(r"^ +\d+ +\d+  shop/core/__init__.py$", done.stdout, re.MULTILINE)


def test_a_terminal_gets_a_bar_while_it_waits_and_lines_that_fit(analyse: Operator) -> None:
    status, out, err = analyse.on_a_terminal(".", "--focus", "total of prices")
    summary = re.sub(r"\x1b\[\d+m", "", out).split("\nMap (")[0]

    assert status == 0
    assert "\x1b[1mLanguages\x1b[0m" in out
    assert max(map(len, summary.splitlines())) <= 80
    assert re.search(r"\r\x1b\[2K\w", err)
    assert err.endswith("\r\x1b[2K")


@pytest.mark.parametrize(("setting", "bar"), [({"NO_COLOR": "1"}, True), ({"TERM": "dumb"}, False)])
def test_a_terminal_that_wants_or_knows_no_colour_gets_none(
    analyse: Operator, setting: dict[str, str], bar: bool
) -> None:
    _, out, err = analyse.on_a_terminal(".", **setting)

    assert "Languages" in out
    assert "\x1b" not in out
    assert bool(err) == bar


def test_names_beyond_the_encoding_of_stdout_are_no_error(analyse: Operator) -> None:
    done = analyse(".", "--focus", "größe", PYTHONUTF8="0", PYTHONIOENCODING="latin-1", LC_ALL="C")

    assert done.returncode == 0


def test_files_and_tokens_can_be_limited_and_json_has_the_fields_of_the_contract(analyse: Operator) -> None:
    result = json.loads(analyse(".", "--json", "--exclude", "docs/", "--exclude", "*.toml", "--tokens", "256").stdout)

    assert {each["reason"]: each["count"] for each in result["files"]["excluded"]}["user_glob"] == 2
    assert result["map_tokens"] <= 256
    assert list(result) == list(Analysis.model_fields)


@pytest.mark.parametrize("arguments", [("--tokens", "1"), ("--tokens", "many"), ("--json", "--html", "x.html")])
def test_arguments_that_cannot_be_are_refused(analyse: Operator, arguments: tuple[str, ...]) -> None:
    done = analyse(".", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_stories_without_a_model_say_what_is_missing(analyse: Operator) -> None:
    done = analyse(".", "--stories")

    assert (done.returncode, done.stdout) == (2, "")
    assert "LLM_PROVIDER" in done.stderr


def test_the_page_is_written_and_named(analyse: Operator) -> None:
    file = analyse.root / "page.html"
    done = analyse(".", "--html", str(file), "--focus", "total")
    html = file.read_text(encoding="utf-8")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{file}\n", "")
    assert html.startswith("<!DOCTYPE html>")
    for part in ("languages", "modules", "commands", "services", "tests", "hot-spots", "tokens", "excluded", "map"):
        assert f'<section id="{part}"' in html, part


@pytest.mark.parametrize("place", ["folder", "missing/page.html", "link.html"])
def test_a_page_that_cannot_be_written_is_refused_before_the_work(analyse: Operator, place: str) -> None:
    (analyse.root / "folder").mkdir()
    (analyse.root / "link.html").symlink_to(analyse.root / "elsewhere")
    done = analyse(".", "--html", str(analyse.root / place))

    assert (done.returncode, done.stdout) == (2, "")
    assert place.split("/")[0] in done.stderr
    assert not (analyse.root / "home").exists()
    assert sorted(os.listdir(analyse.root)) == ["folder", "link.html"]


def test_an_analysis_that_fails_leaves_no_page(analyse: Operator) -> None:
    (analyse.root / "plain").mkdir()
    done = analyse(str(analyse.root / "plain"), "--html", str(analyse.root / "page.html"))

    assert done.returncode == 2
    assert "git init" in done.stderr
    assert not (analyse.root / "page.html").exists()


def test_other_allowed_roots_stay_allowed(analyse: Operator) -> None:
    """A clone that borrows the objects of another repository can be analysed when the operator allows that one too."""
    clone = analyse.root / "clone"
    subprocess.run(["git", "clone", "-q", "--shared", str(analyse.repository), str(clone)], check=True)
    done = analyse(str(clone), "--json", ALLOWED_ROOTS=str(analyse.repository))

    assert done.returncode == 0


def _read_all(descriptor: int) -> str:
    seen = b""
    while True:
        try:
            data = os.read(descriptor, READ_AT_ONCE)
        except OSError:  # how Linux says that nobody has the other side any more
            data = b""
        if not data:
            os.close(descriptor)
            return seen.decode().replace("\r\n", "\n")
        seen += data
