"""GitPython as clone and push use it: git in a session of its own, with our environment, and ended from outside."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.to_thread

from repowright_tools.errors import RepowrightError
from repowright_tools.git.guard import GitFailed, GitLate, git_environment, kill_group
from repowright_tools.secrets import redact

if TYPE_CHECKING:
    from git import Git

_MAX_ERROR_BYTES = 64 * 1024


class Processes:
    """The git processes of one piece of work, which runs in a thread: `stop` reaches also those that start later."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._stopped = False

    def add(self, process_id: int) -> None:
        self._ids.append(process_id)
        if self._stopped:
            kill_group(process_id)

    def stop(self) -> None:
        self._stopped = True
        for process_id in self._ids:
            kill_group(process_id)


def watched_git(environment: Mapping[str, str], processes: Processes) -> type[Git]:
    """GitPython's `Git`, for commands that are run `as_process`.

    Args:
        environment: all that git gets to know; GitPython would add this process's own environment.
        processes: learns of each git that is started.
    """
    from git import Git

    unset = [word for name in os.environ if name not in environment for word in ("-u", name)]

    class WatchedGit(Git):
        """Starts git in a session of its own and without this process's environment."""

        def execute(self, command: Sequence[str], **options: Any) -> Any:  # type: ignore[override] # narrowed
            options |= {"env": environment, "start_new_session": True}
            started: Any = cast(Any, super().execute(["env", *unset, *command], **options))
            process: Any = getattr(started, "proc", None)
            if process is not None:
                processes.add(process.pid)
            return started

    return WatchedGit


@contextmanager
def translated() -> Generator[None]:
    """Raise GitFailed for GitPython's errors: these hold git's whole command line."""
    from git.exc import GitCommandError, GitError

    try:
        yield
    except GitCommandError as error:
        status = error.status if isinstance(error.status, int) else None
        raise GitFailed(redact(str(error.stderr)), status) from None
    except GitError as error:
        raise GitFailed(redact(str(error)), None) from None
    except OSError as error:
        raise GitFailed(f"git could not be started: {error.strerror}", None) from None


async def _until_ended(ended: anyio.Event) -> None:
    await ended.wait()


async def attended(
    work: Callable[[Processes], None], attend: Callable[[anyio.Event], Awaitable[None]] = _until_ended
) -> None:
    """Do `work` in a thread, watched from here: whatever ends this function ends git and its children first.

    Args:
        work: blocks until the git processes that it starts have ended.
        attend: runs beside it, and is given what is set when the work has ended. A RepowrightError that it raises ends
            the work.

    Raises:
        RepowrightError: of `attend`, before any of the work.
        GitFailed: of `work`.
    """
    processes = Processes()
    ended = anyio.Event()
    failures: list[RepowrightError | GitFailed] = []

    async def run() -> None:
        try:
            await anyio.to_thread.run_sync(work, processes)
        except GitFailed as failure:
            failures.append(failure)
        finally:
            ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        try:
            await attend(ended)
        except RepowrightError as failure:
            failures.insert(0, failure)
        finally:
            if not ended.is_set():
                processes.stop()
    if failures:
        raise failures[0]


async def run_gitpython(
    folder: Path, command: str, *arguments: str, environment: Mapping[str, str], deadline_s: float
) -> None:
    """Run a git command by GitPython, under the rules of `guard.run_git`. What it prints is dropped.

    Args:
        folder: where git runs.
        command: such as `push`.
        arguments: its arguments. Strings of others stand after `--` or have passed `check_ref`.
        environment: additions to `HARDENED`; the only way to hand a secret on.
        deadline_s: seconds after which git and all its children are killed.

    Raises:
        GitFailed: git ended with an error, of which `stderr` has the last part (GitLate: we ended it).
    """
    whole = git_environment(environment)

    def work(processes: Processes) -> None:
        with translated():
            git: Any = watched_git(whole, processes)(folder)
            started = getattr(git, command)(*arguments, as_process=True, with_stdout=False)
            process: Popen[bytes] = started.proc  # which lives as long as `started`
            with process:
                errors = _last_of(process)
        if process.returncode != 0:
            raise GitFailed(redact(errors.decode(errors="replace").strip()), process.returncode)

    try:
        with anyio.fail_after(deadline_s):
            await attended(work)
    except TimeoutError as error:
        raise GitLate(f"git {command} did not end within {deadline_s:g} s", None) from error


def _last_of(process: Popen[bytes]) -> bytes:
    """The last part of what a process says on stderr; the other side of a push may say anything at any length."""
    assert process.stderr is not None
    kept = b""
    while chunk := process.stderr.read(_MAX_ERROR_BYTES):
        kept = (kept + chunk)[-_MAX_ERROR_BYTES:]
    return kept
