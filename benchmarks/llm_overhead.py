"""What the model layer adds to a call: a whole journalled, paced and budgeted call beside a bare call of the SDK.

    python benchmarks/llm_overhead.py [CALLS]

Both stream the same answer to the same request, with a prompt of 4 kB, from a fake API in a process of its own, in
turn, on warm connections. The layer's state is a real one on disk, and an attempt of a stage makes ten calls. Prints
the medians in milliseconds and their difference.
"""

import argparse
import itertools
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from sqlalchemy.engine import Connection as Database

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fakes.messages_api import MessagesApi
from fakes.messages_asks import SUBMIT, Handed, Word, quick_policy, word_ask
from repowright_server.runs import store
from repowright_server.runs.journal import RunJournal
from repowright_server.runs.limits import StoredLimits
from repowright_server.runs.run import Run
from repowright_server.runs.store import Store
from repowright_tools.llm.factory import Models
from repowright_tools.llm.limits import MemoryState, SharedState
from repowright_tools.stage import Journal, Section
from support.ports import MemoryJournal, RecordedEvents

if TYPE_CHECKING:
    from anthropic.types import CacheControlEphemeralParam

PROMPT = "def handler(event):\n    return event\n" * 108  # 4 kB
CALLS_OF_AN_ATTEMPT = 10
LIMIT_MS = 5.0
RUNS, WARM_UP = 100, 5
Way = tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[None]]]


def serve(ready: Connection) -> None:
    with MessagesApi() as api:
        api.reply = lambda asked: {"word": "yes"}
        ready.send(api.url)
        ready.recv()


async def bare(url: str) -> Way:
    """The same request, made and streamed by the SDK alone."""
    from anthropic import AsyncAnthropic

    client = AsyncAnthropic(api_key="key-one-on-loopback", base_url=url, max_retries=0)
    kept: CacheControlEphemeralParam = {"type": "ephemeral"}

    async def call() -> Any:
        async with client.messages.stream(
            model="claude-sonnet-5-5",
            max_tokens=1_000,
            system=[{"type": "text", "text": "Say a word.", "cache_control": kept}],
            messages=[{"role": "user", "content": [{"type": "text", "text": PROMPT, "cache_control": kept}]}],
            output_format=Word,
        ) as stream:
            return await stream.get_final_message()

    return call, client.close


async def in_memory(url: str) -> Way:
    """The layer alone: its journal and its state live in this process."""

    def journal_of(_run: str) -> Journal:
        return MemoryJournal()

    return _layer(url, MemoryState(), journal_of)


async def on_disk(url: str, home: Path) -> Way:
    """As a server has it: intent and result are on disk before and after each request."""
    state = Store(None, home)
    runs = [
        Run(id=run_of(number * CALLS_OF_AN_ATTEMPT), principal="local", source={}, created=0.0)
        for number in range(RUNS)
    ]

    def begin(db: Database) -> None:
        for run in runs:
            store.add_run(db, run)

    await state.transaction(begin)

    def journal_of(run: str) -> Journal:
        return RunJournal(state, run, "plan_feature", "scope")

    return _layer(url, StoredLimits(state), journal_of)


def run_of(number: int) -> str:
    return f"r_{number // CALLS_OF_AN_ATTEMPT:032x}"


def _layer(url: str, state: SharedState, journal_of: Callable[[str], Journal]) -> Way:
    policy = quick_policy(url, model="claude-sonnet-5-5", max_run_cost_usd=1_000.0, max_tokens=1_000)
    models = Models(policy, state)
    numbers, journals = itertools.count(), cache(journal_of)

    async def call() -> Any:
        number = next(numbers)
        model = models.model(
            stage="plan_feature",
            run=run_of(number),
            journal=journals(run_of(number)),
            events=RecordedEvents(),
            submissions=Handed(),
            submit=SUBMIT,
        )
        return await model.think(word_ask(Section(f"Code {number}", PROMPT)))

    return call, models.aclose


async def measure(url: str, calls: int, home: Path) -> list[float]:
    """Median seconds of each way."""
    ways = [await bare(url), await in_memory(url), await on_disk(url, home)]
    seconds: list[list[float]] = [[] for _ in ways]
    for number in range(calls + WARM_UP):
        for (call, _), taken in zip(ways, seconds, strict=True):
            began = time.perf_counter()
            await call()
            if number >= WARM_UP:
                taken.append(time.perf_counter() - began)
    for _, close in ways:
        await close()
    return [statistics.median(taken) for taken in seconds]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calls", nargs="?", type=int, default=200)
    calls = min(parser.parse_args().calls, RUNS * CALLS_OF_AN_ATTEMPT - WARM_UP)
    ours, theirs = multiprocessing.Pipe()
    api = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    api.start()
    with tempfile.TemporaryDirectory() as home:
        alone, memory, disk = (each * 1_000 for each in anyio.run(measure, ours.recv(), calls, Path(home)))
    ours.send("done")
    api.join()
    sys.stdout.write(f"{calls} calls, medians\nbare SDK call         {alone:.2f} ms\n")
    for name, taken in (("layer, in memory", memory), ("layer, on disk", disk)):
        verdict = "yes" if taken - alone <= LIMIT_MS else "NO"
        sys.stdout.write(f"{name:21} {taken:.2f} ms, added {taken - alone:.2f} ms (limit {LIMIT_MS:g}): {verdict}\n")
    return 0 if disk - alone <= LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
