"""What the model layer adds to a call: a whole journalled, paced and budgeted call beside a bare call of the SDK.

    python benchmarks/llm_overhead.py [CALLS]

Both stream the same answer to a prompt of 4 kB from a fake API in a process of its own, in turn, on warm connections.
The layer's state is a real one on disk. Prints the medians in milliseconds and their difference.
"""

import argparse
import itertools
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fakes.messages_api import MessagesApi
from fakes.messages_asks import SUBMIT, Handed, quick_policy, word_ask
from repowright_server.runs import store
from repowright_server.runs.journal import RunJournal
from repowright_server.runs.limits import StoredLimits
from repowright_server.runs.run import Run
from repowright_server.runs.store import Store
from repowright_tools.llm.factory import Models
from repowright_tools.stage import Section
from support.ports import RecordedEvents

PROMPT = "def handler(event):\n    return event\n" * 108  # 4 kB
CALLS_OF_A_RUN = 10
LIMIT_MS = 5.0


def serve(ready: Connection) -> None:
    with MessagesApi() as api:
        api.reply = lambda asked: {"word": "yes"}
        ready.send(api.url)
        ready.recv()


async def bare(url: str) -> tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[None]]]:
    from anthropic import AsyncAnthropic

    client = AsyncAnthropic(api_key="key-one-on-loopback", base_url=url, max_retries=0)

    async def call() -> Any:
        async with client.messages.stream(
            model="claude-sonnet-5-5",
            max_tokens=1_000,
            system="Say a word.",
            messages=[{"role": "user", "content": PROMPT}],
        ) as stream:
            return await stream.get_final_message()

    return call, client.close


async def layered(url: str, home: Path) -> tuple[Callable[[], Awaitable[Any]], Callable[[], Awaitable[None]]]:
    state = Store(None, home)
    policy = quick_policy(url, model="claude-sonnet-5-5", max_run_cost_usd=1_000.0, max_tokens=1_000)
    models = Models(policy, StoredLimits(state))
    count = itertools.count()

    async def call() -> Any:
        number = next(count)
        run = f"r_{number // CALLS_OF_A_RUN:032x}"
        if number % CALLS_OF_A_RUN == 0:
            new = Run(id=run, principal="local", source={}, created=0.0)
            await state.transaction(lambda db: store.add_run(db, new))
        journal = RunJournal(state, run, "plan_feature", f"scope-{number}")
        events = RecordedEvents()
        model = models.model(
            stage="plan_feature", run=run, journal=journal, events=events, submissions=Handed(), submit=SUBMIT
        )
        return await model.think(word_ask(Section("Code", PROMPT)))

    return call, models.aclose


async def measure(url: str, calls: int, home: Path) -> tuple[list[float], list[float]]:
    ways = [await bare(url), await layered(url, home)]
    seconds: list[list[float]] = [[], []]
    for number in range(calls + 5):  # the first five warm up
        for (call, _), taken in zip(ways, seconds, strict=True):
            began = time.perf_counter()
            await call()
            if number >= 5:
                taken.append(time.perf_counter() - began)
    for _, close in ways:
        await close()
    return seconds[0], seconds[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("calls", nargs="?", type=int, default=200)
    calls = parser.parse_args().calls
    ours, theirs = multiprocessing.Pipe()
    api = multiprocessing.Process(target=serve, args=(theirs,), daemon=True)
    api.start()
    with tempfile.TemporaryDirectory() as home:
        alone, with_layer = anyio.run(measure, ours.recv(), calls, Path(home))
    ours.send("done")
    api.join()
    bare_ms, layer_ms = (statistics.median(each) * 1_000 for each in (alone, with_layer))
    added = layer_ms - bare_ms
    sys.stdout.write(
        f"calls {calls}\nbare SDK call {bare_ms:.2f} ms\nwith the layer {layer_ms:.2f} ms\n"
        f"added {added:.2f} ms (limit {LIMIT_MS:g}): {'yes' if added <= LIMIT_MS else 'NO'}\n"
    )
    return 0 if added <= LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main())
