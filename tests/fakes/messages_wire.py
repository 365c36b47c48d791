"""Bytes of the Messages API: JSON bodies and server-sent events."""

import json
from collections.abc import Iterator
from typing import Any

from fakes.messages_script import Say


def event(name: str, **data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def text_of(say: Say) -> str:
    return json.dumps(say.answer) if say.text is None else say.text


def usage_of(say: Say, prompt_tokens: int) -> dict[str, int]:
    return {
        "input_tokens": prompt_tokens if say.input_tokens is None else say.input_tokens,
        "output_tokens": len(text_of(say)) // 4 + 1 if say.output_tokens is None else say.output_tokens,
        "cache_read_input_tokens": say.cache_read_input_tokens,
        "cache_creation_input_tokens": say.cache_creation_input_tokens,
    }


def message(say: Say, *, model: str, name: str, usage: dict[str, int]) -> dict[str, Any]:
    return {
        "id": name,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": text_of(say)}] if say.content == "text" else say.content,
        "stop_reason": say.stop_reason,
        "stop_sequence": None,
        "stop_details": say.stop_details,
        "usage": usage,
    }


def beginning(say: Say, *, model: str, name: str, usage: dict[str, int]) -> Iterator[bytes]:
    """The events up to and with the text, in two pieces, so that a client must join them."""
    start = message(say, model=model, name=name, usage=usage | {"output_tokens": 1})
    start |= {"content": [] if say.content == "text" else say.content, "stop_reason": None, "stop_details": None}
    yield event("message_start", message=start)
    yield event("ping")
    text = text_of(say)
    if text:
        yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
            if piece:
                yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})


def ending(say: Say, *, usage: dict[str, int], stop: bool = True) -> Iterator[bytes]:
    if text_of(say):
        yield event("content_block_stop", index=0)
    delta = {"stop_reason": say.stop_reason, "stop_sequence": None, "stop_details": say.stop_details}
    yield event("message_delta", delta=delta, usage=usage)
    if stop:
        yield event("message_stop")
