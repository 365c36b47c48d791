"""Git over smart HTTP for the fake GitHub: `git http-backend` as a CGI program over bare repositories."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class GitRequest(NamedTuple):
    """One request below /owner/name.git; `path` is what follows, such as `info/refs`."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_push(self) -> bool:
        return self.path == "git-receive-pack" or "service=git-receive-pack" in self.query


def answer(bare: Path, request: GitRequest, user: str | None) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body that git itself gives; `user` None may only read."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROJECT_ROOT": str(bare.parent),
        "PATH_INFO": f"/{bare.name}/{request.path}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "HTTP_GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
    }
    if user is not None:
        environment |= {"REMOTE_USER": user, "REMOTE_ADDR": "127.0.0.1"}
    done = subprocess.run(
        ["git", "http-backend"], input=request.body, env=environment, capture_output=True, check=False, timeout=60
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    pairs = [line.partition(": ") for line in head.decode().splitlines()]
    headers = [(name, value) for name, _, value in pairs if name != "Status"]
    status = next((int(value.split()[0]) for name, _, value in pairs if name == "Status"), 200)
    return status, headers, body
