"""One client of an SDK for each key: made at first use, kept, so that connections are too, and closed together."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import anyio

from repowright_tools.errors import ModelError, ProviderMissing
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.provider import Usage
from repowright_tools.threads import in_thread


class Client(Protocol):
    """What every SDK's client can do."""

    async def close(self) -> None:
        """Close its connections."""
        ...


C = TypeVar("C", bound=Client)


class Clients(Generic[C]):
    """The clients of a provider, by key.

    Args:
        make: makes the client of a key. Called in a thread: importing an SDK takes most of a second, and loading the
            machine's certificates some milliseconds.
    """

    def __init__(self, make: Callable[[str], C]) -> None:
        self._make = make
        self._clients: dict[str, C] = {}
        self._making = anyio.Lock()

    async def of(self, key: str) -> C:
        """The client of this key.

        Raises:
            CallFailed: it cannot be made: a library or a setting is missing.
        """
        async with self._making:
            if key not in self._clients:
                self._clients[key] = await self._new(key)
            return self._clients[key]

    async def _new(self, key: str) -> C:
        try:
            return await in_thread(self._make, key)
        except ModelError as error:
            raise _unusable(error) from error
        except Exception as error:  # an installation that is broken, in one of many ways
            missing = ProviderMissing(f"the provider's library cannot be used ({type(error).__name__})")
            raise _unusable(missing) from error

    async def aclose(self) -> None:
        """Close all of them. The next use makes new ones."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.close()


def _unusable(failure: ModelError) -> CallFailed:
    """Not the key's fault: the pool must not put it aside for what a new setting mends at once."""
    return CallFailed(failure, blame="request", may_pass=False, billed=Usage())
