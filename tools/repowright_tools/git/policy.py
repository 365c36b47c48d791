"""What the operator allows sources to be. Built by the server from its settings; nothing here reads any."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SourcePolicy:
    """Where sources may lie.

    Attributes:
        allowed_roots: folders that local sources may lie in.
        clone_hosts: hosts that may be cloned from; `host` means any port, `host:port` exactly that one.
        forge_host: the forge's host, with its port unless that is the default.
        forge_url: the forge's web root, such as `https://github.com`.
        token: sent to the forge host only; None for anonymous access.
        max_bytes: how large a workspace may grow, and all mirrors together.
        mirrors: folder of the mirrors of remote sources, for all runs; None: each is fetched anew.
    """

    allowed_roots: tuple[Path, ...]
    clone_hosts: tuple[str, ...]
    forge_host: str
    forge_url: str
    token: str | None
    max_bytes: int
    mirrors: Path | None = None
