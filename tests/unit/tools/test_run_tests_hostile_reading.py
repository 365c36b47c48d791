"""What hostile code writes for us to read costs little, and means no more than it says."""

import time
import zlib
from base64 import b85encode
from hashlib import sha1
from pathlib import Path

import pytest

from repowright_tools.errors import PatchRejected
from repowright_tools.git.tree import TreeFile
from repowright_tools.run_tests_sandboxed.junit import read_junit
from repowright_tools.run_tests_sandboxed.patch import apply_patch
from repowright_tools.run_tests_sandboxed.python_project import metadata_requirements, read_python_project

TOKEN = "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gJ6"
QUICK_S = 3.0


def test_metadata_with_endless_blanks_is_read_at_once() -> None:
    started = time.monotonic()
    line = f"Requires-Dist: a{' ' * 100_000}; extra == 'test'\n"
    assert metadata_requirements(f"Provides-Extra: test\n{line * 5}") == ["a"] * 5
    assert time.monotonic() - started < QUICK_S


def test_a_requirement_in_metadata_is_never_an_option_nor_endless() -> None:
    metadata = (
        f"Requires-Dist: --index-url https://elsewhere.example\nRequires-Dist: -e x\nRequires-Dist: {'a' * 5000}\n"
    )
    assert metadata_requirements(metadata + "Requires-Dist: attrs\n") == ["attrs"]


def test_a_lock_file_beyond_all_measure_is_not_read() -> None:
    entry = b'[[package]]\nname="a"\nversion="1"\n'
    small = read_python_project({"a.py": b"", "uv.lock": entry})
    large = read_python_project({"a.py": b"", "uv.lock": entry + b"#" * 9 * 1024 * 1024})
    assert small is not None
    assert large is not None
    assert (small.constraints, large.constraints) == (("a==1",), ())


def test_an_installation_gets_requirement_files_and_nothing_else_of_the_repository() -> None:
    """K01: it has network, and runs what the requirements name."""
    files = {"a.py": b"", "requirements.txt": b"-r more.in\n-c keys/prod.yaml\n-r a.py\n", "more.in": b"attrs\n"}
    project = read_python_project({**files, "keys/prod.yaml": b"key: canary\n"})
    assert project is not None
    assert sorted(project.files) == ["more.in", "requirements.txt"]


def test_deep_class_names_and_many_cases_are_read_at_once() -> None:
    paths = {f"pkg{number}/sub/test_{number}.py" for number in range(5_000)}
    deep = f'<testcase classname="{"a." * 200_000}" name="x"/>'
    many = '<testcase classname="sub.test_7.Case" name="y" time="inf"/>' * 10_000
    started = time.monotonic()
    cases = read_junit(f"<testsuites><testsuite>{deep}{many}</testsuite></testsuites>".encode(), paths)
    assert time.monotonic() - started < QUICK_S
    assert cases is not None
    assert cases[1].id == "pkg7/sub/test_7.py::Case::y"
    assert cases[1].duration_s < 1e6


def test_suites_within_suites_without_end_are_no_report() -> None:
    depth = 20_000
    assert not read_junit(b"<testsuites>" + b"<testsuite>" * depth + b"</testsuite>" * depth + b"</testsuites>", set())


def test_a_secret_in_the_name_of_a_test_is_hidden() -> None:
    report = f'<testsuites><testsuite><testcase classname="test_a" name="test_x[{TOKEN}]"/></testsuite></testsuites>'
    assert TOKEN not in str(read_junit(report.encode(), {"test_a.py"}))


@pytest.mark.anyio
@pytest.mark.parametrize("lines", ["-1,2 +1,2", "-1,7 +1,9"])
async def test_a_patch_of_several_files_needs_no_lines_of_git_and_no_right_counts(tmp_path: Path, lines: str) -> None:
    old = b"-- a/x\none\n"
    patch = "".join(f"--- a/{name}\n+++ b/{name}\n@@ {lines} @@\n -- a/x\n-one\n+two {name}\n" for name in "xy")
    files = await apply_patch([TreeFile(name, 0o100644, old) for name in "xy"], patch, tmp_path, max_bytes=2**22)
    assert [file.data for file in files] == [b"-- a/x\ntwo x\n", b"-- a/x\ntwo y\n"]


@pytest.mark.anyio
async def test_a_small_patch_for_a_huge_file_is_refused_before_it_takes_the_memory(tmp_path: Path) -> None:
    old = b"x" * 2**20
    copies = 2_000  # of the whole old file: 2 GB
    delta = varint(len(old)) + varint(copies * len(old)) + b"\xf0\x00\x00\x10" * copies
    name = sha1(b"blob %d\0" % len(old) + old, usedforsecurity=False).hexdigest()
    patch = (
        f"diff --git a/x b/x\nindex {name}..{'1' * 40} 100644\n"
        f"GIT binary patch\ndelta {len(delta)}\n{encoded(zlib.compress(delta))}\n\n"
    )
    with pytest.raises(PatchRejected, match="memory"):
        await apply_patch([TreeFile("x", 0o100644, old)], patch, tmp_path, max_bytes=2**22)


def varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80]) + varint(number >> 7) if number > 0x7F else bytes([number])


def encoded(data: bytes) -> str:
    """As in a binary patch of git: lines of at most 52 bytes, their length first."""
    pieces = [data[at : at + 52] for at in range(0, len(data), 52)]
    return "\n".join(
        chr(len(piece) + (64 if len(piece) <= 26 else 70)) + b85encode(piece + bytes(-len(piece) % 4)).decode()
        for piece in pieces
    )
