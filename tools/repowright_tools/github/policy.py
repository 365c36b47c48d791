"""What the operator allows the forge to do. Built by the server from its settings; nothing here reads any."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

PUBLIC_API = "https://api.github.com"
BRANCH_PREFIX = "repowright/"
"""Every branch that is pushed is under it."""
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class ForgePolicy:
    """Where pushes may go, and as whom.

    Attributes:
        base_url: root of the forge's REST API, such as `https://api.github.com` or `https://HOST/api/v3`.
        token: sent to the forge's host only, by header; None for none.
        allowed_repositories: `owner/name`, `host/owner/name` or absolute paths; empty means that nothing is pushed.
        allowed_roots: folders that a bare repository on disk must lie in.
        read_only: whether every write is refused.
        patience_s: how long a rate limit is waited out, in seconds; a longer one is an error.
    """

    base_url: str = PUBLIC_API
    token: str | None = field(default=None, repr=False)
    allowed_repositories: tuple[str, ...] = ()
    allowed_roots: tuple[Path, ...] = ()
    read_only: bool = False
    patience_s: float = 60.0

    @property
    def host(self) -> str:
        """The forge's host, with its port unless that is the scheme's own."""
        if self.base_url.rstrip("/") == PUBLIC_API:
            return "github.com"
        parts = urlsplit(self.base_url)
        return host_and_port(parts.scheme, parts.hostname or "", parts.port)

    @property
    def web_url(self) -> str:
        """The root that repositories are pushed below, such as `https://github.com`."""
        return f"{urlsplit(self.base_url).scheme}://{self.host}"


def host_and_port(scheme: str, host: str, port: int | None) -> str:
    """`host` or `host:port`, lower case, IPv6 addresses in brackets, the port only if it is not the scheme's own."""
    name = f"[{host}]" if ":" in host else host
    return name.lower() if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{name.lower()}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a host without port is this machine; other spellings of loopback addresses are not taken for it."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
