"""The promise of MAX_RUN_COST_USD, against what the API's own ledger says it billed."""

import json
import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from fakes.messages_api import MessagesApi
from fakes.messages_asks import Thinker, quick_policy, word_ask
from fakes.messages_ledger import Asked
from fakes.messages_script import Break, Hang, Raw, Refuse, Say, StreamError
from repowright_server.runs import store
from repowright_server.runs.journal import RunJournal, cost_of_entries, entries_of, held_usd
from repowright_server.runs.run import Run
from repowright_server.runs.store import Store
from repowright_tools.errors import BudgetExceeded, ModelError, PriceUnknown
from repowright_tools.llm.factory import Models
from repowright_tools.stage import Section

pytestmark = pytest.mark.anyio
WORD = {"word": "yes"}
CASES = 500
UNSEEN = Break("reset", after=None)
"""No byte of an answer, which a provider may bill all the same: the worst is taken to happen."""
INPUT_USD, OUTPUT_USD, WRITE_USD, READ_USD = 2e-6, 10e-6, 2.5e-6, 0.1e-6
"""A token of claude-sonnet-5-5."""


@pytest.fixture(scope="module")
def api() -> Iterator[MessagesApi]:
    with MessagesApi() as api:
        yield api


def price(model: str, tokens: dict[str, int]) -> float:
    assert model == "claude-sonnet-5-5"
    return (
        tokens["input_tokens"] * INPUT_USD
        + tokens["output_tokens"] * OUTPUT_USD
        + tokens["cache_write_tokens"] * WRITE_USD
        + tokens["cache_read_tokens"] * READ_USD
    )


@dataclass
class Account:
    """A run in a real store."""

    state: Store
    run: str

    async def another(self, run: str) -> "Account":
        new = Run(id=run, principal="local", source={}, created=0.0)
        await self.state.transaction(lambda db: store.add_run(db, new))
        return Account(self.state, run)

    def journal(self, scope: str) -> RunJournal:
        return RunJournal(self.state, self.run, "plan_feature", scope)

    async def held(self) -> float:
        held = await self.state.transaction(lambda db: held_usd(db, self.run))
        assert held is not None
        return held

    async def charged(self) -> float | None:
        return await self.state.transaction(lambda db: cost_of_entries(entries_of(db, self.run)).usd)


@asynccontextmanager
async def opened(home: Path, run: str = "r_" + "0" * 32) -> AsyncGenerator[Account]:
    state = Store(None, home)
    try:
        yield await Account(state, "").another(run)
    finally:
        state.close()


def fault(chance: random.Random) -> Any:
    """What the API does with one request."""
    answer = Say(WORD, output_tokens=chance.randint(1, 256))
    return chance.choice(
        [
            answer,
            answer,
            Say(text="x" * chance.randint(0, 900)),
            Say(WORD, stop_reason="max_tokens", output_tokens=256),
            Say(WORD, stop_reason="refusal", output_tokens=chance.randint(1, 256)),
            Refuse(529),
            Refuse(500),
            Refuse(429, "rate_limit_error", headers={"retry-after-ms": "1"}),
            StreamError("overloaded_error", after="x" * chance.randint(0, 900)),
            Break("reset", after="x" * chance.randint(0, 900)),
            Break("eof"),
            Raw(b"<html></html>"),
            Hang(after="x" * chance.randint(0, 900)),
            UNSEEN,
        ]
    )


@pytest.mark.filterwarnings("ignore:.*aiter_raw:pytest.PytestUnraisableExceptionWarning")
async def test_whatever_happens_the_api_bills_no_more_than_the_budget(api: MessagesApi, tmp_path: Path) -> None:
    """L13. Random faults, parallel calls, and cancellations at random requests: an intent that stays open is what a
    crash leaves too. What is lost counts at its reservation. (A stream that is cancelled leaves a generator of the HTTP
    client to the garbage collector, which may find it in a thread.)
    """
    first = len(api.ledger)
    async with opened(tmp_path) as account:
        cases = {f"Case {case}.": await account.another(f"r_{case + 1:032x}") for case in range(CASES)}
        budgets = {
            name: await _one_case(api, own, name, random.Random(case)) for case, (name, own) in enumerate(cases.items())
        }
        held = {name: await own.held() for name, own in cases.items()}
    billed = dict.fromkeys(cases, 0.0)
    for entry in api.ledger[first:]:
        if entry.kind == "ask":
            billed["Case " + entry.system.rpartition("Case ")[2]] += _billed(entry)

    assert sum(billed.values()) > 0
    assert [name for name in cases if billed[name] > held[name] + 1e-9] == []
    assert [name for name in cases if held[name] > budgets[name] + 1e-9] == []


