"""What a call costs, and when nobody can say."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from repowright_tools.errors import PricesInvalid
from repowright_tools.llm.prices import Prices
from repowright_tools.llm.provider import Usage

MILLION = 1_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prices.json"


def write(file: Path, prices: Any) -> Prices:
    file.write_text(json.dumps(prices))
    return Prices(file)


def test_prices_are_those_of_the_tier_and_of_the_cache() -> None:
    prices = Prices(None)

    assert prices.usd("anthropic", "claude-opus-5-5", Usage(MILLION, 100_000)) == pytest.approx(6.0)
    assert prices.usd("anthropic", "claude-opus-5-5", Usage(MILLION, 0, MILLION)) == pytest.approx(0.2)
    assert prices.usd("anthropic", "claude-opus-5-5", Usage(MILLION, 0, 0, MILLION)) == pytest.approx(5.0)
    assert prices.usd("anthropic", "claude-haiku-5-5", Usage(50_000, 0)) == pytest.approx(0.005)
    assert prices.usd("anthropic", "claude-haiku-5-5", Usage(150_000, 0)) == pytest.approx(0.075)


@pytest.mark.parametrize(
    ("price_list", "model"),
    [
        ("anthropic", "model-of-tomorrow"),
        ("a-provider-of-tomorrow", "claude-opus-5-5"),
        (None, "claude-opus-5-5"),
        ("cerebras", "qwen-3-coder-480b"),  # listed at 0
        ("azure", "ada"),  # listed without a price of output
    ],
)
def test_an_unknown_price_is_unknown_and_not_nothing(price_list: str | None, model: str) -> None:
    assert Prices(None).usd(price_list, model, Usage(1, 1)) is None


def test_the_operator_knows_better_than_the_list(file: Path) -> None:
    prices = write(file, {"claude-opus-5-5": {"input": 1, "output": 2.5, "cache_read": 0.5, "cache_write": 3}})

    cost = prices.usd("anthropic", "claude-opus-5-5", Usage(4 * MILLION, MILLION, MILLION, 2 * MILLION))

    assert cost == pytest.approx(1 + 2.5 + 0.5 + 6)
    assert prices.usd("anthropic", "claude-sonnet-5-5", Usage(MILLION, 0)) == pytest.approx(2.0)


def test_a_price_can_be_for_one_provider(file: Path) -> None:
    prices = write(file, {"openai/m": {"input": 1, "output": 1}, "m": {"input": 7, "output": 7}})

    assert prices.usd("openai", "m", Usage(MILLION, 0)) == pytest.approx(1.0)
    assert prices.usd("azure", "m", Usage(MILLION, 0)) == pytest.approx(7.0)
    assert prices.usd(None, "m", Usage(MILLION, 0)) == pytest.approx(7.0)


def test_a_local_model_is_free_where_the_operator_says_so(file: Path) -> None:
    prices = write(file, {"qwen2.5-coder:7b": {"input": 0, "output": 0}})

    assert prices.usd(None, "qwen2.5-coder:7b", Usage(MILLION, MILLION)) == 0.0
    assert prices.usd(None, "another", Usage(MILLION, MILLION)) is None


def test_cached_input_without_a_price_costs_what_input_costs(file: Path) -> None:
    prices = write(file, {"m": {"input": 2, "output": 10}})

    assert prices.usd(None, "m", Usage(MILLION, 0, 400_000, 600_000)) == pytest.approx(2.0)


@pytest.mark.parametrize("usage", [Usage(-5, 1), Usage(5, -1), Usage(5, 1, 6), Usage(5, 1, 3, 3), Usage(5, 1, -1)])
def test_figures_that_cannot_be_have_no_price(file: Path, usage: Usage) -> None:
    prices = write(file, {"m": {"input": 2, "output": 10}})

    assert prices.usd(None, "m", usage) is None
    assert prices.usd("anthropic", "claude-opus-5-5", usage) is None


def test_a_change_of_the_file_is_seen(file: Path) -> None:
    prices = Prices(file)
    assert prices.usd(None, "m", Usage(MILLION, 0)) is None

    write(file, {"m": {"input": 1, "output": 1}})
    assert prices.usd(None, "m", Usage(MILLION, 0)) == pytest.approx(1.0)

    write(file, {"m": {"input": 2, "output": 1}})
    os.utime(file, ns=(1, 1))
    assert prices.usd(None, "m", Usage(MILLION, 0)) == pytest.approx(2.0)

    file.unlink()
    assert prices.usd(None, "m", Usage(MILLION, 0)) is None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "EOF"),
        ("[]", "the file"),
        ('{"m": {"input": 1}}', "'m' 'output': Field required"),
        ('{"m": {"input": 1, "output": "2"}}', "'m' 'output'"),
        ('{"m": {"input": 1, "output": true}}', "'m' 'output'"),
        ('{"m": {"input": -1, "output": 1}}', "'m' 'input'"),
        ('{"m": {"input": NaN, "output": 1}}', "'m' 'input'"),
        ('{"m": {"input": 1, "output": 1e999}}', "'m' 'output'"),
        ('{"m": {"input": 1, "output": 1, "cache_reed": 1}}', "'cache_reed'"),
        (" " * 1_000_001, "at most"),
    ],
)
def test_a_file_that_cannot_be_understood_is_an_error_that_names_the_place(
    file: Path, content: str, problem: str
) -> None:
    file.write_text(content)
    prices = Prices(file)

    for _ in range(2):
        with pytest.raises(PricesInvalid) as caught:
            prices.usd("anthropic", "claude-opus-5-5", Usage(1, 1))
        assert problem in caught.value.message
        assert caught.value.message.startswith("prices.json")
        assert "prices.json in REPOWRIGHT_HOME" in caught.value.what_to_do

    write(file, {})
    assert prices.usd("anthropic", "claude-opus-5-5", Usage(MILLION, 0)) == pytest.approx(4.0)


def test_a_folder_in_its_place_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PricesInvalid):
        Prices(tmp_path).usd(None, "m", Usage(1, 1))


def test_the_context_window_is_that_of_the_list() -> None:
    prices = Prices(None)

    assert prices.context_window("anthropic", "claude-sonnet-5-5") == MILLION
    assert prices.context_window("anthropic", "model-of-tomorrow") is None
    assert prices.context_window("a-provider-of-tomorrow", "m") is None
    assert prices.context_window(None, "claude-sonnet-5-5") is None


@pytest.mark.parametrize(
    ("price_list", "model"), [("anthropic", "claude-opus-5-5"), ("openrouter", "google/gemini-2.5-pro")]
)
@pytest.mark.parametrize("tokens", [1_000, 250_000])
def test_no_way_to_cache_a_prompt_costs_more_than_the_worst(price_list: str, model: str, tokens: int) -> None:
    """L13. A write costs more than plain input at Anthropic, and less in what is listed for OpenRouter."""
    prices = Prices(None)

    worst = prices.worst(price_list, model, Usage(tokens, 100))

    ways = [Usage(tokens, 100), Usage(tokens, 100, tokens), Usage(tokens, 100, 0, tokens), Usage(tokens, 100, 10, 10)]
    costs = [prices.usd(price_list, model, way) for way in ways]
    assert worst is not None
    assert all(cost is not None and cost <= worst for cost in costs)
    assert worst in costs


def test_a_write_that_the_operator_calls_free_makes_no_prompt_free(file: Path) -> None:
    """L13."""
    prices = write(file, {"m": {"input": 4, "output": 0, "cache_write": 0}})

    assert prices.worst(None, "m", Usage(MILLION, 1)) == pytest.approx(4.0)
    assert prices.worst(None, "another", Usage(MILLION, 1)) is None
