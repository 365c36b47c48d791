"""What git may run, read and write: the one way git is started, and the checks of names and paths.

A user's `.git` folder is hostile input: its configuration names programs. Every git process gets settings that close
the doors git itself offers, and of this process's environment nothing but a short list. Commands that would still
run a program of a repository's configuration (filters, textconv, external diffs, signing) are never used on one that
is not ours: see `shadow.py`.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream

from repowright_tools.git.names import PathRefused, check_ref, inside, protected_reason
from repowright_tools.secrets import redact

__all__ = [
    "HARDENED",
    "GitFailed",
    "GitFlooded",
    "GitLate",
    "PathRefused",
    "check_ref",
    "config_environment",
    "git_environment",
    "inside",
    "kill_group",
    "protected_reason",
    "run_git",
]

MAX_OUTPUT_BYTES = 256 * 1024 * 1024
_MAX_ERROR_BYTES = 64 * 1024

_INHERITED = (
    *("PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY"),
)
"""What git needs to know of the machine. Nothing else is handed on: this process's environment may hold keys."""

HARDENED_CONFIG: Mapping[str, str] = {
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.symlinks": "false",
    "core.attributesFile": "/dev/null",
    "credential.helper": "",
    "commit.gpgSign": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "protocol.allow": "never",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1",  # bytes a second: a git that outlives this process does not wait for ever either
    "http.lowSpeedTime": "120",
    "safe.bareRepository": "explicit",
}
"""Settings that no configuration file of a repository overrides."""


def config_environment(config: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment that gives git the hardened settings and `config` on top, without showing them in argv."""
    settings = [*HARDENED_CONFIG.items(), *(config or {}).items()]
    environment = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return environment


HARDENED: Mapping[str, str] = {
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "XDG_CONFIG_HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",  # a partial clone fetches a missing object from whatever its configuration names
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_PROTOCOL_FROM_USER": "0",
    # Unlike the setting protocol.allow this beats protocol.ext.allow of a repository. A call that needs one names it.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_SSH_COMMAND": "false",
    "GIT_EDITOR": "false",
    "GIT_PAGER": "cat",
    **config_environment(),
}


class GitFailed(Exception):
    """Git ended with an error; callers say what that means for them.

    Attributes:
        stderr: what git said, redacted.
        returncode: git's exit code, negative for a signal; None when we ended it.
    """

    def __init__(self, stderr: str, returncode: int | None) -> None:
        super().__init__(stderr)
        self.stderr = stderr
        self.returncode = returncode


class GitLate(GitFailed):
    """Git did not end before its deadline and was killed."""


class GitFlooded(GitFailed):
    """Git printed more than the caller takes and was killed."""


def git_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment of a git process: what it must know of the machine, the hardening, then `extra`."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, **HARDENED, **(extra or {})}


def kill_group(process_id: int) -> None:
    """Kill a process that leads its own session, and its children; those of git outlive it otherwise."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process_id, signal.SIGKILL)


async def run_git(
    folder: Path,
    *arguments: str,
    deadline_s: float = 60,
    environment: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    max_output: int = MAX_OUTPUT_BYTES,
    max_memory: int | None = None,
    keep_open: Sequence[int] = (),
) -> bytes:
    """Run git in `folder` and return what it prints.

    Args:
        folder: where git runs.
        arguments: the command and its arguments. Strings of others stand after `--` or have passed `check_ref`.
        deadline_s: seconds after which git and all its children are killed.
        environment: additions to `HARDENED`, such as GIT_ALLOW_PROTOCOL or `credential_environment`.
        stdin: what git reads; nothing by default.
        max_output: bytes git may print.
        max_memory: bytes of memory git may ask for; it is bounded before it reads `stdin`. On Linux only.
        keep_open: descriptors that git inherits, such as a lock that is to outlive this process with it.

    Raises:
        GitFailed: git ended with an error (GitLate, GitFlooded: we ended it).
    """
    program = shutil.which("git")
    if program is None:
        raise GitFailed("there is no git on this machine's PATH", None)
    process = await anyio.open_process(
        [program, *arguments],
        cwd=folder,
        env=git_environment(environment),
        stdin=subprocess.DEVNULL if stdin is None else PIPE,
        start_new_session=True,
        pass_fds=keep_open,
    )
    output, errors = bytearray(), bytearray()
    if max_memory is not None and sys.platform == "linux":
        with suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_AS, (max_memory, max_memory))
    try:
        with anyio.fail_after(deadline_s):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_feed, process.stdin, stdin)
                tasks.start_soon(_collect, process.stderr, errors, _MAX_ERROR_BYTES)
                await _collect(process.stdout, output, max_output)
                if len(output) > max_output:
                    kill_group(process.pid)
            returncode = await process.wait()
    except TimeoutError as error:
        raise GitLate(f"git {arguments[0]} did not end within {deadline_s:g} s", None) from error
    finally:
        if process.returncode is None:
            kill_group(process.pid)
        with anyio.CancelScope(shield=True):
            await process.aclose()
    if len(output) > max_output:
        raise GitFlooded(f"git {arguments[0]} printed more than {max_output} bytes", None)
    if returncode != 0:
        raise GitFailed(redact(errors.decode(errors="replace").strip()), returncode)
    return bytes(output)


async def _feed(stream: ByteSendStream | None, data: bytes | None) -> None:
    if stream is None:
        return
    with suppress(anyio.BrokenResourceError):  # git may end before it has read everything
        await stream.send(data or b"")
    await stream.aclose()


async def _collect(stream: ByteReceiveStream | None, into: bytearray, limit: int) -> None:
    """Read until the end or until there is more than `limit`."""
    assert stream is not None
    async for chunk in stream:
        into += chunk
        if len(into) > limit:
            return
