"""Every remote provider in front of its fake, so that one test can be put to all of them."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fakes.messages_api import MessagesApi
from fakes.messages_script import Raw
from fakes.messages_server import FakeApi
from fakes.openai_api import OpenAiApi
from repowright_tools.llm.anthropic import AnthropicProvider
from repowright_tools.llm.bedrock import BedrockProvider
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.openai import OpenAIProvider
from repowright_tools.llm.policy import Endpoint, ModelPolicy
from repowright_tools.llm.provider import Exchange, ModelReply, ModelRequest, Provider
from repowright_tools.llm.vertex import VertexProvider

PROVIDERS: Mapping[str, Callable[[ModelPolicy], Provider]] = {
    "anthropic": AnthropicProvider,
    "bedrock": BedrockProvider,
    "vertex": VertexProvider,
    "openai": OpenAIProvider,
}
KEY = "key-of-no-known-shape-4711"
MAX_TOKENS = 500
MODEL = "claude-sonnet-5-5"
SCHEMA = {
    "title": "Word",
    "type": "object",
    "properties": {"word": {"type": "string", "default": "no"}},
    "additionalProperties": False,
}


def word_request(*exchanges: Exchange, context: tuple[str, ...] = ("A map.", "Which word?")) -> ModelRequest:
    return ModelRequest("word", 1 + len(exchanges), "Say a word.", context, SCHEMA, exchanges)


@dataclass
class Subject:
    """A provider and its fake.

    Attributes:
        told: the headers of each response, as they were told.
    """

    name: str
    api: FakeApi
    provider: Provider
    told: list[Mapping[str, str]] = field(default_factory=list[Mapping[str, str]])

    @property
    def key(self) -> str:
        return self.provider.keys[0]

    async def opened(self, headers: Mapping[str, str]) -> None:
        self.told.append(headers)

    async def send(self, request: ModelRequest | None = None) -> ModelReply:
        return await self.provider.send(request or word_request(), MODEL, self.key, self.opened)

    async def fail(self) -> CallFailed:
        """Send, and expect no answer."""
        with pytest.raises(CallFailed) as raised:
            await self.send()
        return raised.value

    def event(self, data: bytes) -> Raw:
        """A stream of one event, which may be nonsense."""
        if self.name == "bedrock":
            return Raw(data, "application/vnd.amazon.eventstream")
        return Raw(b"event: message_start\ndata: " + data + b"\n\n", "text/event-stream")


def policy_of(
    name: str, base_url: str | None, timeout_s: float = 5.0, keys: tuple[str, ...] | None = None
) -> ModelPolicy:
    keys = keys if keys is not None else (KEY,) if name in ("anthropic", "openai") else ()
    return ModelPolicy(name, endpoints={name: Endpoint(keys, base_url)}, max_tokens=MAX_TOKENS, timeout_s=timeout_s)


def base_url(name: str, api_url: str) -> str:
    """What is set for a server at `api_url`."""
    return api_url if name in ("anthropic", "bedrock") else f"{api_url}/v1"


class Fakes:
    """The fake APIs, which run as long as the tests do."""

    def __init__(self, messages: MessagesApi, chat: OpenAiApi) -> None:
        self._messages = messages
        self._chat = chat

    def of(self, name: str) -> FakeApi:
        """The one that a provider speaks with, as if it were new."""
        api: FakeApi = self._chat if name == "openai" else self._messages
        api.ledger.clear()
        return api


@pytest.fixture(scope="session")
def fakes() -> Iterator[Fakes]:
    with MessagesApi() as messages, OpenAiApi() as chat:
        yield Fakes(messages, chat)


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch, google_account: Path) -> None:
    """What AWS's and Google's tools find in the environment, and nothing of the machine's own."""
    settings = {
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        "CLOUD_ML_REGION": "europe-west1",
        "GOOGLE_APPLICATION_CREDENTIALS": str(google_account),
        "NO_GCE_CHECK": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)
    for name in ("ANTHROPIC_VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT", "ANTHROPIC_CUSTOM_HEADERS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=PROVIDERS)
async def subject(request: pytest.FixtureRequest, fakes: Fakes, credentials: None) -> AsyncIterator[Subject]:
    """Each provider in turn."""
    async with subject_of(request.param, fakes) as subject:
        yield subject


@asynccontextmanager
async def subject_of(name: str, fakes: Fakes, timeout_s: float = 5.0) -> AsyncGenerator[Subject]:
    api = fakes.of(name)
    provider = PROVIDERS[name](policy_of(name, base_url(name, api.url), timeout_s))
    try:
        yield Subject(name, api, provider)
    finally:
        await provider.aclose()
