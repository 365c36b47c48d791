"""URLs that may be cloned from. Judged by spelling alone: no name is resolved, no request sent."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from repowright_tools.errors import HostNotAllowed, UrlNotAllowed
from repowright_tools.git.policy import SourcePolicy

_SEGMENT = re.compile(r"(?!-)[A-Za-z0-9._~+-]*[A-Za-z0-9_~+-]")
_DEFAULT_PORT = {"https": 443, "http": 80}


def clone_url(url: str, policy: SourcePolicy) -> str:
    """The URL as git is given it, in one canonical spelling.

    Raises:
        UrlNotAllowed: it is not a plain https URL (plain http on loopback) of a repository.
        HostNotAllowed: its host is not on the list.
    """
    parts = _split(url)
    _check_host(parts, policy.clone_hosts)
    segments = parts.path.removesuffix("/").removesuffix(".git").split("/")[1:]
    if not segments or not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise UrlNotAllowed("the path of the URL is not made of plain names")
    host = canonical_host(parts)
    path = "/".join(segments)
    if host == policy.forge_host.lower():
        forge_path = urlsplit(policy.forge_url).path.strip("/")
        if len(path.removeprefix(forge_path).strip("/").split("/")) != 2:
            raise UrlNotAllowed("a repository of the forge is named owner/name")
    # The forge knows a repository under both names; others may keep the two apart.
    suffix = ".git" if host == policy.forge_host.lower() or parts.path.endswith(".git") else ""
    return f"{parts.scheme}://{host}/{path}{suffix}"


def _split(url: str) -> SplitResult:
    """The parts of a URL that is http(s) and no more than scheme, host and path."""
    if not url.isascii() or re.search(r"[%\\?#@\s]", url):
        raise UrlNotAllowed("the URL may hold no credentials, query, escapes or characters beyond ASCII")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise UrlNotAllowed("the URL is malformed") from error
    if parts.scheme not in _DEFAULT_PORT or not parts.hostname or parts.hostname.endswith("."):
        raise UrlNotAllowed("only https URLs are cloned")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise UrlNotAllowed("plain http is accepted on loopback only")
    return parts


def _check_host(parts: SplitResult, clone_hosts: tuple[str, ...]) -> None:
    bare = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    listed = {host.lower() for host in clone_hosts}
    if canonical_host(parts) not in listed and bare not in listed and parts.hostname not in listed:
        raise HostNotAllowed(f"{canonical_host(parts)} is not a host to clone from")


def canonical_host(parts: SplitResult) -> str:
    """Host in lower case, with the port unless it is the scheme's default."""
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    return host if parts.port in (None, _DEFAULT_PORT.get(parts.scheme)) else f"{host}:{parts.port}"


def is_loopback(host: str) -> bool:
    """Whether a host name in its usual spelling is this machine; other spellings of an address are not."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
