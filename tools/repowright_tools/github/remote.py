"""Whose repository is it? Reads a remote, and decides whether it may be pushed to. Nothing is contacted."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from repowright_tools.errors import NoRemote, PushNotAllowed, RemoteNotSupported
from repowright_tools.github.policy import ForgePolicy, host_and_port, is_loopback
from repowright_tools.secrets import redact
from repowright_tools.stage import BoundRepository

# Plain ASCII only, so that no look-alike letter, percent-encoding or dot path can be spelled.
_OWNER = r"(?P<owner>[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9_])?)"
_NAME = r"(?P<name>[A-Za-z0-9._-]{1,100})"
_HOST = r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:]{2,39}\])"
_PORT = r"(?::(?P<port>[0-9]{1,5}))?"
_USER = r"(?:[A-Za-z0-9._~%:!$&'()*+,;=-]{1,255}@)?"
_WEB = re.compile(rf"(?P<scheme>https?)://{_USER}{_HOST}{_PORT}/{_OWNER}/{_NAME}/?")
_SSH = re.compile(rf"ssh://{_USER}{_HOST}{_PORT}/{_OWNER}/{_NAME}/?")
_SCP = re.compile(rf"{_USER}{_HOST}:/?{_OWNER}/{_NAME}/?")
_ENTRY = re.compile(rf"(?:{_HOST}{_PORT}/)?{_OWNER}/{_NAME}")


@dataclass(frozen=True)
class PushTarget:
    """A repository that may be pushed to.

    Attributes:
        kind: `forge` has pull requests; `plain` is a bare repository on disk and gets the push alone.
        name: as it is shown: `owner/name` on the forge, or an absolute path.
        url: what git pushes to, without credentials.
        usual: branches that the source proposes changes to, best first, for a remote that does not say so itself.
    """

    kind: Literal["forge", "plain"]
    name: str
    url: str
    usual: tuple[str, ...] = field(default=(), compare=False)


def authorise(repository: BoundRepository, policy: ForgePolicy) -> PushTarget:
    """The one place a run may push to: the origin of the repository that it is bound to, if it is allow-listed.

    Raises:
        NoRemote: the repository has no origin.
        RemoteNotSupported: its origin is neither on the forge nor a bare repository on disk.
        PushNotAllowed: the allow-list does not name it.
    """
    if not repository.origin:
        raise NoRemote("the repository has no remote called origin")
    usual = tuple(branch for branch in (repository.default_branch, repository.branch) if branch)
    path = _on_disk(repository.origin, Path(repository.root))
    if path is not None:
        return _plain(path, policy, usual)
    owner, name = _on_forge(repository.origin, policy)
    wanted = (owner.casefold(), name.casefold())
    if wanted not in {_entry(entry, policy) for entry in policy.allowed_repositories}:
        raise PushNotAllowed(f"{owner}/{name} is not in ALLOWED_REPOSITORIES")
    return PushTarget("forge", f"{owner}/{name}", f"{policy.web_url}/{owner}/{name}.git", usual)


def _on_forge(origin: str, policy: ForgePolicy) -> tuple[str, str]:
    """Owner and name of a remote of the forge, whether it is spelled for https or for SSH."""
    refused = RemoteNotSupported(f"origin {redact(origin)!r} is not a repository of the forge ({policy.host})")
    forge_name = policy.host.rpartition(":")[0] if re.search(r":\d+\Z", policy.host) else policy.host
    if policy.web_url.startswith("http://") and not is_loopback(forge_name):
        raise RemoteNotSupported(f"GITHUB_BASE_URL is plain http, which is accepted on loopback only: {policy.host}")
    if match := _WEB.fullmatch(origin):
        scheme, port = match["scheme"], int(match["port"]) if match["port"] else None
        if scheme == "http" and not is_loopback(match["host"]):
            raise RemoteNotSupported(f"origin {redact(origin)!r}: plain http is accepted on loopback only")
        if host_and_port(scheme, match["host"].strip("[]"), port) != policy.host:
            raise refused
    elif match := _SSH.fullmatch(origin) or _SCP.fullmatch(origin):
        # An SSH port says nothing about the port of the web.
        if match["host"].lower() != forge_name:
            raise refused
    else:
        raise refused
    name = _without_suffix(match["name"])
    if name is None:
        raise refused
    return match["owner"], name


def _without_suffix(name: str) -> str | None:
    """The repository's name without `.git`; None for what is no name: `.`, `..`, or one that ends with a dot."""
    name = name[: -len(".git")] if name.lower().endswith(".git") else name
    return None if not name or name.endswith(".") else name


def _entry(entry: str, policy: ForgePolicy) -> tuple[str, str] | None:
    """Owner and name that an entry of the allow-list means on this forge; None for a path, another host or nonsense."""
    match = _ENTRY.fullmatch(entry.strip())
    if not match:
        return None
    if match["host"]:
        port = int(match["port"]) if match["port"] else None
        if host_and_port("https", match["host"].strip("[]"), port) != policy.host:
            return None
    name = _without_suffix(match["name"])
    return (match["owner"].casefold(), name.casefold()) if name else None


def _on_disk(origin: str, root: Path) -> Path | None:
    """The real path of a remote that is a path or a file:// URL; None when it is something else."""
    location = origin.removeprefix("file://")
    if location.startswith(("/", "./", "../")):
        return Path(os.path.realpath(root / location))
    return None


def _plain(path: Path, policy: ForgePolicy, usual: tuple[str, ...]) -> PushTarget:
    allowed = {os.path.realpath(entry) for entry in policy.allowed_repositories if entry.startswith("/")}
    if str(path) not in allowed:
        raise PushNotAllowed(f"{path} is not in ALLOWED_REPOSITORIES")
    if not any(path.is_relative_to(os.path.realpath(root)) for root in policy.allowed_roots):
        raise PushNotAllowed(f"{path} is not inside ALLOWED_ROOTS")
    if path.name == ".git" or not ((path / "HEAD").is_file() and (path / "objects").is_dir()):
        raise RemoteNotSupported(f"{path} is not a bare repository")
    return PushTarget("plain", str(path), str(path), usual)
