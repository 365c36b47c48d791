"""One request to the Messages API, wherever it is hosted. Imports the SDK: import this lazily."""

from typing import TYPE_CHECKING, Any, TypedDict

import anyio
from anthropic import transform_schema

from repowright_tools.errors import AnswerMalformed, ModelUnreachable
from repowright_tools.llm.anthropic_errors import failed, stop_failure
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.provider import ModelReply, ModelRequest, Opened, Usage, feedback, parse_answer
from repowright_tools.llm.refusals import service_failed, useless
from repowright_tools.llm.transport import Heard, listening, tokens

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.lib.bedrock import AsyncAnthropicBedrock
    from anthropic.lib.vertex import AsyncAnthropicVertex
    from anthropic.types import (
        MessageDeltaUsage,
        MessageParam,
        OutputConfigParam,
        RawMessageStreamEvent,
        RefusalStopDetails,
        StopReason,
        TextBlockParam,
    )
    from anthropic.types import Usage as MessageUsage

    AnyClient = AsyncAnthropic | AsyncAnthropicBedrock | AsyncAnthropicVertex

_COUNT_TIMEOUT_S = 10.0


class Answer:
    """An answer as it arrives. It counts only when it is complete, but it is billed from its beginning.

    Args:
        max_tokens: most output that can be charged for.
    """

    def __init__(self, max_tokens: int) -> None:
        self.complete = False
        self.model: str | None = None
        self.stop_reason: StopReason | None = None
        self.stop_details: RefusalStopDetails | None = None
        self._max_tokens = max_tokens
        self.usage: Usage | None = None
        """What is charged for it: exact once it has stopped, before that at most; None when it has not begun."""

    def take(self, event: "RawMessageStreamEvent", heard: Heard) -> None:
        """Add what an event says.

        Raises:
            AnswerMalformed: the answer is too long.
            Exception: the event has not the shape it must have.
        """
        match event.type:
            case "message_start":
                self.model = event.message.model
                self.usage = _usage(event.message.usage, self._max_tokens)
            case "content_block_start" if event.content_block.type == "text":
                heard.add(event.content_block.text)
            case "content_block_delta" if event.delta.type == "text_delta":
                heard.add(event.delta.text)
            case "message_delta":
                self.stop_reason, self.stop_details = event.delta.stop_reason, event.delta.stop_details
                output_tokens = event.usage.output_tokens if self.stop_reason else self._max_tokens
                self.usage = _usage(event.usage, output_tokens, before=self.usage)
            case "message_stop":
                self.complete = self.usage is not None
            case _:
                pass  # thinking, and what later versions of the API add


async def send(
    client: "AnyClient", request: ModelRequest, model: str, max_tokens: int, media_type: str, opened: Opened
) -> ModelReply:
    """See `Provider.send`. `media_type` is what a stream of events has for a content type."""
    answer, prompt = Answer(max_tokens), _prompt(request, model)
    with listening(opened) as heard:
        try:
            async with await client.messages.create(**prompt, max_tokens=max_tokens, stream=True) as events:
                heard.expect(media_type)
                async for event in events:
                    answer.take(event, heard)
            return _reply(answer, heard)
        except CallFailed:
            raise
        except AnswerMalformed as error:
            raise service_failed(error, heard, answer.usage, may_pass=False) from error
        except Exception as error:
            raise failed(error, heard, answer.usage) from error


async def count(client: "AnyClient", request: ModelRequest, model: str) -> int | None:
    """See `Provider.count`."""
    with anyio.move_on_after(_COUNT_TIMEOUT_S):
        try:
            return (await client.messages.count_tokens(**_prompt(request, model))).input_tokens
        except Exception:
            return None
    return None


def _reply(answer: Answer, heard: Heard) -> ModelReply:
    usage, text = answer.usage, heard.text
    if not answer.complete or usage is None:
        raise service_failed(ModelUnreachable("the connection ended in the middle of the answer"), heard, usage)
    failure = stop_failure(answer.stop_reason, answer.stop_details, usage, empty=not text.strip())
    if failure is not None:
        raise useless(failure, heard, usage)
    return ModelReply(parse_answer(text), usage, answer.model, heard.request_id)


class _Prompt(TypedDict):
    model: str
    system: "list[TextBlockParam]"
    messages: "list[MessageParam]"
    output_config: "OutputConfigParam"


def _prompt(request: ModelRequest, model: str) -> _Prompt:
    schema: dict[str, Any] = transform_schema(dict(request.schema))
    return {
        "model": model,
        "system": [_block(request.instructions, cached=True)],
        "messages": _messages(request),
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
    }


def _messages(request: ModelRequest) -> "list[MessageParam]":
    first, rest = request.context[:1], request.context[1:]
    # With the instructions and the last turn these make the four breakpoints that a request may have.
    blocks = [_block(text, cached=True) for text in (*first, "\n\n".join(rest)) if text]
    messages: list[MessageParam] = [{"role": "user", "content": blocks}]
    for number, exchange in enumerate(request.exchanges, start=1):
        last = number == len(request.exchanges)
        messages.append({"role": "assistant", "content": exchange.answer.strip() or "(no answer)"})
        messages.append({"role": "user", "content": [_block(feedback(exchange.findings), cached=last)]})
    return messages


def _block(text: str, *, cached: bool) -> "TextBlockParam":
    block: TextBlockParam = {"type": "text", "text": text}
    if cached:
        block["cache_control"] = {"type": "ephemeral"}
    return block


def _usage(told: "MessageUsage | MessageDeltaUsage", output_tokens: int, before: Usage | None = None) -> Usage:
    """Figures as of an event. Those of a later one are totals, and may leave out what has not changed."""
    if told.input_tokens is None and before is not None:
        return Usage(before.input_tokens, tokens(output_tokens), before.cached_input_tokens, before.cache_write_tokens)
    cached, written = tokens(told.cache_read_input_tokens or 0), tokens(told.cache_creation_input_tokens or 0)
    return Usage(tokens(told.input_tokens) + cached + written, tokens(output_tokens), cached, written)
