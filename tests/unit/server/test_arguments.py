"""Strict arguments, with one indulgence."""

from typing import Any

import pytest
from pydantic import Field

from repowright_server.protocol.arguments import Common, split, validate
from repowright_tools.errors import InvalidArguments
from repowright_tools.models import Plan, StageArguments


class Own(StageArguments):
    text: str | None = None
    names: list[str] = Field(default_factory=list)
    count: int = 1
    plan: Plan | None = None


@pytest.mark.parametrize(
    "raw",
    [
        {"unknown": 1},
        {"count": "3"},
        {"count": 3.5},
        {"count": True},
        {"text": 7},
        {"names": "not json"},
        {"names": '"text"'},
        {"names": "[" * 100_000},
        {"names": [1]},
        {"plan": {"summary": "incomplete"}},
        {"plan": '{"summary": "incomplete"}'},
    ],
)
def test_wrong_types_and_unknown_names_are_refused(raw: dict[str, Any]) -> None:
    """M02"""
    with pytest.raises(InvalidArguments) as refused:
        validate(Own, split(raw, Own)[1])

    assert next(iter(raw)) in refused.value.message


@pytest.mark.parametrize("raw", [{"wait_s": -1}, {"wait_s": 601}, {"wait_s": "5"}, {"run_id": 5}])
def test_wrong_common_arguments_are_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments):
        split(raw, Own)


def test_json_text_is_parsed_where_only_an_array_or_object_can_stand() -> None:
    assert validate(Own, {"names": '["a", "b"]'}).names == ["a", "b"]


def test_text_stays_text_even_if_it_looks_like_json() -> None:
    assert validate(Own, {"text": "[1]"}).text == "[1]"


def test_a_null_is_the_same_as_leaving_it_out() -> None:
    common, own = split({"run_id": None, "count": None, "text": "x"}, Own)

    assert common == Common()
    assert own == {"text": "x"}


def test_a_refusal_does_not_repeat_the_value() -> None:
    with pytest.raises(InvalidArguments) as refused:
        validate(Own, {"count": "a secret"})

    assert "a secret" not in refused.value.message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have_is_refused(value: float) -> None:
    """A parser may let it pass, and a call that waits NaN seconds would wait for ever."""
    with pytest.raises(InvalidArguments, match="wait_s"):
        split({"wait_s": value}, Own)
    with pytest.raises(InvalidArguments, match="plan"):
        validate(Own, {"plan": '{"tasks": [{"estimated_time_minutes": NaN}]}'})
