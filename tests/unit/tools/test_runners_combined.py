"""Several commands as one: what each of them ends with counts, whether it reports tests or not."""

import json
import subprocess
from pathlib import Path

import pytest

from repowright_tools.run_tests_sandboxed.models import Case
from repowright_tools.run_tests_sandboxed.runners.base import Reporting
from repowright_tools.run_tests_sandboxed.runners.combined import Part, in_folder, in_sequence, of_packages
from repowright_tools.run_tests_sandboxed.runners.javascript import javascript_reporting
from repowright_tools.run_tests_sandboxed.runners.javascript_results import read_jest
from repowright_tools.sandbox.base import OUT

PASSES = {"testResults": [{"name": "a.js", "assertionResults": [{"title": "t", "status": "passed"}]}]}
SKIPS = {"testResults": [{"name": "a.js", "assertionResults": [{"title": "t", "status": "pending"}]}]}
FAILS = {"testResults": [{"name": "a.js", "assertionResults": [{"title": "t", "status": "failed"}]}]}


def runner(line: str = "jest") -> Reporting:
    return Reporting(line, ("jest.json",), lambda files, _paths: read_jest(files.get("jest.json", b"")), foreign=True)


def outcomes(cases: list[Case] | None) -> dict[str, str] | None:
    return None if cases is None else {case.id: case.outcome for case in cases}


def read(made: Reporting | None, result: object, codes: str, number: int = 0) -> dict[str, str] | None:
    assert made is not None
    files = {f"{number}-jest.json": json.dumps(result).encode(), "codes.txt": codes.encode()}
    return outcomes(made.read(files, []))


def ran(made: Reporting | None, folder: Path) -> tuple[int, dict[str, bytes]]:
    """Runs the line, which is this test's own and starts nothing but `sh`, with `OUT` at another place."""
    assert made is not None
    out = folder / "out"
    out.mkdir()
    line = made.line.replace(OUT, str(out))
    code = subprocess.run(["sh", "-c", line], cwd=folder, check=False, timeout=20).returncode
    return code, {path.name: path.read_bytes() for path in out.iterdir()}


def test_a_command_without_a_report_is_a_case_by_its_exit_code() -> None:
    made = in_sequence([Part("jest", runner()), Part("node smoke.js", None)])
    assert read(made, PASSES, "0 0\n1 0\n") == {"a.js::t": "passed", "node smoke.js": "passed"}
    assert read(made, PASSES, "0 0\n1 1\n") == {"a.js::t": "passed", "node smoke.js": "failed"}
    assert read(made, PASSES, "0 0\n") == {"a.js::t": "passed", "node smoke.js": "failed"}
    assert read(made, FAILS, "0 1\n") == {"a.js::t": "failed", "node smoke.js": "skipped"}


def test_a_package_whose_script_does_not_report_is_a_case_by_its_exit_code() -> None:
    check = in_folder(Reporting("node check.js", (), lambda _files, _paths: None), "packages/b")
    made = of_packages(
        [Part("jest", runner(), "packages/a: jest"), Part(check.line, None, "packages/b: node check.js")]
    )
    assert read(made, FAILS, "0 1\n1 3\n") == {"a.js::t": "failed", "packages/b: node check.js": "failed"}
    assert read(made, FAILS, "0 1\n1 0\n") == {"a.js::t": "failed", "packages/b: node check.js": "passed"}


def test_a_runner_that_fails_although_no_test_of_it_does_is_an_error() -> None:
    made = of_packages([Part("jest", runner()), Part("jest", runner())])
    assert made is not None
    files = {name: json.dumps(PASSES).encode() for name in ("0-jest.json", "1-jest.json")}
    found = outcomes(made.read({**files, "codes.txt": b"0 0\n1 1\n"}, []))
    assert found == {"a.js::t": "passed", "a.js::t #2": "passed", "test command 2": "error"}


def test_what_ends_well_without_tests_proves_nothing() -> None:
    made = in_sequence([Part("tsc", None), Part("jest", runner())])
    assert read(made, {"testResults": []}, "0 0\n1 0\n", 1) is None
    assert read(made, SKIPS, "0 0\n1 0\n", 1) == {"a.js::t": "skipped"}


