"""Whose repository is it: remotes are read, and the allow-list is applied, before anything is contacted."""

from pathlib import Path

import pytest

from repowright_tools.errors import NoRemote, PushNotAllowed, RemoteNotSupported
from repowright_tools.github.policy import ForgePolicy
from repowright_tools.github.remote import PushTarget, authorise
from support.ports import bound
from support.repositories import git

GITHUB = "https://api.github.com"
ENTERPRISE = "https://git.example.org:8443/api/v3"
LOOPBACK = "http://127.0.0.1:4242/api/v3"


def _target(origin: str | None, *allowed: str, base_url: str = GITHUB, root: Path = Path("/work")) -> PushTarget:
    policy = ForgePolicy(base_url=base_url, allowed_repositories=allowed, allowed_roots=(root,))
    return authorise(bound(root, "0" * 40, origin=origin), policy)


@pytest.mark.parametrize(
    "origin",
    [
        "https://github.com/ada/tool.git",
        "https://github.com/ada/tool",
        "https://github.com:443/ada/tool/",
        "https://GitHub.com/ada/tool.git",
        "https://user:pass@github.com/ada/tool.git",
        "git@github.com:ada/tool.git",
        "ssh://git@github.com/ada/tool.git",
        "ssh://git@github.com:22/ada/tool",
    ],
)
def test_every_spelling_of_a_forge_remote_is_pushed_over_https_without_credentials(origin: str) -> None:
    assert _target(origin, "ada/tool") == PushTarget("forge", "ada/tool", "https://github.com/ada/tool.git")


@pytest.mark.parametrize("entry", ["ada/tool", "ADA/Tool", "ada/tool.git", " ada/tool ", "github.com/ada/tool"])
def test_an_entry_of_the_allow_list_is_compared_without_case_and_suffix(entry: str) -> None:
    """R04."""
    assert _target("https://github.com/Ada/tool.git", entry).name == "Ada/tool"


@pytest.mark.parametrize(
    "entry",
    [
        "ada/tools",
        "ada/too",
        "ada/*",
        "*",
        "ada",
        "ada/",
        "/ada/tool",
        "evil/../ada/tool",
        "gitlab.com/ada/tool",
        "github.com:8443/ada/tool",
        "https://github.com/ada/tool",
        "аda/tool",  # noqa: RUF001 - a Cyrillic a, on purpose
        "",
    ],
)
def test_an_entry_that_means_another_repository_or_nothing_allows_nothing(entry: str) -> None:
    """R04."""
    with pytest.raises(PushNotAllowed):
        _target("https://github.com/ada/tool.git", entry)


def test_an_empty_allow_list_allows_nothing() -> None:
    with pytest.raises(PushNotAllowed):
        _target("https://github.com/ada/tool.git")


@pytest.mark.parametrize(
    "origin",
    [
        "https://github.com.evil.example/ada/tool",
        "https://github.com@evil.example/ada/tool",
        "https://evil.example/github.com/ada/tool",
        "https://evil.example#@github.com/ada/tool",
        "https://evil.example\\@github.com/ada/tool",
        "https://github.com./ada/tool",
        "https://github.com:8443/ada/tool",
        "https://gıthub.com/ada/tool",  # noqa: RUF001 - a dotless i, on purpose
        "https://github.com/аda/tool",  # noqa: RUF001 - a Cyrillic a, on purpose
        "https://github.com/ada/..",
        "https://github.com/ada/.git",
        "https://github.com/ada/tool.",
        "https://github.com/ada/tool..git",
        "https://github.com/ada/%2e%2e/evil/tool",
        "https://github.com/ada/tool%2f",
        "https://github.com/x/../ada/tool",
        "https://github.com/ada/tool/extra",
        "https://github.com//ada/tool",
        "https://github.com/ada/tool?x=1",
        "https://github.com/ada/tool\n",
        "http://github.com/ada/tool",
        "git://github.com/ada/tool",
        "ext::sh -c id",
        "-oProxyCommand=id",
        "ssh://-oProxyCommand=id/ada/tool",
        "ssh://git@evil.example/ada/tool",
        "git@evil.example:ada/tool.git",
        "git@github.com:ada/tool/../../evil",
        "github.com:8443/ada/tool",
        "ftp://github.com/ada/tool",
    ],
)
def test_a_remote_that_only_looks_like_the_forge_is_refused(origin: str) -> None:
    """R04."""
    with pytest.raises(RemoteNotSupported):
        _target(origin, "ada/tool", "github.com/ada/tool", "tool/tool")


