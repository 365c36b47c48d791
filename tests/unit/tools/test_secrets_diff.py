"""The scan of a diff: added lines only, whatever they look like, at their lines in the new file."""

import subprocess
from pathlib import Path

from repowright_tools.secrets import SecretFinding, scan_diff
from support.repositories import commit_all, git, make_repository, write_files

TOKEN = "gh" + "p_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gJ6"
KEY = "-----BEGIN " + "PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"


def _diff(folder: Path, *options: str) -> str:
    return git(folder, "diff", "--text", *options, "HEAD~1", "HEAD")


def test_only_added_lines_are_findings_and_they_have_the_line_of_the_new_file(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.txt": f"old {TOKEN}\n" + "same\n" * 8 + "end\n"})
    write_files(tmp_path, {"a.txt": "same\n" * 8 + f"new {TOKEN}x\nend\n"})
    commit_all(tmp_path)

    assert scan_diff(_diff(tmp_path)) == [SecretFinding("github token", "a.txt", 9)]
    assert scan_diff(_diff(tmp_path, "--unified=0")) == [SecretFinding("github token", "a.txt", 9)]


def test_an_added_line_that_looks_like_a_header_is_still_an_added_line(tmp_path: Path) -> None:
    """K04: a hostile file must not steer the scan."""
    make_repository(tmp_path, {"a.txt": "x\n"})
    write_files(tmp_path, {"a.txt": f"x\n++ /dev/null\n@@ -0,0 +1,0 @@\ndiff --git a/n b/n\n{TOKEN}\n"})
    commit_all(tmp_path)

    assert scan_diff(_diff(tmp_path)) == [SecretFinding("github token", "a.txt", 5)]


def test_a_key_over_several_lines_and_a_file_without_final_newline_are_read(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.txt": "x"})
    write_files(tmp_path, {"a.txt": "y", "deploy/id with blank": f"\n{KEY}", "z.env": f"T={TOKEN}"})
    commit_all(tmp_path)

    assert scan_diff(_diff(tmp_path)) == [
        SecretFinding("private key", "deploy/id with blank", 2),
        SecretFinding("github token", "z.env", 1),
    ]


def test_a_file_that_git_takes_for_binary_is_read_when_the_diff_has_it(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.txt": "x\n"})
    write_files(tmp_path, {".gitattributes": "*.dat -diff\n", "b.dat": f"\x01\x02\n{TOKEN}\n"})
    commit_all(tmp_path)

    assert scan_diff(_diff(tmp_path)) == [SecretFinding("github token", "b.dat", 2)]


def test_a_secret_in_the_name_of_a_file_is_found_and_not_repeated(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.txt": "x\n"})
    write_files(tmp_path, {f"notes-{TOKEN}.txt": "nothing\n"})
    commit_all(tmp_path)

    (finding,) = scan_diff(_diff(tmp_path))

    assert finding.kind == "github token"
    assert TOKEN not in finding.path


def test_what_a_merge_adds_by_itself_is_found_in_its_combined_diff(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.txt": "1\n2\n3\n"})
    git(tmp_path, "checkout", "-q", "-b", "side")
    write_files(tmp_path, {"a.txt": "1\n2\nside\n"})
    commit_all(tmp_path)
    git(tmp_path, "checkout", "-q", "main")
    write_files(tmp_path, {"a.txt": "main\n2\n3\n"})
    commit_all(tmp_path)
    git(tmp_path, "merge", "-q", "--no-commit", "side")
    write_files(tmp_path, {"a.txt": f"main\n2\n{TOKEN}\nside\n"})
    git(tmp_path, "commit", "-q", "-a", "-m", "merge")

    combined = git(tmp_path, "show", "--cc", "--format=", "HEAD")

    assert combined.startswith("diff --cc")
    assert scan_diff(combined) == [SecretFinding("github token", "a.txt", 3)]


def test_a_lone_carriage_return_does_not_move_a_finding_to_another_line(tmp_path: Path) -> None:
    make_repository(tmp_path, {"a.txt": "x\n"})
    (tmp_path / "a.txt").write_bytes(f"x\none\rtwo\rkey = '\x1b[0m{TOKEN}'\n".encode())
    commit_all(tmp_path)
    with_returns = subprocess.run(
        ["git", "-C", tmp_path, "diff", "--text", "HEAD~1", "HEAD"], capture_output=True, check=True
    ).stdout.decode()
    assert "two\r" in with_returns

    assert scan_diff(with_returns) == [SecretFinding("github token", "a.txt", 2)]
