"""What goes into a box and what is taken out of it."""

import io
import tarfile
import tracemalloc

import pytest

from repowright_tools.errors import SandboxBroken, WorkspaceTooLarge
from repowright_tools.git.tree import TreeFile
from repowright_tools.sandbox.archive import pack, unpack_file
from repowright_tools.sandbox.output import HeadTail, clean


def test_files_go_in_with_their_modes_as_nobodys_and_links_stay_links() -> None:
    files = [
        TreeFile("a/b.txt", 0o100644, b"text"),
        TreeFile("run", 0o100755, b"#!"),
        TreeFile("link", 0o120000, b"/etc/passwd"),
    ]
    with tarfile.open(fileobj=pack("repo", files, max_bytes=100, beside=["out"])) as archive:
        entries = {entry.name: entry for entry in archive.getmembers()}
    assert list(entries) == ["repo", "out", "repo/a", "repo/a/b.txt", "repo/run", "repo/link"]
    assert {(entry.uid, entry.gid) for entry in entries.values()} == {(65534, 65534)}
    assert (entries["repo/a/b.txt"].mode, entries["repo/run"].mode) == (0o644, 0o755)
    assert (entries["repo/link"].issym(), entries["repo/link"].linkname) == (True, "/etc/passwd")


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a//b", "", "a\0b", "./x"])
def test_a_file_that_would_land_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(SandboxBroken):
        pack("repo", [TreeFile(path, 0o100644, b"")], max_bytes=100)


def test_more_than_the_box_takes_is_refused() -> None:
    with pytest.raises(WorkspaceTooLarge):
        pack("repo", [TreeFile("a", 0o100644, b"12345")], max_bytes=4)


def _tar(*entries: tuple[tarfile.TarInfo, bytes]) -> list[bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for entry, data in entries:
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    whole = buffer.getvalue()
    return [whole[start : start + 1000] for start in range(0, len(whole), 1000)]


def _special(kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    entry = tarfile.TarInfo("report")
    entry.type, entry.linkname = kind, "/etc/passwd"
    return entry, b""


def test_one_plain_file_is_taken_out() -> None:
    assert unpack_file(_tar((tarfile.TarInfo("report"), b"content")), max_bytes=100) == b"content"


@pytest.mark.parametrize(
    "chunks",
    [
        _tar(_special(tarfile.SYMTYPE)),
        _tar(_special(tarfile.LNKTYPE)),
        _tar(_special(tarfile.FIFOTYPE)),
        _tar(_special(tarfile.CHRTYPE)),
        _tar(_special(tarfile.DIRTYPE)),
        _tar((tarfile.TarInfo("a"), b"1"), (tarfile.TarInfo("b"), b"2")),
        _tar((tarfile.TarInfo("a"), bytes(101))),
        [b"\0" * 1000] * 1000,
        [b"no archive"],
        [],
    ],
)
def test_anything_but_one_plain_file_of_the_right_size_is_not_taken(chunks: list[bytes]) -> None:
    assert unpack_file(chunks, max_bytes=100) is None


def test_a_long_output_keeps_its_head_and_tail_in_bounded_memory() -> None:
    """S10"""
    tracemalloc.start()
    kept = HeadTail(1000)
    kept.add(b"first" + b"." * 995)
    chunk = b"x" * 32_768
    for _ in range(1000):
        kept.add(chunk)
    kept.add(b"last")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    text = kept.text()
    assert text.startswith("first")
    assert text.endswith("last")
    assert f"[... {5 + 995 + 32_768_000 + 4 - 1000} bytes left out ...]" in text
    assert peak < 1_000_000


def test_a_short_output_is_kept_as_it_is() -> None:
    kept = HeadTail(10)
    kept.add(b"12345")
    kept.add(b"67890")
    assert (kept.text(), kept.left_out) == ("1234567890", 0)


def test_output_is_valid_text_that_no_terminal_obeys() -> None:
    """S22"""
    assert clean(b"a\xff\x1b[31mred\x1b[0m\r\nb\rc\x07\xe2\x80\xaed") == "a\ufffdred\nb\ncd"
