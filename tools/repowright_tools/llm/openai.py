"""Chat completions, as OpenAI has them, and Ollama, vLLM, OpenRouter too. The SDK is imported at the first request."""

from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from repowright_tools.errors import ProviderMissing
from repowright_tools.llm.clients import Clients
from repowright_tools.llm.policy import ModelPolicy
from repowright_tools.llm.provider import ModelReply, ModelRequest, Opened

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_BASE_URL = "https://api.openai.com/v1"
_PRICE_LISTS = {"api.openai.com": "openai", "openrouter.ai": "openrouter"}
"""By host. What others charge, if anything, nobody can look up."""


class OpenAIProvider:
    """Any endpoint that speaks the protocol; one with an address of its own needs no key."""

    name = "openai"

    def __init__(self, policy: ModelPolicy) -> None:
        endpoint = policy.endpoint(self.name)
        self._timeout_s = policy.timeout_s
        self._base_url = endpoint.base_url or _BASE_URL
        host = urlsplit(self._base_url).hostname or ""
        self.price_list = _PRICE_LISTS.get(host)
        self.keys = endpoint.keys or (("",) if endpoint.base_url else ())
        # OpenAI's newer models refuse the old name of the limit; Ollama ignores the new one (ollama/ollama#7125).
        name = "max_completion_tokens" if self.price_list == "openai" else "max_tokens"
        self._limit = {name: policy.max_tokens}
        self._clients: Clients[AsyncOpenAI] = Clients(self._client)

    def default_model(self, ask: str) -> str | None:
        return None  # what there is depends on the endpoint

    async def send(self, request: ModelRequest, model: str, key: str, opened: Opened) -> ModelReply:
        client = await self._clients.of(key)
        from repowright_tools.llm.openai_call import send

        return await send(client, request, model, self._limit, opened)

    async def count(self, request: ModelRequest, model: str, key: str) -> int | None:
        return None  # the protocol has no such request

    async def aclose(self) -> None:
        await self._clients.aclose()

    def _client(self, key: str) -> "AsyncOpenAI":
        try:
            import_module("repowright_tools.llm.openai_call")
            from openai import AsyncOpenAI
        except ImportError as error:
            raise ProviderMissing(
                "the provider openai needs the package openai",
                what_to_do="Install it: pip install 'repowright[openai]'.",
            ) from error
        from repowright_tools.llm.openai_call import NO_KEY
        from repowright_tools.llm.transport import http_client, http_timeout

        return AsyncOpenAI(
            api_key=key or NO_KEY,
            base_url=self._base_url,
            timeout=http_timeout(self._timeout_s),
            max_retries=0,
            http_client=http_client(self._timeout_s),
        )
