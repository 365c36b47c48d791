"""One chat completion. Imports the SDK: import this lazily."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from openai import Omit

from repowright_tools.errors import AnswerMalformed, ModelUnreachable
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.openai_errors import failed, stop_failure
from repowright_tools.llm.provider import ModelReply, ModelRequest, Opened, Usage, feedback, parse_answer
from repowright_tools.llm.refusals import service_failed, useless
from repowright_tools.llm.transport import Heard, listening, tokens

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam
    from openai.types.shared_params import ResponseFormatJSONSchema

NO_KEY = "none"
"""The SDK wants a key, and is told below not to send this one."""


class Completion:
    """An answer as it arrives. It counts only when it is complete; what it used is said at its very end."""

    def __init__(self) -> None:
        self.begun = False
        self.model: str | None = None
        self.finish_reason: str | None = None
        self.refused = False
        self.usage: Usage | None = None

    def take(self, chunk: "ChatCompletionChunk", heard: Heard) -> None:
        """Add what a chunk says.

        Raises:
            AnswerMalformed: the answer is too long.
            Exception: the chunk has not the shape it must have.
        """
        self.begun = True
        self.model = chunk.model or self.model
        if chunk.usage is not None:
            self.usage = _usage(chunk.usage)
        for choice in chunk.choices:
            heard.add(choice.delta.content or "")
            self.refused = self.refused or bool(choice.delta.refusal)
            self.finish_reason = choice.finish_reason or self.finish_reason


async def send(
    client: "AsyncOpenAI", request: ModelRequest, model: str, limit: Mapping[str, int], opened: Opened
) -> ModelReply:
    """See `Provider.send`. `limit` is the limit of the answer, under the name that the endpoint knows."""
    completion = Completion()
    messages, answer_format = _messages(request), _format(request)
    with listening(opened) as heard:
        try:
            async with await client.chat.completions.create(
                model=model,
                messages=messages,
                response_format=answer_format,
                stream=True,
                stream_options={"include_usage": True},
                extra_headers={"Authorization": Omit()} if client.api_key == NO_KEY else None,
                extra_body=limit,
            ) as chunks:
                heard.expect("text/event-stream")
                async for chunk in chunks:
                    completion.take(chunk, heard)
            return _reply(completion, heard)
        except CallFailed:
            raise
        except AnswerMalformed as error:
            raise service_failed(error, heard, completion.usage, may_pass=False) from error
        except Exception as error:
            raise failed(error, heard, completion.usage, begun=completion.begun) from error


def _reply(completion: Completion, heard: Heard) -> ModelReply:
    usage = completion.usage
    if completion.finish_reason is None or usage is None:
        raise service_failed(ModelUnreachable("the connection ended in the middle of the answer"), heard, usage)
    text = heard.text
    failure = stop_failure(completion.finish_reason, usage, refused=completion.refused, empty=not text.strip())
    if failure is not None:
        raise useless(failure, heard, usage)
    return ModelReply(parse_answer(text), usage, completion.model, heard.request_id)


def _messages(request: ModelRequest) -> "list[ChatCompletionMessageParam]":
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": request.instructions},
        {"role": "user", "content": "\n\n".join(request.context)},
    ]
    for exchange in request.exchanges:
        messages.append({"role": "assistant", "content": exchange.answer.strip() or "(no answer)"})
        messages.append({"role": "user", "content": feedback(exchange.findings)})
    return messages


def _format(request: ModelRequest) -> "ResponseFormatJSONSchema":
    schema: dict[str, Any] = _strict(request.schema)
    return {"type": "json_schema", "json_schema": {"name": request.ask, "schema": schema, "strict": True}}


def _strict(schema: Any) -> Any:
    """The schema as strict mode wants it: every field is required, none has a default, and there are no others.

    Source: platform.openai.com, structured outputs, supported schemas.
    """
    if isinstance(schema, list):
        return [_strict(part) for part in cast("list[object]", schema)]
    if not isinstance(schema, Mapping):
        return schema
    parts = cast("Mapping[str, Any]", schema)
    if parts.get("type") != "object" or "properties" not in parts:
        return {name: _strict(part) for name, part in parts.items() if name != "default" or isinstance(part, Mapping)}
    fields = {name: _strict(part) for name, part in parts["properties"].items()}
    rest = {name: _strict(part) for name, part in parts.items() if name not in ("properties", "required", "default")}
    return {**rest, "properties": fields, "required": list(fields), "additionalProperties": False}


def _usage(told: "CompletionUsage") -> Usage:
    details = told.prompt_tokens_details
    cached = tokens(details.cached_tokens or 0) if details else 0
    written = tokens(details.cache_write_tokens or 0) if details else 0
    return Usage(tokens(told.prompt_tokens), tokens(told.completion_tokens), cached, written)