async def _one_case(api: MessagesApi, account: Account, name: str, chance: random.Random) -> float:
    """Calls with this name in their instructions; the budget that they had together."""
    budget = chance.uniform(0.004, 0.05)
    api.reply = lambda asked: fault(chance)
    policy = quick_policy(
        api.url,
        model="claude-sonnet-5-5",
        max_run_cost_usd=budget,
        max_tokens=256,
        max_retries=2,
        timeout_s=0.05,
        retry_initial_wait_s=0.001,
        retry_max_wait_s=0.2,
    )
    models = Models(policy)
    section = Section("Question", "word " * chance.randint(1, 400))
    expected = chance.choice([None, "no"])

    async def think(number: int) -> None:
        thinker = Thinker(policy, journal=account.journal(f"scope-{number}"), models=models)
        with suppress(ModelError):
            await thinker.model.think(word_ask(section, expected=expected, instructions=name))

    for _ in range(chance.randint(1, 2)):  # the second time goes on from what the first one left
        with anyio.move_on_after(chance.choice([0.02, 0.05, 5.0])):
            async with anyio.create_task_group() as tasks:
                for number in range(chance.randint(1, 3)):
                    tasks.start_soon(think, number)
    await models.aclose()
    return budget


def _billed(entry: Asked) -> float:
    if entry.outcome is UNSEEN:
        return len(entry.text) / 4 * INPUT_USD + 256 * OUTPUT_USD
    return price(entry.model, _tokens(entry)) if entry.billed else 0.0


def _tokens(entry: Asked) -> dict[str, int]:
    names = ("input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens")
    return {name: getattr(entry, name) for name in names}


async def test_a_call_is_settled_at_what_was_billed(api: MessagesApi, tmp_path: Path) -> None:
    first = len(api.ledger)
    api.reply = lambda asked: Say(WORD, output_tokens=100)
    policy = quick_policy(api.url, model="claude-sonnet-5-5", max_run_cost_usd=1.0)

    async with opened(tmp_path) as account:
        await Thinker(policy, journal=account.journal("scope")).think(word_ask())
        charged = await account.charged()

    (call,) = api.ledger[first:]
    assert charged == pytest.approx(price(call.model, _tokens(call)), abs=1e-6)


async def test_before_a_budget_is_called_too_small_the_provider_counts(api: MessagesApi, tmp_path: Path) -> None:
    """The bound of a prompt is its bytes, four times what it has in tokens."""
    first = len(api.ledger)
    api.reply = lambda asked: Say(WORD, output_tokens=10)
    ask = word_ask(Section("Question", "word " * 2_000))
    policy = quick_policy(api.url, model="claude-sonnet-5-5", max_run_cost_usd=0.02, max_tokens=256)

    async with opened(tmp_path) as account:
        await Thinker(policy, journal=account.journal("scope")).think(ask)

    assert [entry.kind for entry in api.ledger[first:]] == ["count", "ask"]


async def test_a_call_that_could_exceed_the_budget_is_not_made(api: MessagesApi, tmp_path: Path) -> None:
    """L13."""
    first = len(api.ledger)
    policy = quick_policy(api.url, model="claude-sonnet-5-5", max_run_cost_usd=0.001, max_tokens=256)

    async with opened(tmp_path) as account:
        with pytest.raises(BudgetExceeded, match=r"0\.0000 of 0\.0010"):
            await Thinker(policy, journal=account.journal("scope")).think(word_ask())

    assert [entry.kind for entry in api.ledger[first:]] == ["count"]


async def test_with_a_budget_a_model_without_a_price_is_not_called(api: MessagesApi, tmp_path: Path) -> None:
    """L13."""
    first = len(api.ledger)
    policy = quick_policy(api.url, model="model-of-tomorrow", max_run_cost_usd=5.0)

    async with opened(tmp_path) as account:
        with pytest.raises(PriceUnknown, match="model-of-tomorrow"):
            await Thinker(policy, journal=account.journal("scope")).think(word_ask())

    assert api.ledger[first:] == []


async def test_each_attempt_is_in_the_journal_with_what_it_cost(api: MessagesApi, tmp_path: Path) -> None:
    api.answers["Word"] = [Refuse(529), Break("eof"), Say(WORD, output_tokens=7)]
    policy = quick_policy(api.url, model="claude-sonnet-5-5")

    async with opened(tmp_path) as account:
        await Thinker(policy, journal=account.journal("scope")).think(word_ask())
        rows = await account.state.transaction(lambda db: entries_of(db, account.run))

    assert [row["kind"] for row in rows] == ["intent", "failed", "intent", "failed", "intent", "result"]
    assert len({row["inputs"] for row in rows}) == 1
    overloaded, broken, answer = (row["payload"] for row in rows if row["kind"] != "intent")
    assert (overloaded["error"], overloaded["status"], overloaded["usage"]["input_tokens"]) == (
        "model_overloaded",
        529,
        0,
    )
    assert (broken["error"], broken["usage"]["output_tokens"]) == ("model_unreachable", policy.max_tokens)
    assert (answer["answer"], answer["usage"]["output_tokens"], answer["model"]) == (WORD, 7, "claude-sonnet-5-5")
    for said in (overloaded, broken, answer):
        assert said["request_id"].startswith("req_")
        assert said["seconds"] > 0
        assert len(said["key"]) == 16
    assert "key-one-on-loopback" not in json.dumps(rows)
