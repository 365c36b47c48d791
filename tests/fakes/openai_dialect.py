"""OpenAI's dialect: chat completions as bodies and as chunks."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fakes import messages_wire as wire
from fakes.messages_dialects import Dialect, Sent
from fakes.messages_ledger import Asked, text_of
from fakes.messages_script import Refuse, Say, StreamError

_CREATED = 1_700_000_000
_FINISH = {"end_turn": "stop", "max_tokens": "length", "refusal": "stop", "tool_use": "tool_calls"}
"""Any other `stop_reason` goes out as it is: "content_filter", or one that nobody knows."""
_INSTRUCTING = ("system", "developer")


class ChatAsked(Asked):
    """A request for a chat completion."""

    @property
    def schema(self) -> str | None:
        try:
            named = self.body["response_format"]["json_schema"]
        except KeyError:
            return None
        title: str = named.get("schema", {}).get("title", named["name"])
        return title

    @property
    def system(self) -> str:
        turns = self.body["messages"]
        return "\n".join(text_of(turn["content"]) for turn in turns if turn["role"] in _INSTRUCTING)

    @property
    def turns(self) -> list[tuple[str, str]]:
        turns = self.body["messages"]
        return [(turn["role"], text_of(turn["content"])) for turn in turns if turn["role"] not in _INSTRUCTING]


class ChatDialect(Dialect):
    """See the module. Content other than text takes the place of `choices`: a body of the wrong shape."""

    def head(self, asked: Asked, limits: Mapping[str, str]) -> dict[str, str]:
        # Whoever shows no valid key is told nothing of the organisation.
        organisation = {} if asked.status == 401 else {"openai-organization": asked.organisation}
        return {"x-request-id": f"req_{asked.number}", **organisation}

    def error(self, step: Refuse) -> tuple[dict[str, str], Any]:
        code = step.error_code or ("rate_limit_exceeded" if step.status == 429 else None)
        return {}, {"error": {"message": step.message, "type": step.type, "param": None, "code": code}}

    def message(self, say: Say, asked: Asked) -> Any:
        text, field = wire.text_of(say), _field(say)
        message = {"role": "assistant", "content": None, "refusal": None, field: text}
        choices = [{"index": 0, "message": message, "finish_reason": _finish(say), "logprobs": None}]
        return _body(say, asked, "chat.completion", choices) | {"usage": _usage(asked)}

    def beginning(self, say: Say, asked: Asked) -> Iterator[Sent]:
        yield Sent(_data(_chunk(say, asked, {"role": "assistant", "content": "", "refusal": None})))
        for text in wire.halves(wire.text_of(say)):
            yield Sent(_data(_chunk(say, asked, {_field(say): text})), len(text))

    def ending(self, say: Say, asked: Asked, *, stop: bool) -> Iterator[bytes]:
        yield _data(_chunk(say, asked, {}, _finish(say)))
        if _with_usage(asked):
            yield _data(_body(say, asked, "chat.completion.chunk", []) | {"usage": _usage(asked)})
        if stop:
            yield b"data: [DONE]\n\n"

    def failure(self, step: StreamError) -> bytes:
        return _data({"error": {"message": step.message, "type": step.type, "param": None, "code": None}})


def _data(value: Any) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def _body(say: Say, asked: Asked, kind: str, choices: list[Any]) -> dict[str, Any]:
    shaped: Any = choices if say.content == "text" else say.content
    return {
        "id": f"chatcmpl-{asked.number}",
        "object": kind,
        "created": _CREATED,
        "model": asked.model,
        "choices": shaped,
    }


def _chunk(say: Say, asked: Asked, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]
    return _body(say, asked, "chat.completion.chunk", choices) | ({"usage": None} if _with_usage(asked) else {})


def _with_usage(asked: Asked) -> bool:
    options: dict[str, Any] | None = asked.body.get("stream_options")
    return options is not None and bool(options.get("include_usage"))


def _field(say: Say) -> str:
    return "refusal" if say.stop_reason == "refusal" else "content"


def _finish(say: Say) -> str | None:
    return _FINISH.get(say.stop_reason or "", say.stop_reason)


def _usage(asked: Asked) -> dict[str, Any]:
    usage = asked.usage
    read = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    return {
        "prompt_tokens": read,
        "completion_tokens": usage.output_tokens,
        "total_tokens": read + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_tokens},
    }
