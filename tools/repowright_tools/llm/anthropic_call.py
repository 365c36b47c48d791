"""One call of the Messages API, retries included. Imports the SDK: import this lazily."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import httpx2
from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient, transform_schema

from repowright_tools.errors import AnswerMalformed, ModelUnreachable
from repowright_tools.llm.anthropic_errors import classify, stop_failure
from repowright_tools.llm.policy import ModelPolicy
from repowright_tools.llm.provider import ModelReply, ModelRequest, Usage, parse_answer
from repowright_tools.llm.retry import Transient, retrying

if TYPE_CHECKING:
    from anthropic.types import Message, MessageParam

_BASE_URL = "https://api.anthropic.com"
_CONNECT_TIMEOUT_S = 10.0
_MAX_ANSWER_CHARACTERS = 8_000_000
"""Far above what any model writes; keeps an endpoint gone mad from filling the memory."""


class Call:
    """A request to one model with one key. The answer is streamed and counts only when it is complete."""

    def __init__(self, policy: ModelPolicy, model: str, request: ModelRequest) -> None:
        self._policy = policy
        self._model = model
        self._request = request
        self._schema: dict[str, Any] = transform_schema(dict(request.schema))

    async def run(self) -> ModelReply:
        """The reply of the first attempt that gets one.

        Raises:
            ModelError: no attempt got a reply; see `anthropic_errors` for which failure is which error.
        """
        timeout = httpx2.Timeout(self._policy.timeout_s, connect=min(self._policy.timeout_s, _CONNECT_TIMEOUT_S))
        # A redirect would carry the prompt, and perhaps the key, to another host.
        transport = DefaultAsyncHttpxClient(timeout=timeout, follow_redirects=False)
        async with AsyncAnthropic(
            api_key=self._policy.api_keys[0],
            base_url=self._policy.base_url or _BASE_URL,
            timeout=timeout,
            max_retries=0,
            http_client=transport,
            open_telemetry=False,
        ) as client:
            return await retrying(self._policy, lambda: self._attempt(client))

    async def _attempt(self, client: AsyncAnthropic) -> ModelReply:
        try:
            return await self._stream(client)
        except (Transient, AnswerMalformed):
            raise
        except Exception as error:
            raise classify(error) from error

    async def _stream(self, client: AsyncAnthropic) -> ModelReply:
        async with client.messages.stream(
            model=self._model,
            max_tokens=self._policy.max_tokens,
            system=[{"type": "text", "text": self._request.instructions, "cache_control": {"type": "ephemeral"}}],
            messages=_messages(self._request),
            output_config={"format": {"type": "json_schema", "schema": self._schema}},
        ) as stream:
            kind = stream.response.headers.get("content-type", "")
            if not kind.startswith("text/event-stream"):
                # A proxy's or a portal's page: asking again would show the same page.
                raise AnswerMalformed(f"the endpoint answered with {kind or 'no content type'} instead of an answer")
            complete, received = False, 0
            async for event in stream:
                complete = complete or event.type == "message_stop"
                received += len(event.text) if event.type == "text" else 0
                if received > _MAX_ANSWER_CHARACTERS:
                    raise AnswerMalformed(f"the answer has more than {_MAX_ANSWER_CHARACTERS} characters")
            if not complete:
                raise Transient(ModelUnreachable("the connection ended in the middle of the answer"))
            return _reply(stream.current_message_snapshot, stream.request_id)


def _messages(request: ModelRequest) -> "list[MessageParam]":
    messages: list[MessageParam] = [{"role": "user", "content": request.context}]
    for exchange in request.exchanges:
        messages.append({"role": "assistant", "content": exchange.answer.strip() or "(no answer)"})
        messages.append({"role": "user", "content": _feedback(exchange.findings)})
    return messages


def _feedback(findings: Sequence[str]) -> str:
    points = "\n".join(f"- {finding}" for finding in findings)
    return f"That answer was refused. Answer again, whole, with these points mended:\n{points}"


def _reply(message: "Message", request_id: str | None) -> ModelReply:
    usage = message.usage
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    text = "".join(block.text for block in message.content if block.type == "text")
    return ModelReply(
        answer=parse_answer(text),
        usage=Usage(usage.input_tokens + cached + written, usage.output_tokens, cached, written),
        model=message.model,
        request_id=request_id,
        failure=stop_failure(message, empty=not text.strip()),
    )
