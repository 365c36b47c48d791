"""Throughput of the key pool against real token buckets, and how often it is refused.

`python benchmarks/llm_throughput.py [--seconds T] [--json FILE]`. A fake Messages API on loopback enforces the limits.
More workers than it has capacity for ask through `Limits`, over a stored state as the server keeps it, each request a
run of its own. The naive way beside it takes the keys in turn and repeats a refused request after an exponential wait
with jitter, from 0.5 to 8 s. Theory is what the buckets hold at the beginning and gain in T seconds.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import httpx2

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from fakes.messages_api import MessagesApi
from repowright_server.runs.limits import StoredLimits
from repowright_server.runs.store import Store
from repowright_tools.llm.limits import Limits
from support.limits_process import KEYS, ask, client_of, post

PER_MINUTE = 600
BURST = 20
WORKERS = 60
"""Of all processes together: enough that someone always waits."""


@dataclass
class Outcome:
    name: str
    organisations: int
    asked: int
    answered: int
    refused: int
    theory: float

    @property
    def share(self) -> float:
        return self.answered / self.theory

    @property
    def refusals(self) -> float:
        return self.refused / max(1, self.asked)


# --- one process of workers ----------------------------------------------------------------------------------------


async def naive(client: httpx2.AsyncClient, turns: "count[int]") -> None:
    for attempt in count():
        response = await post(client, KEYS[next(turns) % len(KEYS)])
        if response.status_code == 200:
            return
        await anyio.sleep(min(0.5 * 2**attempt, 8.0) * random.uniform(0.75, 1.0))


async def work(url: str, home: str, seconds: float, workers: int, way: str) -> None:
    """Ask until the time is over."""
    limits = Limits(
        StoredLimits(Store(None, Path(home))), initial_wait_s=1.0, longest_wait_s=600.0, calls=None, period_s=60.0
    )
    turns = count()
    async with client_of(url) as client:

        async def worker() -> None:
            while True:
                await (naive(client, turns) if way == "naive" else ask(client, limits, str(random.getrandbits(64))))

        print("ready", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.readline)
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as group:
                for _ in range(workers):
                    group.start_soon(worker)


# --- the measurement -----------------------------------------------------------------------------------------------


def measure(name: str, way: str, organisations: int, processes: int, seconds: float) -> Outcome:
    with MessagesApi() as api, tempfile.TemporaryDirectory() as home:
        api.reply = lambda _asked: {"ok": True}
        api.organisations = {key: f"org-{index % organisations}" for index, key in enumerate(KEYS)}
        for index in range(organisations):
            api.limit(f"org-{index}", requests_per_minute=PER_MINUTE, burst={"requests": BURST})
        command = [sys.executable, __file__, "--url", api.url, "--home", home, "--way", way]
        command += ["--seconds", str(seconds), "--workers", str(WORKERS // processes)]
        running = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(processes)
        ]
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        began = time.monotonic()
        for process in running:
            _go(process)
        if any(process.wait() for process in running):
            raise SystemExit("a process of workers failed")
        calls = [call for call in api.calls if call.at - began <= seconds]
        answered = sum(call.status == 200 for call in calls)
        refused = sum(call.status == 429 for call in calls)
    theory = organisations * (BURST + PER_MINUTE / 60 * seconds)
    return Outcome(name, organisations, len(calls), answered, refused, theory)


def _go(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", type=Path)
    for hidden in ("--url", "--home", "--way", "--workers"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.url:
        anyio.run(work, options.url, options.home, options.seconds, int(options.workers), options.way)
        return
    outcomes = [
        measure("pool", "pool", 3, 1, options.seconds),
        measure("naive", "naive", 3, 1, options.seconds),
        measure("pool", "pool", 1, 1, options.seconds),
        measure("pool, two processes", "pool", 1, 2, options.seconds),
        measure("naive", "naive", 1, 1, options.seconds),
    ]
    print(
        f"{'way':<20} {'organisations':>13} {'requests':>8} {'answered':>8} {'of theory':>9} {'429s':>5} {'share':>6}"
    )
    for one in outcomes:
        print(
            f"{one.name:<20} {one.organisations:>13} {one.asked:>8} {one.answered:>8} {one.share:>9.2f}"
            f" {one.refused:>5} {one.refusals:>6.1%}"
        )
    three, _, alone, shared, _ = outcomes
    verdicts = {
        "three organisations reach 0.9 of the theory": three.share >= 0.9,
        "one organisation refuses at most 2% of the requests": alone.refusals <= 0.02,
        "two processes are refused no more often than one": shared.refused <= alone.refused,
    }
    for verdict, holds in verdicts.items():
        print(f"{'yes' if holds else 'NO':<4}{verdict}")
    if options.json:
        rows: list[dict[str, Any]] = [vars(one) | {"share": one.share, "refusals": one.refusals} for one in outcomes]
        options.json.write_text(json.dumps({"seconds": options.seconds, "rows": rows, "verdicts": verdicts}, indent=2))
    sys.exit(0 if all(verdicts.values()) else 1)


if __name__ == "__main__":
    main()
