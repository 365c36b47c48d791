"""How the operator has set up the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from repowright_tools.sandbox.services import Service

MIB = 1024 * 1024


@dataclass(frozen=True)
class SandboxPolicy:
    """Settings of the sandbox.

    Attributes:
        image: base image (SANDBOX_IMAGE), used by digest and never pulled. It needs `sh` and coreutils, and for Python
            projects `python3` with `venv`. The default is the smallest official Python image that has them.
        host: engine's address (DOCKER_HOST); None for the local socket.
        runtime: a stronger runtime that the engine has, such as `runsc`; None for its own. There is no way back from
            one that it does not have.
        memory: bytes of memory of a box, swap included (SANDBOX_MEMORY).
        cpus: processors of a box (SANDBOX_CPUS).
        pids: processes and threads of a box (SANDBOX_PIDS).
        workspace: bytes of a box's writable folder, which lives in memory; counted beside `memory`.
        workspace_files: files and folders it may hold.
        timeout_s: most seconds that one run of a command may take (TESTING_TIMEOUT).
        ca_bundle: certificates that an installation trusts in addition (SANDBOX_CA_BUNDLE), a file of the host.
        indexes: the operator's own package index by the tool that uses it (`pip`, `npm`, `go`), as a URL with user
            and password where it needs them. They stay outside of what is installed.
        index_hosts: further hosts that an installation may reach, on port 443.
        install_timeout_s: seconds an installation may take.
        install_bytes: bytes an installation may write.
        services: what runs beside the tests, by name (SANDBOX_SERVICES); each within the bounds of a box of its own.
        services_ready_s: seconds that the services of a box may take until all of them can be used.
        output_bytes: bytes kept of a command's output, half from its start and half from its end.
    """

    image: str = "python:3.11-slim"
    host: str | None = None
    runtime: str | None = None
    memory: int = 1024 * MIB
    cpus: float = 2.0
    pids: int = 256
    workspace: int = 512 * MIB
    workspace_files: int = 50_000
    timeout_s: float = 3600
    ca_bundle: Path | None = None
    indexes: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    index_hosts: tuple[str, ...] = ()
    install_timeout_s: float = 600
    install_bytes: int = 4096 * MIB
    services: Mapping[str, Service] = field(default_factory=dict[str, "Service"], repr=False)
    services_ready_s: float = 60
    output_bytes: int = 1 * MIB
