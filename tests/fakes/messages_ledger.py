"""The ledger of a fake model API: who asked what, what became of it, and what it may be charged at."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple, cast

from fakes.messages_script import Step

CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Usage:
    """Tokens of one call. The three kinds of input do not overlap: their sum is what the model read."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


class Block(NamedTuple):
    """A part of the request, in the order in which a prompt cache sees it."""

    content: str
    """JSON, without its mark."""
    characters: int
    spoken: bool
    """Whether it is text."""
    marked: bool
    """Whether it ends a prefix that should be cached."""


@dataclass
class Asked:
    """A request as it arrived, and what became of it: one line of the ledger.

    Attributes:
        path: as sent, without the query.
        key: the API key, bearer token or AWS access key id it came with.
        body: the JSON body.
        model: as the body or the path names it.
        stream: whether the answer should be streamed.
        kind: only an "ask" can cost money.
        at: when it arrived, seconds on the monotonic clock.
        organisation: the one the key belongs to.
        status: the HTTP status that was sent; None while none is.
        number: its place in the ledger, from 1.
        outcome: the step that answered it; None while none has.
        usage: what the whole answer reports; `billed` and the tokens below are what was charged so far.
        input_tokens: billed in full: neither read from nor written to the prompt cache.
        output_tokens: billed; grows while an answer is sent.
        billed: whether an answer was begun: what a provider may charge for.
    """

    path: str
    key: str
    headers: dict[str, str]
    body: dict[str, Any]
    model: str = ""
    stream: bool = False
    kind: Literal["ask", "count", "list"] = "ask"
    at: float = field(default_factory=time.monotonic)
    organisation: str = ""
    number: int = 0
    status: int | None = None
    outcome: Step | None = None
    usage: Usage = Usage()
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    billed: bool = False

    @property
    def schema(self) -> str | None:
        """The title of the schema that the answer must fit; None when there is none."""
        try:
            title: str | None = self.body["output_config"]["format"]["schema"].get("title")
        except KeyError:
            return None
        return title

    @property
    def system(self) -> str:
        return text_of(self.body.get("system", ""))

    @property
    def turns(self) -> list[tuple[str, str]]:
        """Role and text of each message."""
        return [(turn["role"], text_of(turn["content"])) for turn in self.body["messages"]]

    @property
    def text(self) -> str:
        """Everything the model reads as text."""
        return "\n".join([self.system, *(text for _, text in self.turns)])

    @property
    def blocks(self) -> list[Block]:
        """Tools, system and messages, block by block. A mark on the request as a whole is one on its last block."""
        parts = [("tool", tool) for tool in self.body.get("tools", [])]
        parts += [("system", part) for part in _parts(self.body.get("system", []))]
        parts += [(turn["role"], part) for turn in self.body["messages"] for part in _parts(turn["content"])]
        blocks = [_block(role, part) for role, part in parts]
        if "cache_control" in self.body and blocks:
            blocks[-1] = blocks[-1]._replace(marked=True)
        return blocks

    @property
    def prompt_tokens(self) -> int:
        """All input, cached or not."""
        beside_text = sum(block.characters for block in self.blocks if not block.spoken)
        return (len(self.text) + beside_text) // CHARACTERS_PER_TOKEN + 1

    @property
    def charged(self) -> Usage:
        """What was billed so far."""
        return Usage(self.input_tokens, self.output_tokens, self.cache_read_tokens, self.cache_write_tokens)

    def bill_input(self) -> None:
        """An answer begins, and with it the bill."""
        self.billed = True
        self.input_tokens = self.usage.input_tokens
        self.cache_read_tokens = self.usage.cache_read_tokens
        self.cache_write_tokens = self.usage.cache_write_tokens


def figures(usage: Usage) -> dict[str, int]:
    return asdict(usage)


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "\n".join(block.get("text", "") for block in content)


def _parts(content: Any) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else cast(list[dict[str, Any]], content)


def _block(role: str, part: Mapping[str, Any]) -> Block:
    bare = {name: value for name, value in part.items() if name != "cache_control"}
    content = json.dumps(bare, sort_keys=True)
    return Block(f"{role} {content}", len(part.get("text", content)), "text" in part, "cache_control" in part)
