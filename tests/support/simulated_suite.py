"""A suite whose outcomes are drawn, not run: everything but the box is the product's own."""

import base64
import json
import shlex
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from repowright_tools.run_tests_sandboxed.supervised import RECORD
from repowright_tools.sandbox.base import Execution, ExecutionOutcome, Limits, Prepared, SandboxHealth
from repowright_tools.sandbox.docker import DockerSandbox

TESTS = "test_suite.py"


@dataclass(frozen=True)
class Planted:
    """One test: how often it fails on the base and on the change, and whether only after other tests."""

    name: str
    kind: str
    on_base: float
    on_change: float
    after_others: bool = False


def plant(random: Random, times: int = 1) -> list[Planted]:
    """Regressions, flaky tests, old failures and stable tests; a flaky one fails with p from 0.05 to 0.5.

    `times` so many of each.
    """
    planted = [Planted(f"test_regression_{number}", "regression", 0, 1) for number in range(2 * times)]
    planted += [
        Planted(f"test_regression_after_others_{number}", "regression", 0, 1, after_others=True)
        for number in range(times)
    ]
    for number in range(8 * times):
        p = random.uniform(0.05, 0.5)
        planted.append(Planted(f"test_flaky_{number}", "flaky", p, p))
    planted += [Planted(f"test_old_{number}", "pre_existing", 1, 1) for number in range(2 * times)]
    planted += [Planted(f"test_mended_{number}", "fixed", 1, 0) for number in range(2 * times)]
    return planted + [Planted(f"test_stable_{number}", "stable", 0, 0) for number in range(5 * times)]


@dataclass
class SimulatedSandbox:
    """Draws what each run would have said; the change is known by the file `changed.txt`."""

    planted: list[Planted]
    random: Random
    executions: int = 0
    limits: Limits = field(default_factory=lambda: Limits(2**28, 1.0, 100, 2**26, 3600.0))
    name: str = "simulated"
    image: str = "simulated"
    services: str = ""

    async def check(self) -> SandboxHealth:
        return SandboxHealth(self.name, "1", self.image, "sha256:0")

    async def prepare(self, *_: object, **__: object) -> Prepared | None:
        return None

    async def execute(self, execution: Execution) -> ExecutionOutcome:
        self.executions += 1
        changed = any(file.path == "changed.txt" for file in execution.files)
        only = order(execution.command)["child"]["only"]
        ids = None if only is None else set(only["ids"])
        events: list[dict[str, Any]] = []
        names = [f"{TESTS}::{test.name}" for test in self.planted if ids is None or f"{TESTS}::{test.name}" in ids]
        failures = 0
        for test in self.planted:
            name = f"{TESTS}::{test.name}"
            if name in names:
                p = test.on_change if changed else test.on_base
                failed = self.random.random() < (0 if test.after_others and ids is not None else p)
                failures += failed
                events += said(name, failed=failed)
        code = 1 if failures else 0
        whole = [{"event": "collected", "ids": names}, *events, {"event": "finish"}, {"event": "end", "exit": code}]
        record = {"events": whole, "strange": 0, "flooded": False, "alone": True, "exit": code}
        return ExecutionOutcome(code, "", False, False, (), {RECORD: zlib.compress(json.dumps(record).encode())}, 1.0)

    def as_sandbox(self) -> DockerSandbox:
        """What the helpers of real tests take."""
        return cast(DockerSandbox, self)


def said(name: str, *, failed: bool) -> list[dict[str, Any]]:
    """The events of one test."""
    call = {"event": "report", "id": name, "when": "call", "duration": 0.1, "outcome": "failed" if failed else "passed"}
    return [{"event": "start", "id": name}, {**call, "raised": "AssertionError" if failed else ""}]


def order(line: str) -> dict[str, Any]:
    """What a supervised line asks for."""
    packed = shlex.split(line)[-1]
    return cast(dict[str, Any], json.loads(zlib.decompress(base64.b64decode(packed))))


RIGHT: Mapping[str, tuple[str, ...]] = {
    "regression": ("new_failure",),
    # never seen to fail: nothing to call; failed once on each side: that it failed before is so
    "flaky": ("flaky", "unchanged", "pre_existing"),
    "pre_existing": ("pre_existing",),
    "fixed": ("fixed",),
    "stable": ("unchanged",),
}
"""The classes that are no wrong call, for each kind of planted test."""
