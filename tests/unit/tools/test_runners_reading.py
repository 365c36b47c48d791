"""What runners of other languages say of their tests, read from what they write."""

import io
import json
import random
import tarfile
import time
from typing import Any

import pytest

from repowright_tools.run_tests_sandboxed.junit import read_junit
from repowright_tools.run_tests_sandboxed.models import Case
from repowright_tools.run_tests_sandboxed.runners.base import Cases
from repowright_tools.run_tests_sandboxed.runners.cargo import read_cargo
from repowright_tools.run_tests_sandboxed.runners.go import read_go
from repowright_tools.run_tests_sandboxed.runners.javascript_results import read_jest, read_mocha, read_node
from repowright_tools.run_tests_sandboxed.runners.jvm import read_reports
from repowright_tools.run_tests_sandboxed.runners.unittest import read_unittest

QUICK_S = 5.0
CARGO = """\
    Finished `test` profile [unoptimized + debuginfo] target(s) in 0.82s
     Running unittests src/lib.rs (target/debug/deps/calc-c6626fb655a8d231)

running 4 tests
test tests::adds ... ok
test tests::fails ... FAILED
test tests::skipped ... ignored, slow
test tests::panics - should panic ... ok

failures:

---- tests::fails stdout ----
said why

thread 'tests::fails' (27449) panicked at src/lib.rs:7:43:
assertion `left == right` failed
  left: 2
 right: 3


failures:
    tests::fails

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.07s

error: test failed, to rerun pass `--lib`
     Running tests/outer.rs (target/debug/deps/outer-62ba10cc882ff7c4)

running 2 tests
test other ... ok
error: test failed, to rerun pass `--test outer`

Caused by:
  process didn't exit successfully: `/work/repo/target/debug/deps/outer-62ba10cc882ff7c4` (signal: 6)
   Doc-tests calc

running 1 test
test src/lib.rs - add (line 1) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.09s

error: 2 targets failed:
    `--lib`
    `--test outer`
"""
JEST: dict[str, Any] = {
    "numFailedTests": 1,
    "testResults": [
        {
            "name": "/work/repo/src/calc.test.js",
            "status": "failed",
            "message": "",
            "assertionResults": [
                {"ancestorTitles": ["calc", "deep"], "title": "adds", "status": "passed", "duration": 12},
                {"ancestorTitles": [], "title": "fails", "status": "failed", "failureMessages": ["Error: said why"]},
                {"ancestorTitles": [], "title": "later", "status": "todo", "duration": None},
                {"ancestorTitles": [], "title": "left out", "status": "pending"},
            ],
        },
        {"name": "/work/repo/src/broken.test.js", "status": "failed", "message": "SyntaxError", "assertionResults": []},
    ],
}
_ADDS: dict[str, Any] = {
    "title": "adds",
    "fullTitle": "calc adds",
    "file": "/work/repo/test/calc.js",
    "duration": 1,
    "err": {},
}
_LATER: dict[str, Any] = {"title": "later", "fullTitle": "calc later", "file": "/work/repo/test/calc.js", "err": {}}
_FAILS = {"fullTitle": "calc fails", "file": "/work/repo/test/calc.js", "err": {"stack": "Error: said why"}}
_HOOK = {"fullTitle": 'calc "before each" hook', "file": "/work/repo/test/calc.js", "err": {"message": "said why"}}
MOCHA: dict[str, Any] = {
    "tests": [_ADDS, _LATER, _FAILS, _ADDS],
    "passes": [_ADDS, _ADDS],
    "pending": [_LATER],
    "failures": [_FAILS, _HOOK],
}


def outcomes(cases: list[Case] | None) -> dict[str, str]:
    assert cases is not None
    return {case.id: case.outcome for case in cases}


def test_cargo_names_tests_by_their_target_and_a_target_that_broke_off_by_itself() -> None:
    cases = read_cargo(CARGO.encode())
    assert outcomes(cases) == {
        "src/lib.rs::tests::adds": "passed",
        "src/lib.rs::tests::fails": "failed",
        "src/lib.rs::tests::skipped": "skipped",
        "src/lib.rs::tests::panics": "passed",
        "tests/outer.rs::other": "passed",
        "tests/outer.rs": "error",
        "doc-tests calc::src/lib.rs - add": "passed",
    }
    messages = {case.id: case.message or "" for case in cases or []}
    assert "said why" in messages["src/lib.rs::tests::fails"]


