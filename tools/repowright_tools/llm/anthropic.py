"""Anthropic's Messages API, and what its copies in other clouds share. The SDK is imported at the first request."""

from abc import ABC, abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Literal, TypedDict

from repowright_tools.llm.clients import Clients
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.policy import ModelPolicy
from repowright_tools.llm.provider import ModelReply, ModelRequest, Opened

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic

    from repowright_tools.llm.anthropic_call import AnyClient


class ClientOptions(TypedDict):
    """See `MessagesProvider.options`."""

    timeout: "httpx2.Timeout"
    max_retries: int
    http_client: "httpx2.AsyncClient"
    open_telemetry: Literal[False]


_BASE_URL = "https://api.anthropic.com"
_MODEL = "claude-sonnet-5-5"
_MODEL_OF_ASK = {"plan": "claude-opus-5-5"}
"""A plan is a small answer on which everything after it rests: the stronger model pays there."""


class MessagesProvider(ABC):
    """Claude by some way to the Messages API: `client` is what differs.

    Attributes:
        media_type: content type of a stream of events.
        model_prefix: what model ids begin with there.
    """

    name: str
    price_list: str | None
    keys: tuple[str, ...] = ("",)
    media_type = "text/event-stream"
    model_prefix = ""

    def __init__(self, policy: ModelPolicy) -> None:
        self._policy = policy
        self._endpoint = policy.endpoint(self.name)
        self._clients: Clients[AnyClient] = Clients(self._imported)

    def options(self) -> "ClientOptions":
        """Arguments for any of the SDK's clients: no retries, no redirects, no telemetry."""
        from repowright_tools.llm.transport import http_client, http_timeout

        timeout_s = self._policy.timeout_s
        return {
            "timeout": http_timeout(timeout_s),
            "max_retries": 0,
            "http_client": http_client(timeout_s),
            "open_telemetry": False,
        }

    @abstractmethod
    def client(self, key: str) -> "AnyClient":
        """A new client, with those options. Called in a thread.

        Raises:
            ModelError: a library or a setting is missing.
        """

    def _imported(self, key: str) -> "AnyClient":
        import_module("repowright_tools.llm.anthropic_call")
        return self.client(key)

    def default_model(self, ask: str) -> str | None:
        return self.model_prefix + _MODEL_OF_ASK.get(ask, _MODEL)

    async def send(self, request: ModelRequest, model: str, key: str, opened: Opened) -> ModelReply:
        client = await self._clients.of(key)
        from repowright_tools.llm.anthropic_call import send

        return await send(client, request, model, self._policy.max_tokens, self.media_type, opened)

    async def count(self, request: ModelRequest, model: str, key: str) -> int | None:
        try:
            client = await self._clients.of(key)
        except CallFailed:
            return None
        from repowright_tools.llm.anthropic_call import count

        return await count(client, request, model)

    async def aclose(self) -> None:
        await self._clients.aclose()


class AnthropicProvider(MessagesProvider):
    """Claude from Anthropic itself."""

    name = "anthropic"
    price_list: str | None = "anthropic"

    def __init__(self, policy: ModelPolicy) -> None:
        super().__init__(policy)
        self.keys = self._endpoint.keys

    def client(self, key: str) -> "AsyncAnthropic":
        from anthropic import AsyncAnthropic

        return AsyncAnthropic(
            api_key=key,
            base_url=self._endpoint.base_url or _BASE_URL,
            **self.options(),
        )
