"""How the operator has set up the sandbox."""

import re
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
_UNITS = {"": 1, "b": 1, "k": 1024, "m": MIB, "g": 1024 * MIB}


def parse_size(text: str) -> int:
    """Bytes of a size in Docker's spelling: "512m", "1g", "1.5g", "1073741824". Raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([bkmg]?)b?", text.strip().lower())
    if found is None:
        raise ValueError(f"not a size: {text!r}; write for example 512m or 1g")
    return int(float(found[1]) * _UNITS[found[2]])


@dataclass(frozen=True)
class SandboxPolicy:
    """Settings of the sandbox.

    Attributes:
        image: base image (SANDBOX_IMAGE), used by digest and never pulled. It needs `sh` and coreutils, and for Python
            projects `python3` with `venv`. The default is the smallest official Python image that has them.
        host: engine's address (DOCKER_HOST); None for the local socket.
        memory: memory of a box, swap included (SANDBOX_MEMORY), such as "1g".
        cpus: processors of a box (SANDBOX_CPUS).
        pids: processes and threads of a box (SANDBOX_PIDS).
        workspace: size of a box's writable folder, which lives in memory; counted beside `memory`.
        workspace_files: files and folders it may hold.
        ca_bundle: certificates that an installation trusts in addition (SANDBOX_CA_BUNDLE), a file of the host.
        install_timeout_s: seconds an installation may take.
        install_bytes: bytes an installation may write.
        output_bytes: bytes kept of a command's output, half from its start and half from its end.
    """

    image: str = "python:3.11-slim"
    host: str | None = None
    memory: str = "1g"
    cpus: float = 2.0
    pids: int = 256
    workspace: str = "512m"
    workspace_files: int = 50_000
    ca_bundle: Path | None = None
    install_timeout_s: float = 600
    install_bytes: int = 4096 * MIB
    output_bytes: int = 1 * MIB
