"""What makes two requests the same, so that the answer to one is the answer to the other."""

from dataclasses import replace

import pytest

from repowright_tools.llm.cache import cache_key
from repowright_tools.llm.provider import Exchange, ModelRequest

REQUEST = ModelRequest(
    ask="plan",
    number=2,
    instructions="Plan it.",
    context=("shared", "own"),
    schema={"title": "Plan", "properties": {"summary": {"type": "string"}, "tasks": {"type": "array"}}},
    exchanges=(Exchange("{}", ["summary: Field required"]),),
)
OTHER_ORDER = {"title": "Plan", "properties": {"tasks": {"type": "array"}, "summary": {"type": "string"}}}


def key(
    request: ModelRequest = REQUEST,
    provider: str = "anthropic",
    model: str = "claude-opus-5-5",
    base_url: str | None = None,
    max_tokens: int = 32_000,
) -> str:
    return cache_key(provider, model, base_url, request, max_tokens)


def test_the_same_request_has_the_same_key_whatever_holds_its_parts() -> None:
    findings = ("summary: Field required",)

    assert key(replace(REQUEST, context=["shared", "own"], exchanges=[Exchange("{}", findings)])) == key()


@pytest.mark.parametrize(
    "other",
    [
        key(provider="bedrock"),
        key(model="claude-sonnet-5-5"),
        key(base_url="http://127.0.0.1:1"),
        key(max_tokens=1_000),
        key(replace(REQUEST, ask="edits")),
        key(replace(REQUEST, number=1)),
        key(replace(REQUEST, instructions="Plan it well.")),
        key(replace(REQUEST, context=("shared",))),
        key(replace(REQUEST, context=("sharedown",))),
        key(replace(REQUEST, context=("own", "shared"))),
        key(replace(REQUEST, schema={})),
        key(replace(REQUEST, schema=OTHER_ORDER)),
        key(replace(REQUEST, exchanges=())),
        key(replace(REQUEST, exchanges=(Exchange("{}", []),))),
    ],
)
def test_whatever_can_change_the_answer_changes_the_key(other: str) -> None:
    assert other != key()


def test_text_that_utf_8_cannot_hold_has_a_key_too() -> None:
    assert len(key(replace(REQUEST, instructions="\ud800"))) == 64
