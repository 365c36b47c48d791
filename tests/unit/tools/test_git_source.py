"""How the spelling of a source is judged, before anything is read, started or requested."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import repowright_tools.git
from repowright_tools.errors import (
    HostNotAllowed,
    InvalidArguments,
    InvalidRef,
    PathNotAbsolute,
    PathNotAllowed,
    PathNotFound,
    UrlNotAllowed,
)
from repowright_tools.git.policy import SourcePolicy
from repowright_tools.git.source import parse_source


def policy(*roots: Path, hosts: tuple[str, ...] = ("github.com",), forge: str = "https://github.com") -> SourcePolicy:
    host = forge.partition("://")[2].partition("/")[0]
    return SourcePolicy(roots, hosts, forge_host=host, forge_url=forge, token=None, max_bytes=1_000_000)


@pytest.mark.parametrize(
    "source",
    [
        "ext::sh -c touch% /tmp/x",
        "ext::https://github.com/a/b",
        "fd::17/foo",
        "file:///etc",
        "FILE:///etc",
        "-x",
        "--upload-pack=touch /tmp/x",
        "ssh://-oProxyCommand=touch/x",
        "ssh://git@github.com/a/b.git",
        "git@github.com:a/b.git",
        "github.com:a/b",
        "git://github.com/a/b",
        "ftp://github.com/a/b",
        "https://user:secret@github.com/a/b",
        "https://token@github.com/a/b",
        "https://github.com\\@evil.example/a/b",
        "https://github.com/a/b?x=1",
        "https://github.com/a/b#x",
        "https://github.com/a b/c",
        "https://github.com/a/b\n",
        "https://github.com/a/b\x00",
        "https:///a/b",
        "https://github.com:99999/a/b",
        "https://github.com:x/a/b",
        "https://[::1/a/b",
        "https://github.com./a/b",
        "https://github.com",
        "https://github.com/",
        "",
    ],
)
def test_a_source_that_is_no_plain_https_url_is_refused(tmp_path: Path, source: str) -> None:
    """R01."""
    with pytest.raises(UrlNotAllowed):
        parse_source(source, None, policy(tmp_path))


@pytest.mark.parametrize(
    "source",
    [
        "owner/..",
        "owner/.",
        "owner/name.",
        "owner/%2e%2e",
        "owner/na%6de",
        "оwner/name",  # noqa: RUF001 # the look-alike is the point: a Cyrillic o
        "owner/nam\u0435",
        "owner/",
        "owner/.git",
        "https://github.com/owner/../name",
        "https://github.com/owner/./name",
        "https://github.com/owner/%2e%2e/name",
        "https://github.com/owner//name",
        "https://github.com/owner/name/tree/main",
        "https://github.com/owner",
        "https://gіthub.com/owner/name",  # noqa: RUF001 # a Cyrillic i
    ],
)
def test_a_name_that_is_not_owner_and_name_is_refused(tmp_path: Path, source: str) -> None:
    """R04."""
    with pytest.raises(UrlNotAllowed):
        parse_source(source, None, policy(tmp_path))


@pytest.mark.parametrize(
    "source",
    [
        "https://evil.example/a/b",
        "https://github.com.evil.example/a/b",
        "https://169.254.169.254/latest",
        "https://127.0.0.1/a/b",
        "https://[::1]/a/b",
        "https://2130706433/a/b",
        "https://0x7f000001/a/b",
        "http://127.0.0.1:8080/a/b",
        "http://localhost/a/b",
        "https://xn--gthub-n4a.com/a/b",
    ],
)
def test_a_host_that_is_not_listed_is_refused(tmp_path: Path, source: str) -> None:
    """R02."""
    with pytest.raises(HostNotAllowed):
        parse_source(source, None, policy(tmp_path))


@pytest.mark.parametrize("source", ["http://github.com/a/b", "http://169.254.169.254/x/y", "http://2130706433/a/b"])
def test_plain_http_is_refused_beyond_loopback(tmp_path: Path, source: str) -> None:
    """R02."""
    with pytest.raises(UrlNotAllowed):
        parse_source(source, None, policy(tmp_path))


@pytest.mark.parametrize("source", [".", "..", "./a", "../a", "a", "a/b/c", "~/a"])
def test_a_relative_path_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(PathNotAbsolute):
        parse_source(source, None, policy(tmp_path))


def test_a_path_outside_the_roots_is_refused_whether_it_exists_or_not(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "root-twin").mkdir()
    (root / "link").symlink_to(tmp_path)
    for source in ("/etc", "/nowhere", f"{root}/../x", f"{root}/link", f"{root}-twin"):
        with pytest.raises(PathNotAllowed):
            parse_source(source, None, policy(root))


def test_a_path_that_is_no_existing_folder_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("nothing", "file"):
        with pytest.raises(PathNotFound):
            parse_source(str(tmp_path / name), None, policy(tmp_path))


def test_without_a_source_the_single_allowed_root_is_meant(tmp_path: Path) -> None:
    assert parse_source(None, None, policy(tmp_path)).location == str(tmp_path)
    for roots in ((), (tmp_path, tmp_path / "other")):
        with pytest.raises(InvalidArguments):
            parse_source(None, None, policy(*roots))


def test_an_invalid_ref_is_refused_with_the_source(tmp_path: Path) -> None:
    """G04."""
    with pytest.raises(InvalidRef):
        parse_source(str(tmp_path), "--output=/tmp/x", policy(tmp_path))


@pytest.mark.parametrize(
    "source",
    [
        "owner/name",
        "owner/name.git",
        "https://github.com/owner/name",
        "https://github.com/owner/name.git",
        "https://github.com/owner/name/",
        "https://GitHub.com:443/owner/name",
    ],
)
def test_the_spellings_of_a_forge_repository_become_one(tmp_path: Path, source: str) -> None:
    """R04."""
    spec = parse_source(source, None, policy(tmp_path))
    assert (spec.kind, spec.location) == ("remote", "https://github.com/owner/name.git")


def test_a_forge_of_ones_own_and_listed_hosts_are_cloned_from(tmp_path: Path) -> None:
    hosts = ("127.0.0.1:8443", "[::1]:9000", "git.example.org")
    own = policy(tmp_path, hosts=hosts, forge="http://127.0.0.1:8443")
    assert parse_source("a/b", None, own).location == "http://127.0.0.1:8443/a/b.git"
    assert parse_source("http://[::1]:9000/x", None, own).location == "http://[::1]:9000/x"
    assert (
        parse_source("https://git.example.org/deep/er/x.git", None, own).location
        == "https://git.example.org/deep/er/x.git"
    )
    for source in ("http://127.0.0.1:8444/a/b", "http://[::1]:9001/x"):
        with pytest.raises(HostNotAllowed):
            parse_source(source, None, own)


def test_no_module_about_git_needs_another_in_a_circle() -> None:
    """Not even for its types."""
    prefix = "repowright_tools.git."
    needs: dict[str, set[str]] = {}
    for file in Path(repowright_tools.git.__path__[0]).glob("*.py"):
        imports = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
        names = {node.module.removeprefix(prefix) for node in imports if node.module and node.module.startswith(prefix)}
        needs[file.stem] = names

    assert "policy" in list(TopologicalSorter(needs).static_order())
