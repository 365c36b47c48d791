"""Flaky or broken, and the truth table, on simulated outcomes and with the real classification."""

from collections.abc import Collection, Sequence
from random import Random

import pytest

from repowright_tools.run_tests_sandboxed.classify import classify, merge
from repowright_tools.run_tests_sandboxed.models import Case
from repowright_tools.run_tests_sandboxed.sequential import ALPHA, BETA, MOST_ROUNDS, Answer, settle

pytestmark = pytest.mark.anyio
MANY = 4_000


async def asked(p: float, random: Random, count: int = MANY) -> list[Answer | None]:
    async def run(ids: Sequence[str]) -> Collection[str]:
        return {name for name in ids if random.random() < p}

    names = [str(number) for number in range(count)]
    answers = await settle(names, run)
    return [answers.get(name) for name in names]


@pytest.mark.parametrize("p", [0.05, 0.1, 0.25, 0.4, 0.5])
async def test_a_flaky_test_is_called_broken_at_most_at_the_stated_rate(p: float) -> None:
    answers = await asked(p, Random(1))
    assert answers.count("broken") / MANY <= ALPHA
    assert answers.count(None) / MANY <= 0.01


async def test_a_broken_test_is_called_flaky_at_most_at_the_stated_rate() -> None:
    assert set(await asked(1.0, Random(1), 10)) == {"broken"}
    answers = await asked(0.99, Random(1))
    assert answers.count("flaky") / MANY <= BETA


async def test_the_rounds_are_bounded_and_what_is_undecided_is_left_out() -> None:
    rounds = list[int]()

    async def by_turns(ids: Sequence[str]) -> Collection[str]:
        rounds.append(1)
        return ids if len(rounds) % 7 else []

    async def never(ids: Sequence[str]) -> Collection[str] | None:
        return None

    await settle(["a"], by_turns)
    assert len(rounds) <= MOST_ROUNDS
    assert await settle(["a"], never) == {}


def case(name: str, outcome: str) -> Case:
    return Case.model_validate({"id": name, "outcome": outcome, "duration_s": 0.1})


def test_a_test_that_was_asked_about_is_flaky_or_a_new_failure_as_answered() -> None:
    now, before = [case("a", "failed"), case("b", "failed")], [case("a", "passed"), case("b", "passed")]
    found = classify([now], [before], answers={"a": "flaky", "b": "broken"})
    assert {test.id: test.class_ for test in found} == {"a": "flaky", "b": "new_failure"}


def test_a_base_that_disagrees_with_itself_makes_a_test_flaky() -> None:
    found = classify([[case("a", "failed")]] * 2, [[case("a", "failed")], [case("a", "passed")]])
    assert [test.class_ for test in found] == ["flaky"]


def test_the_changes_own_tests_can_add_failures_and_take_none_away() -> None:
    judged = [case(f"t.py::{name}", outcome) for name, outcome in [("a", "failed"), ("b", "passed"), ("c", "failed")]]
    judged += [case("t.py::d", "passed"), case("u.py::e", "passed")]
    own = [case("t.py::a", "passed"), case("t.py::b", "failed"), case("t.py::new", "passed")]
    merged = merge(judged, own, {"t.py"})
    assert {one.id: one.outcome for one in merged.cases} == {
        "t.py::a": "failed",
        "t.py::b": "failed",
        "t.py::c": "failed",
        "u.py::e": "passed",
        "t.py::new": "passed",
    }
    assert merged.hidden == {"t.py::a", "t.py::c"}
