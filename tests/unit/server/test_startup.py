"""Why a server does not start: what its model layer cannot do without."""

from pathlib import Path
from typing import Any

import pytest

from repowright_server.commands.serve import cannot_start
from support.mcp import settings_for

KEY = ("sk-on-loopback",)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"llm_provider": "nobody"}, "none of"),
        ({}, "ANTHROPIC_API_KEY is not set"),
        ({"llm_provider": "openai", "llm_model": "m"}, "OPENAI_API_KEY, or OPENAI_BASE_URL"),
        ({"llm_provider": "openai", "openai_api_key": KEY}, "set LLM_MODEL"),
        ({"anthropic_api_key": KEY, "llm_model": ","}, "cannot be read"),
        ({"anthropic_api_key": KEY, "llm_model": "a||b"}, "cannot be read"),
        ({"anthropic_api_key": KEY, "llm_model": "plan=a"}, "names plan, which is none of"),
        ({"anthropic_api_key": KEY, "llm_model": "a|openai:b"}, "OPENAI_API_KEY, or OPENAI_BASE_URL"),
        ({"anthropic_api_key": KEY, "llm_model": "a,plan_feature=openai:b"}, "OPENAI_API_KEY, or OPENAI_BASE_URL"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, settings: dict[str, Any], reason: str) -> None:
    said = cannot_start(settings_for(tmp_path, **({"llm_provider": "anthropic"} | settings)))

    assert said is not None
    assert reason in said
    assert KEY[0] not in said


@pytest.mark.parametrize(
    "settings",
    [
        {"llm_provider": "host"},
        {"llm_provider": "bedrock"},
        {"llm_provider": "anthropic", "anthropic_api_key": KEY},
        {"llm_provider": "anthropic", "llm_model": "openai:m", "openai_api_key": KEY},
        {"llm_provider": "openai", "openai_base_url": "http://localhost:11434/v1", "llm_model": "plan_feature=m"},
    ],
)
def test_what_suffices_starts(tmp_path: Path, settings: dict[str, Any]) -> None:
    assert cannot_start(settings_for(tmp_path, **settings)) is None
