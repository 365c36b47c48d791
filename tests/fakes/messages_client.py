"""The official client, pointed at the fake, and a clock that a test turns by hand."""

from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Any, cast

from anthropic import AsyncAnthropic
from anthropic.types import Message
from httpx2 import AsyncClient

from fakes.messages_api import MessagesApi

MODEL = "claude-sonnet-5-5"


class HandClock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def client_of(api: MessagesApi, key: str = "k", timeout_s: float = 5.0) -> AsyncAnthropic:
    return AsyncAnthropic(api_key=key, base_url=api.url, max_retries=0, http_client=loopback(timeout_s))


def loopback(timeout_s: float = 5.0) -> AsyncClient:
    """Plain HTTP: it reads no certificate authorities, which takes longer than most tests."""
    return AsyncClient(verify=SSLContext(PROTOCOL_TLS_CLIENT), timeout=timeout_s, trust_env=False)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def marked(text: str) -> dict[str, Any]:
    """A block of text that ends a prefix to cache."""
    return {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}


async def ask(
    client: AsyncAnthropic, *messages: dict[str, Any], system: Any = "", model: str = MODEL, **more: Any
) -> Message:
    """One answer in one body."""
    turns = messages or (user("?"),)
    request: dict[str, Any] = {"model": model, "max_tokens": 100, "system": system, "messages": turns, **more}
    message: Message = await cast(Any, client.messages).create(**request)
    return message


async def streamed(client: AsyncAnthropic, *messages: dict[str, Any], model: str = MODEL) -> Message:
    """One answer, event by event."""
    turns: Any = list(messages) or [user("?")]
    async with client.messages.stream(model=model, max_tokens=100, messages=turns) as stream:
        return await stream.get_final_message()
