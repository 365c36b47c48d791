"""What the Messages API says, as JSON bodies and as the events of a stream."""

import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

from fakes.messages_ledger import CHARACTERS_PER_TOKEN, Usage
from fakes.messages_script import Say

_PIECE_CHARACTERS = 16_384
_DELTAS = {
    "text": ("text", "text_delta", "text"),
    "thinking": ("thinking", "thinking_delta", "thinking"),
    "tool_use": ("input", "input_json_delta", "partial_json"),
}
"""For each type of block: the field that is streamed, and the type and the field of its deltas."""


class Piece(NamedTuple):
    """An event, and how much of the answer it carries."""

    event: dict[str, Any]
    characters: int = 0


def sse(event: dict[str, Any]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def text_of(say: Say) -> str:
    return json.dumps(say.answer) if say.text is None else say.text


def length_of(say: Say) -> int:
    """How many characters of the answer are streamed."""
    return sum(len(_streamed(block)) for block in _blocks(say))


def output_tokens_of(say: Say) -> int:
    return length_of(say) // CHARACTERS_PER_TOKEN + 1 if say.output_tokens is None else say.output_tokens


def halves(text: str) -> Iterator[str]:
    """At least two pieces, so that a client must join them; none is empty."""
    size = min(_PIECE_CHARACTERS, math.ceil(len(text) / 2))
    return (text[start : start + size] for start in range(0, len(text), max(1, size)))


def usage_json(usage: Usage) -> dict[str, int]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
    }


def message(say: Say, *, model: str, name: str, usage: Usage) -> dict[str, Any]:
    return {
        "id": name,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": _whole(say),
        "stop_reason": say.stop_reason,
        "stop_sequence": None,
        "stop_details": say.stop_details,
        "usage": usage_json(usage),
    }


def beginning(say: Say, *, model: str, name: str, usage: Usage) -> Iterator[Piece]:
    """Everything up to the end of the last block."""
    start = message(say, model=model, name=name, usage=usage)
    start["usage"] |= {"output_tokens": min(1, usage.output_tokens)}
    start |= {"stop_reason": None, "stop_details": None}
    if say.content == "text" or isinstance(say.content, list):
        start["content"] = []
    yield Piece({"type": "message_start", "message": start})
    yield Piece({"type": "ping"})
    for index, block in enumerate(_blocks(say)):
        if index:
            yield Piece({"type": "content_block_stop", "index": index - 1})
        yield from _block(index, block)


def ending(say: Say, *, usage: Usage, stop: bool = True) -> Iterator[dict[str, Any]]:
    """Everything after the last delta; without `stop`, all but the last event."""
    if blocks := _blocks(say):
        yield {"type": "content_block_stop", "index": len(blocks) - 1}
    delta = {"stop_reason": say.stop_reason, "stop_sequence": None, "stop_details": say.stop_details}
    yield {"type": "message_delta", "delta": delta, "usage": usage_json(usage)}
    if stop:
        yield {"type": "message_stop"}


def _whole(say: Say) -> Any:
    """The content of a body."""
    if say.content == "text":
        return [{"type": "text", "text": text_of(say)}]
    if not isinstance(say.content, list):
        return say.content
    # Input that was cut is no JSON: a body has none of it.
    nothing: dict[str, Any] = {"input": {}}
    return [block | nothing if isinstance(block.get("input"), str) else block for block in _blocks(say)]


def _blocks(say: Say) -> list[dict[str, Any]]:
    if isinstance(say.content, list):
        return cast(list[dict[str, Any]], say.content)  # pyright: ignore[reportUnknownMemberType] - any JSON
    text = text_of(say)
    return [{"type": "text", "text": text}] if text else []


def _streamed(block: dict[str, Any]) -> str:
    """What comes in deltas; empty for a block that comes whole."""
    if block["type"] not in _DELTAS:
        return ""
    value = block[_DELTAS[block["type"]][0]]
    return value if isinstance(value, str) else json.dumps(value)


def _block(index: int, block: dict[str, Any]) -> Iterator[Piece]:
    if block["type"] not in _DELTAS:
        yield Piece({"type": "content_block_start", "index": index, "content_block": block})
        return
    source, kind, target = _DELTAS[block["type"]]
    empty: Any = {} if source == "input" else ""
    yield Piece({"type": "content_block_start", "index": index, "content_block": block | {source: empty}})
    for text in halves(_streamed(block)):
        delta = {"type": kind, target: text}
        yield Piece({"type": "content_block_delta", "index": index, "delta": delta}, len(text))
    if "signature" in block:
        delta = {"type": "signature_delta", "signature": block["signature"]}
        yield Piece({"type": "content_block_delta", "index": index, "delta": delta})