def test_a_cargo_test_is_the_same_one_when_lines_above_it_move() -> None:
    moved = CARGO.replace("(line 1)", "(line 120)")
    assert outcomes(read_cargo(moved.encode())) == outcomes(read_cargo(CARGO.encode()))


def test_a_go_package_that_breaks_and_a_test_that_never_ends_are_failures() -> None:
    events = [
        {"Action": "run", "Package": "p", "Test": "TestA"},
        {"Action": "pass", "Package": "p", "Test": "TestA", "Elapsed": 0.25},
        {"Action": "run", "Package": "p", "Test": "TestB"},
        {"Action": "output", "Package": "p", "Test": "TestB", "Output": "panic: said why\n"},
        {"Action": "fail", "Package": "p", "Elapsed": 1},
        {"Action": "output", "Package": "q", "Output": "no such import\n"},
        {"Action": "fail", "Package": "q"},
        {"Action": "skip", "Package": "without-tests"},
    ]
    data = "".join(json.dumps(event) + "\n" for event in events) + "FAIL\tr [build failed]\n"
    cases = read_go(data.encode())
    assert outcomes(cases) == {"p::TestA": "passed", "p::TestB": "failed", "q": "error", "r": "error"}
    assert cases is not None
    assert cases[0].duration_s == 0.25
    assert "said why" in (cases[1].message or "")


def test_jest_and_vitest_name_tests_by_file_suites_and_title() -> None:
    assert outcomes(read_jest(json.dumps(JEST).encode())) == {
        "src/calc.test.js::calc::deep::adds": "passed",
        "src/calc.test.js::fails": "failed",
        "src/calc.test.js::later": "skipped",
        "src/calc.test.js::left out": "skipped",
        "src/broken.test.js": "error",
    }


@pytest.mark.parametrize(
    ("status", "message", "tests", "expected"),
    [
        ("failed", "afterAll: said why", ["passed"], "error"),
        ("passed", "said why", ["passed"], "error"),
        ("failed", "a test failed", ["failed"], None),
        ("failed", "a test failed\n\n  Test suite failed to run\n", ["failed"], "error"),
        ("passed", "", ["passed"], None),
        ("failed", "SyntaxError", [], "error"),
    ],
)
def test_a_file_that_fails_beside_its_tests_is_an_error(
    status: str, message: str, tests: list[str], expected: str | None
) -> None:
    told = [{"title": str(number), "status": one} for number, one in enumerate(tests)]
    suite = {"name": "/work/repo/a.js", "status": status, "message": message, "assertionResults": told}
    assert outcomes(read_jest(json.dumps({"testResults": [suite]}).encode())).get("a.js") == expected


def test_a_mocha_test_among_the_failures_has_failed_whatever_it_threw() -> None:
    bare: dict[str, Any] = {"fullTitle": "a", "err": {}}
    said: dict[str, Any] = {"fullTitle": "a", "err": {"message": "said why"}}
    for tests, failures, expected in (
        ([bare], [bare], {"a": "failed"}),
        ([bare, said], [said], {"a": "passed", "a #2": "failed"}),
        ([bare, said], [bare, said], {"a": "failed", "a #2": "failed"}),
        ([bare], [bare, bare], {"a": "failed", "a #2": "error"}),
    ):
        assert outcomes(read_mocha(json.dumps({"tests": tests, "failures": failures}).encode())) == expected


def test_mocha_names_tests_by_file_and_title() -> None:
    assert outcomes(read_mocha(json.dumps(MOCHA).encode())) == {
        "test/calc.js::calc adds": "passed",
        "test/calc.js::calc later": "skipped",
        "test/calc.js::calc fails": "failed",
        "test/calc.js::calc adds #2": "passed",
        'test/calc.js::calc "before each" hook': "error",
    }