def test_a_repository_without_origin_has_nowhere_to_go() -> None:
    with pytest.raises(NoRemote):
        _target(None, "ada/tool")


@pytest.mark.parametrize(
    ("base_url", "origin", "url"),
    [
        (ENTERPRISE, "https://git.example.org:8443/ada/tool.git", "https://git.example.org:8443/ada/tool.git"),
        (ENTERPRISE, "git@git.example.org:ada/tool.git", "https://git.example.org:8443/ada/tool.git"),
        (LOOPBACK, "http://127.0.0.1:4242/ada/tool.git", "http://127.0.0.1:4242/ada/tool.git"),
        (LOOPBACK, "git@127.0.0.1:ada/tool.git", "http://127.0.0.1:4242/ada/tool.git"),
        ("http://[::1]:4242/api/v3", "http://[::1]:4242/ada/tool", "http://[::1]:4242/ada/tool.git"),
    ],
)
def test_the_forge_is_the_host_and_port_of_its_api(base_url: str, origin: str, url: str) -> None:
    host = url.split("/")[2]

    assert _target(origin, f"{host}/ada/tool", base_url=base_url) == PushTarget("forge", "ada/tool", url)
    assert _target(origin, "ada/tool", base_url=base_url).url == url


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        (ENTERPRISE, "https://git.example.org/ada/tool"),
        (ENTERPRISE, "https://github.com/ada/tool"),
        (LOOPBACK, "http://127.0.0.1:4243/ada/tool"),
        (LOOPBACK, "https://127.0.0.1:4242.evil.example/ada/tool"),
        ("http://git.example.org/api/v3", "http://git.example.org/ada/tool"),
        ("http://git.example.org/api/v3", "git@git.example.org:ada/tool"),
        ("http://127.0.0.1.evil.example/api/v3", "http://127.0.0.1.evil.example/ada/tool"),
    ],
)
def test_another_host_or_port_and_plain_http_beyond_loopback_are_refused(base_url: str, origin: str) -> None:
    with pytest.raises(RemoteNotSupported):
        _target(origin, "ada/tool", base_url=base_url)


def _bare(folder: Path) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "--bare")
    return folder


def test_a_bare_repository_on_disk_is_plain_git_and_known_by_its_real_path(tmp_path: Path) -> None:
    bare = _bare(tmp_path / "roots" / "tool.git")
    (tmp_path / "roots" / "link").symlink_to(bare)

    for origin in (str(bare), f"file://{bare}", str(tmp_path / "roots" / "link"), "./x/../tool.git"):
        target = _target(origin, str(tmp_path / "roots" / "link"), root=tmp_path / "roots")
        assert target == PushTarget("plain", str(bare), str(bare))


def test_a_path_outside_the_allowed_roots_or_off_the_list_is_refused(tmp_path: Path) -> None:
    outside, inside = _bare(tmp_path / "outside.git"), tmp_path / "roots"
    listed = _bare(inside / "listed.git")
    (inside / "link").symlink_to(outside)

    for origin, entry in ((outside, outside), (inside / "link", inside / "link"), (listed, inside), (outside, listed)):
        with pytest.raises(PushNotAllowed):
            _target(str(origin), str(entry), root=inside)


def test_a_work_tree_on_disk_is_no_target(tmp_path: Path) -> None:
    """Rule 7: a user's own work tree is never touched."""
    git(tmp_path, "init", "-q", "tree")

    for path in (tmp_path / "tree", tmp_path / "tree" / ".git"):
        with pytest.raises(RemoteNotSupported):
            _target(str(path), str(path), root=tmp_path)


def test_the_token_is_in_no_representation_of_the_policy() -> None:
    """K02."""
    assert "hidden-value" not in repr(ForgePolicy(token="hidden-value"))
