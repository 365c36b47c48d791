"""How the operator has set up the sandbox."""

from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024


@dataclass(frozen=True)
class SandboxPolicy:
    """Settings of the sandbox.

    Attributes:
        image: base image (SANDBOX_IMAGE), used by digest and never pulled. It needs `sh` and coreutils, and for Python
            projects `python3` with `venv`. The default is the smallest official Python image that has them.
        host: engine's address (DOCKER_HOST); None for the local socket.
        memory: bytes of memory of a box, swap included (SANDBOX_MEMORY).
        cpus: processors of a box (SANDBOX_CPUS).
        pids: processes and threads of a box (SANDBOX_PIDS).
        workspace: bytes of a box's writable folder, which lives in memory; counted beside `memory`.
        workspace_files: files and folders it may hold.
        timeout_s: most seconds that one run of a command may take (TESTING_TIMEOUT).
        ca_bundle: certificates that an installation trusts in addition (SANDBOX_CA_BUNDLE), a file of the host.
        install_timeout_s: seconds an installation may take.
        install_bytes: bytes an installation may write.
        output_bytes: bytes kept of a command's output, half from its start and half from its end.
    """

    image: str = "python:3.11-slim"
    host: str | None = None
    memory: int = 1024 * MIB
    cpus: float = 2.0
    pids: int = 256
    workspace: int = 512 * MIB
    workspace_files: int = 50_000
    timeout_s: float = 3600
    ca_bundle: Path | None = None
    install_timeout_s: float = 600
    install_bytes: int = 4096 * MIB
    output_bytes: int = 1 * MIB
