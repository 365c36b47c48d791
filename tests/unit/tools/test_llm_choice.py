"""Which model answers which stage."""

import pytest

from repowright_tools.llm.choice import Choice, choices, parse

PROVIDERS = ("anthropic", "openai")


def chosen(spec: str | None, stage: str = "plan_feature") -> list[Choice]:
    return choices(spec, "anthropic", stage, PROVIDERS)


def test_without_a_setting_the_provider_chooses() -> None:
    assert chosen(None) == [Choice("anthropic", None)]


def test_one_model_is_for_every_stage() -> None:
    assert chosen("opus") == chosen("opus", "generate_code") == [Choice("anthropic", "opus")]


def test_a_stage_may_have_its_own_model() -> None:
    spec = "sonnet, plan_feature = opus"

    assert chosen(spec) == [Choice("anthropic", "opus")]
    assert chosen(spec, "generate_code") == [Choice("anthropic", "sonnet")]


def test_a_stage_that_is_not_named_has_the_providers_choice() -> None:
    assert chosen("plan_feature=opus", "generate_code") == [Choice("anthropic", None)]


def test_models_may_stand_in_for_each_other_across_providers() -> None:
    assert chosen("opus | openai:qwen2.5-coder:7b") == [
        Choice("anthropic", "opus"),
        Choice("openai", "qwen2.5-coder:7b"),
    ]


def test_a_colon_in_a_models_name_is_part_of_it() -> None:
    assert chosen("qwen2.5-coder:7b") == [Choice("anthropic", "qwen2.5-coder:7b")]


@pytest.mark.parametrize("spec", ["", " ", "a,,b", "a|", "plan_feature=", "a,b", "plan_feature=a,plan_feature=b"])
def test_what_names_no_model_or_two_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match=r"names no model|two entries"):
        parse(spec)
