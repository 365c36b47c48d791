"""What a change is held against: only what it brings in counts."""

from pathlib import Path

import pytest

from repowright_tools.generate_code.checks import run_checks
from repowright_tools.generate_code.edits import Changes
from repowright_tools.models import CheckRun

pytestmark = pytest.mark.anyio
BROKEN = {
    "a.py": "def f(:\n",
    "a.js": "function f( {\n",
    "a.ts": "const x: = 1;\n",
    "a.tsx": "const x = <div>;\n",
    "a.go": "package a\nfunc f( {\n",
    "a.rs": "fn f( {\n",
    "A.java": "class A { void f( { }\n",
    "a.toml": "a = [1\n",
    "A.JSON": '{"a": 1,}\n',
}
SOUND = {
    "a.py": "def f():\n    return 1\n",
    "a.js": "function f() {}\n",
    "a.ts": "const x: number = 1;\n",
    "a.tsx": "const x = <div></div>;\n",
    "a.go": "package a\n\nfunc f() {}\n",
    "a.rs": "fn f() {}\n",
    "A.java": "class A { void f() { } }\n",
    "a.toml": "a = [1]\n",
    "A.JSON": '\ufeff{"a": 1}\n',
}


async def checked(path: str, before: str | None, after: str) -> dict[str, CheckRun]:
    was = None if before is None else before.encode()
    return {check.name: check for check in await run_checks(Changes(files={path: after.encode()}, before={path: was}))}


@pytest.mark.parametrize("path", BROKEN)
async def test_a_file_that_parsed_must_parse_after_and_a_new_one_must_parse(path: str) -> None:
    for before in (SOUND[path], None):
        found = (await checked(path, before, BROKEN[path]))["syntax"]
        assert (found.status, [finding.path for finding in found.findings]) == ("failed", [path])
        assert (await checked(path, before, SOUND[path]))["syntax"].status == "passed"


@pytest.mark.parametrize("path", BROKEN)
async def test_a_file_that_was_broken_before_may_stay_so(path: str) -> None:
    assert (await checked(path, BROKEN[path], BROKEN[path] + "\n"))["syntax"].status == "passed"


@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("a.toml", "a = 1\nb = \n", 2),
        ("a.toml", "a = 1\nb = [\n", 3),
        ("a.toml", "a = " + "[" * 100_000, 1),
        ("a.json", '{\n  "a": 1\n  "b": 2\n}\n', 3),
        ("a.json", "", 1),
        ("a.json", "[NaN]", 1),
        ("a.json", "[" * 100_000, 1),
        ("a.json", "9" * 5_000, 1),
    ],
    ids=lambda value: repr(value)[:20],
)
async def test_what_is_wrong_with_a_data_file_is_told_with_its_line(path: str, text: str, line: int) -> None:
    """G08: neither depth nor length of what a model writes ends the parser instead."""
    (found,) = (await checked(path, None, text))["syntax"].findings

    assert (found.code, found.line) == ("syntax_error", line)


async def test_an_undefined_name_that_the_change_brings_in_is_found_with_its_line() -> None:
    found = (await checked("a.py", "x = 1\n", "x = 1\nprint(missing)\n"))["ruff"]
    assert [(one.code, one.line) for one in found.findings] == [("F821", 2)]
    assert (await checked("a.py", "print(missing)\n", "\nprint(missing)\n"))["ruff"].status == "passed"
    twice = (await checked("a.py", "print(missing)\n", "print(missing)\nprint(missing)\n"))["ruff"]
    assert len(twice.findings) == 1


async def test_neither_a_comment_nor_a_configuration_of_the_repository_silences_ruff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ruff.toml").write_text('[lint]\nignore = ["F821"]\n')
    monkeypatch.chdir(tmp_path)
    for text in ("print(missing)  # noqa\n", "# ruff: noqa\nprint(missing)\n"):
        assert (await checked("a.py", None, text))["ruff"].status == "failed"


async def test_a_secret_that_the_change_brings_in_is_found_and_not_repeated() -> None:
    """K04."""
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    found = (await checked("a.txt", "x\n", f"x\ntoken = {token}\n"))["secrets"]
    assert [(one.code, one.line) for one in found.findings] == [("secret", 2)]
    assert token not in found.model_dump_json()
    assert (await checked("a.txt", f"{token}\n", f"x\n{token}\n"))["secrets"].status == "passed"


async def test_what_no_check_knows_is_skipped() -> None:
    found = await checked("a.txt", None, "text\n")
    assert (found["syntax"].status, found["ruff"].status, found["secrets"].status) == ("skipped", "skipped", "passed")