def archive(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for entry, data in entries:
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, to: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, to
    return made


def test_reports_of_all_classes_are_read_and_links_among_them_are_not() -> None:
    one = b'<testsuite><testcase classname="org.example.ATest" name="adds" time="0.1"/></testsuite>'
    two = b'<testsuite><testcase classname="org.example.BTest" name="fails"><failure/></testcase></testsuite>'
    data = archive(
        (entry("./target/surefire-reports/TEST-A.xml"), one),
        (entry("link.xml", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (entry("../../outside.xml"), two),
        (entry("bad.xml"), b"<testsuite><"),
    )
    assert outcomes(read_reports(data, [])) == {
        "org.example.ATest::adds": "passed",
        "org.example.BTest::fails": "failed",
    }


def test_unittest_is_read_line_by_line_and_nonsense_is_passed_over() -> None:
    lines = [
        json.dumps(["pkg.test_a.Case.test_one", "passed", 0.5, ""]),
        json.dumps(["pkg.test_a.Case.test_one", "failed", 0.5, "said why"]),
        json.dumps(["pkg.test_a.Case.test_two", "perfect", 0.5, ""]),
        json.dumps({"not": "a list"}),
        "{",
        json.dumps(["unittest.loader._FailedTest.pkg.test_b", "error", 0.0, "ImportError"]),
    ]
    found = outcomes(read_unittest("\n".join(lines).encode(), ["pkg/test_a.py", "pkg/test_b.py"]))
    assert found == {"pkg/test_a.py::Case::test_one": "failed", "pkg/test_b.py": "error"}


def test_nothing_said_is_no_result() -> None:
    assert read_cargo(b"error: could not compile\n") is None
    assert read_go(b"go: cannot find main module\n") is None
    assert read_jest(b"[]") is None
    assert read_mocha(b"null") is None
    assert read_reports(b"no archive", []) is None


DEEP = b"[" * 200_000
HOSTILE = [
    b"",
    b"\xff\xfe\x00",
    DEEP,
    b'{"a":' * 100_000,
    (b"test " + b" ... " * 50_000 + b"\n") * 20,
    b"running 999999999999999999999999999 tests\n" * 1000,
    b"FAIL\t" + b"x" * 1_000_000,
    b'{"Action":"fail","Package":["x"],"Test":{"a":1},"Elapsed":"NaN"}\n' * 1000,
    b'{"Action":"pass","Package":"p","Test":"t","Elapsed":NaN}\n',
    b'{"type":"pass","nesting":1e999,"name":null}\n{"type":"pass","nesting":-1,"name":"x"}\n',
    b'{"type":"start","nesting":40,"name":"x"}\n{"type":"pass","nesting":40,"name":"x","ms":Infinity}\n',
    b'{"testResults":[null,1,{"name":null,"assertionResults":{"a":1}},{"assertionResults":[{"ancestorTitles":7}]}]}',
    b'{"tests":[],"passes":{"a":1},"failures":[{"err":7}],"pending":"x"}',
    b'["a","passed",1e999,""]\n["a","passed",0.0,"\\ud800"]\n',
]


def all_cases(data: bytes) -> list[Case]:
    """What every reader makes of the same bytes."""
    found = (
        read_cargo(data),
        read_go(data),
        read_node(data, []),
        read_jest(data),
        read_mocha(data),
        read_reports(archive((entry("TEST-A.xml"), data)), []),
        read_junit(data, []),
        read_unittest(data, []),
    )
    return [case for cases in found for case in cases or []]


def all_safe(cases: list[Case]) -> bool:
    return all(0 <= case.duration_s <= 86_400 and len(case.id) <= 500 and case.model_dump_json() for case in cases)


@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_what_hostile_code_writes_never_breaks_a_reader(data: bytes) -> None:
    started = time.monotonic()
    assert all_safe(all_cases(data))
    assert time.monotonic() - started < QUICK_S


ATOMS = [
    "0",
    "-1",
    "1e999",
    "NaN",
    "-Infinity",
    "1" + "0" * 400,
    "1" * 5_000,
    '"\\ud800"',
    '"\\udfffx"',
    '"x"',
    '"passed"',
    "null",
    "true",
    "[]",
    "{}",
    '["\\ud800"]',
    '{"stack": "\\udc00"}',
    "[" * 900 + "]" * 900,
    '{"a":' * 400 + "1" + "}" * 400,
]
SHAPES = [
    '{"Action": %s, "Package": %s, "Test": %s, "Elapsed": %s, "Output": %s}',
    '{"Action": "fail", "Package": %s, "Test": %s, "Elapsed": %s, "Output": %s, "x": %s}',
    '{"type": "fail", "nesting": 0, "name": %s, "file": %s, "ms": %s, "message": %s, "suite": %s}',
    '{"type": %s, "nesting": %s, "name": %s, "ms": %s, "skip": %s}',
    '{"testResults": [{"name": %s, "assertionResults": [{"title": %s, "status": %s, "duration": %s}]}], "x": %s}',
    '{"testResults": [{"assertionResults": [{"failureMessages": [%s, %s], "ancestorTitles": %s}, %s]}], "x": %s}',
    '{"testResults": [{"name": %s, "status": "failed", "message": %s, "assertionResults": [{"title": %s}, %s, %s]}]}',
    '{"tests": [{"fullTitle": %s, "file": %s, "duration": %s, "err": %s}], "pending": %s}',
    '{"tests": %s, "failures": [{"fullTitle": %s, "err": {"stack": %s, "message": %s}}, %s]}',
    "[%s, %s, %s, %s, %s]",
    '[%s, "failed", 1.5, %s]\n[%s, %s, %s]',
    '<testsuite><testcase classname="A" name="t" time=%s><failure message=%s>%s %s %s</failure></testcase></testsuite>',
    "     Running %s (x)\nrunning %s tests\ntest %s ... ok <%s>\ntest a ... ok <9999999999999.9s>\n%s",
]


@pytest.mark.parametrize("shape", SHAPES, ids=range(len(SHAPES)))
def test_no_value_at_any_place_breaks_a_reader(shape: str) -> None:
    pick = random.Random(shape)
    for _ in range(150):
        data = (shape % tuple(pick.choice(ATOMS) for _ in range(shape.count("%s")))).encode()
        assert all_safe(all_cases(data)), data


def test_half_a_character_leaves_the_rest_of_a_name_and_a_message() -> None:
    told = {"title": "a\ud800b", "status": "failed", "failureMessages": ["said \udfff why"], "duration": 10**400}
    [case] = read_jest(json.dumps({"testResults": [{"name": "a.js", "assertionResults": [told]}]}).encode()) or []
    assert (case.id, case.message, case.duration_s) == ("a.js::a?b", "said ? why", 0.0)


class Counted(dict[str, Case]):
    """Counts how often it is asked for a name."""

    asked = 0

    def __contains__(self, name: object) -> bool:
        self.asked += 1
        return super().__contains__(name)


@pytest.mark.parametrize("start", [0, 490, 497, 600])
def test_names_that_differ_only_where_they_are_cut_take_no_more_than_others(start: int) -> None:
    cases = Cases()
    cases._found = looked_up = Counted()  # pyright: ignore[reportPrivateUsage] - what is counted
    for number in range(2_000):
        cases.add_apart("x" * start + str(number), "passed")
    assert len(cases.all()) == 2_000
    assert all(len(case.id) <= 500 for case in cases.all())
    assert looked_up.asked < 3 * 2_000


def test_more_tests_than_are_read_are_an_error() -> None:
    cases = Cases()
    for number in range(100_001):
        cases.add(str(number), "passed")
    assert [case.outcome for case in cases.all()[-2:]] == ["passed", "error"]


def test_results_are_bounded_and_free_of_secrets_and_terminal_sequences() -> None:
    token = "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gJ6"
    event = {"Action": "fail", "Package": "p", "Test": f"T\x1b[2J{token}" + "x" * 10_000, "Elapsed": 1e300}
    [case] = read_go(json.dumps(event).encode()) or []
    assert len(case.id) <= 500
    assert token not in case.id
    assert "\x1b" not in case.id
    assert case.duration_s == 86_400


def test_tests_of_one_name_are_told_apart_in_the_order_they_ran() -> None:
    cases = Cases()
    for outcome in ("passed", "failed", "passed"):
        cases.add_apart("a.js::adds", outcome)
    cases.add_apart("x" * 600, "passed")
    cases.add_apart("x" * 600, "failed")
    assert list(outcomes(cases.all()).values()) == ["passed", "failed", "passed", "passed", "failed"]
    assert [case.id for case in cases.all()][:3] == ["a.js::adds", "a.js::adds #2", "a.js::adds #3"]
    assert all(len(case.id) <= 500 for case in cases.all())