@pytest.mark.parametrize("codes", ["", "x", "0 0\n1 99999\n", "\0" * 100, "1 1\n1 0\n"])
def test_an_end_that_is_told_of_wrongly_is_no_good_end(codes: str) -> None:
    made = in_sequence([Part("jest", runner()), Part("node smoke.js", None)])
    assert "passed" not in [outcome for name, outcome in (read(made, PASSES, codes) or {}).items() if "smoke" in name]


def test_the_ends_of_all_commands_are_kept_and_what_they_set_is_there_for_the_next(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    reports = runner(f"printf '%s' '{json.dumps(PASSES)}' >{OUT}/jest.json")
    lines = ["cd sub", "X=7", "jest", 'test "$X" = 7', "test -e nothing >log 2>&1"]
    made = in_sequence([Part(line, reports if line == "jest" else None) for line in lines])
    code, files = ran(made, tmp_path)
    assert (tmp_path / "sub/log").exists()
    assert code == 1
    assert made is not None
    assert outcomes(made.read(files, [])) == {
        "a.js::t": "passed",
        "X=7": "passed",
        'test "$X" = 7': "passed",
        "test -e nothing >log 2>&1": "failed",
    }


def test_a_failing_package_keeps_no_other_from_being_tested(tmp_path: Path) -> None:
    reports = runner(f"printf '%s' '{json.dumps(PASSES)}' >{OUT}/jest.json")
    made = of_packages([Part("exit 3", None, "a: exit 3"), Part("jest", reports, "b"), Part("true; true", None, "c")])
    code, files = ran(made, tmp_path)
    assert code == 3
    assert made is not None
    assert outcomes(made.read(files, [])) == {"a.js::t": "passed", "a: exit 3": "failed", "c": "passed"}


def test_commands_that_are_several_themselves_keep_their_ends_apart(tmp_path: Path) -> None:
    reports = runner(f"printf '%s' '{json.dumps(PASSES)}' >{OUT}/jest.json")
    inner = of_packages([Part("jest", reports), Part("false", None, "b: false")])
    assert inner is not None
    middle = in_sequence([Part("true", None), Part("npm run inner", inner)])
    more = [Part("true", None, "c: true"), Part("npm run middle", middle), Part("true", None, "d: true")]
    made = of_packages([Part("jest", reports), *more])
    code, files = ran(made, tmp_path)
    assert code == 1
    assert made is not None
    assert set(made.collect) == {*files}
    found = outcomes(made.read(files, []))
    assert found == {
        "a.js::t": "passed",
        "a.js::t #2": "passed",
        "b: false": "failed",
        "true": "passed",
        "c: true": "passed",
        "d: true": "passed",
    }


@pytest.mark.parametrize(
    "line", ["if true && jest && true; then exit 4; fi", "echo 'a && jest && node x && b'", "(true && jest && exit 4)"]
)
def test_what_is_half_of_something_else_stays_as_it_is(line: str, tmp_path: Path) -> None:
    pieces = [piece.strip() for piece in line.split("&&")]
    made = in_sequence([Part(piece, runner("true") if piece == "jest" else None) for piece in pieces])
    code, _files = ran(made, tmp_path)
    assert code == (0 if line.startswith("echo") else 4)


def test_more_than_one_run_can_hold_is_not_made_to_report() -> None:
    few, many = [Part("jest", runner())] * 60, [Part("jest", runner())] * 140
    assert of_packages(few) is not None
    assert of_packages(many) is None
    inner = of_packages(few)
    assert of_packages([Part("npm test", inner)] * 3) is None
    assert in_sequence([Part("jest", runner("jest " + "x" * 200_000))]) is None
    assert in_sequence([Part("jest", runner()), Part("echo " + "x" * 200_000, None)]) is None


def test_each_of_many_packages_can_be_made_to_report() -> None:
    node = javascript_reporting(["node", "--test"])
    assert node is not None
    one = in_sequence([Part("tsc", None), Part("node --test", node)])
    assert one is not None
    made = of_packages([Part("", in_folder(one, f"packages/number-{number}")) for number in range(60)])
    assert made is not None
    assert sum(name.endswith("node.jsonl") for name in made.collect) == 60
