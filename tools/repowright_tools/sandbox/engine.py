"""Calls to a Docker engine: in threads, each with its own deadline, with its failures as our errors."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import anyio

from repowright_tools.errors import ImageMissing, SandboxBroken, SandboxError, SandboxStalled, SandboxUnreachable
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.podman import speaks_podman
from repowright_tools.threads import within

P = ParamSpec("P")
T = TypeVar("T")

_LOCAL = "http+unix://"
QUICK_S = 4.0
"""Deadline of calls that only look something up: a check makes two, and answers within 10 s."""
WORK_S = 30.0
"""Deadline of calls that make or remove something."""
COPY_S = 300.0
"""Deadline of calls that move a lot of data: copying in, committing an image."""


class Engine:
    """One engine, connected at first use."""

    def __init__(self, host: str | None) -> None:
        self._host = host
        self._client: Client | None = None
        self._podman: bool | None = None
        self._lock = anyio.Lock()

    async def api(self) -> Client:
        """The client. Raises SandboxUnreachable or SandboxStalled."""
        async with self._lock:
            if self._client is None:
                self._client = await self.call("connect", QUICK_S, connect, self._host)
            return self._client

    async def is_podman(self) -> bool:
        """Whether the engine is Podman behind Docker's language. Asked once."""
        if self._podman is None:
            client = await self.api()
            self._podman = await self.call("say its version", QUICK_S, speaks_podman, client)
        return self._podman

    async def aclose(self) -> None:
        """Give the connections back; the next call connects anew."""
        async with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    async def call(
        self, what: str, deadline_s: float, method: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a blocking `method` of the client with the arguments after it; `what` is the verb for messages.

        After `deadline_s` seconds the caller gets SandboxStalled, and the thread ends by itself. Every failure of the
        library becomes one of ours.
        """
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        late = SandboxStalled(f"the Docker engine did not {what} within {deadline_s:g} s")
        try:
            return await within(deadline_s, late, method, *args, **kwargs)
        except (DockerException, RequestException, OSError) as error:
            raise _translated(error, what) from error

    async def make(
        self, what: str, deadline_s: float, method: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """`call` that is not cancelled: what a thread makes or opens after we have left would be nobody's."""
        with anyio.CancelScope(shield=True):
            return await self.call(what, deadline_s, method, *args, **kwargs)
        raise AssertionError("a shield has no cancellation to swallow")


def connect(host: str | None) -> Client:
    """A connected client of the library. Raises OSError or the library's DockerException."""
    from docker import APIClient
    from docker.utils import parse_host

    address = str(parse_host(host))
    if address.startswith(_LOCAL):  # tried first, because the library forgets a socket that it could not connect
        with socket.socket(socket.AF_UNIX) as first:
            first.settimeout(QUICK_S)
            first.connect(address.removeprefix(_LOCAL))
    client = cast(Client, APIClient(base_url=host, timeout=int(QUICK_S)))  # asks the engine for its version
    client.timeout = int(COPY_S)
    return client


def _translated(error: Exception, what: str) -> SandboxError:
    from docker.errors import APIError, ImageNotFound
    from requests.exceptions import Timeout

    if isinstance(error, ImageNotFound):
        return ImageMissing(f"the Docker engine has no such image: {error.explanation}")
    if isinstance(error, APIError):
        return SandboxBroken(
            f"the Docker engine could not {what}: {error.explanation or f'status {error.status_code}'}"
        )
    causes = [error, error.__cause__, error.__context__]
    if any(isinstance(cause, Timeout) for cause in causes):
        return SandboxStalled(f"the Docker engine accepted the call but did not answer when asked to {what}")
    return SandboxUnreachable(f"no Docker engine answers when asked to {what}: {_cause(error)}")


def _cause(error: Exception) -> str:
    """What the operating system says of a failure, which the libraries wrap in each other's words."""
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError

    chain: list[BaseException] = [error]
    for each in chain:
        inner = [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
        chain += [found for found in inner if isinstance(found, BaseException) and found not in chain]
    for each in chain:
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    if any(isinstance(each, RequestException | HTTPError) for each in chain):
        return "the connection failed"
    return " ".join(str(error).split())
