"""How often the truth table is wrong, and what supervision and coverage cost.

`python benchmarks/verdicts.py [--runs N] [--repeat N] [--seed N]` plants regressions (one of which needs other tests
before it), flaky tests (p from 0.05 to 0.5), old failures and mended ones, draws the outcomes of N calls, and gives
them to the product; the box alone is simulated. `--real N` does the same with real coins in the real box
(SANDBOX_IMAGE), `--times M` with more tests a call, `--at-once K` with several calls at a time.
`--cost` measures suites in the real box: plain pytest with a JUnit file, supervised, and with probes.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from random import Random

import anyio

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from repowright_tools.git.tree import TreeFile
from repowright_tools.models import TestReport
from repowright_tools.run_tests_sandboxed.changed_lines import changed_statements
from repowright_tools.run_tests_sandboxed.environment import python_variables
from repowright_tools.run_tests_sandboxed.sequential import ERROR_RATE
from repowright_tools.run_tests_sandboxed.supervised import RECORD, Supervision, supervised_line
from repowright_tools.sandbox.base import Execution
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.policy import SandboxPolicy
from support.ports import MemoryJournal
from support.projects import Project
from support.simulated_suite import RIGHT, TESTS, Planted, SimulatedSandbox, plant

MIB = 2**20
ROUNDS = 7
ASKED_S = 900
"""So that no question stays open for lack of time on a busy machine."""


Called = list[tuple[str, str | None, bool]]
"""Of each planted test its kind, the class it was given, and whether the report says that it could not tell."""


def calls_of(planted: list[Planted], report: TestReport) -> Called:
    classes = {test.id.rpartition("::")[2]: test.class_ for test in report.tests}
    _, _, undecided = report.reason.partition("not known whether flaky: ")
    listed, _, more = undecided.partition(";")[0].partition(" and ")
    names = {name.rpartition("::")[2] for name in listed.split(", ")}
    if more:  # only the first are named, and in such a call none of the flaky ones that look so was decided
        names |= {test.name for test in planted if test.kind == "flaky" and classes.get(test.name) == "new_failure"}
    return [(test.kind, classes.get(test.name), test.name in names) for test in planted]


async def simulate(runs: int, repeat: int, seed: int) -> None:
    random = Random(seed)
    called, executions = Called(), list[int]()
    with tempfile.TemporaryDirectory() as folder:
        first = SimulatedSandbox([], random)
        project = Project(Path(folder), first.as_sandbox())
        project.start({TESTS: "", "README.md": ""})
        project.change({"changed.txt": "1"})
        for _ in range(runs):
            sandbox = SimulatedSandbox(plant(random), random)
            project.sandbox, project.journal = sandbox.as_sandbox(), MemoryJournal()
            report = await project.test(repeat=repeat)
            called += calls_of(sandbox.planted, report)
            executions.append(sandbox.executions)
    show(called)
    print(f"executions a call: median {statistics.median(executions)}, most {max(executions)}")


def show(called: Called) -> None:
    """Wrong calls of each kind, then of those flaky tests that looked new or mended: the stated rate is about them."""
    for kind in dict.fromkeys(kind for kind, _, _ in called):
        tell(kind, [call for call in called if call[0] == kind])
    tell("all", called)
    looked = [call for call in called if call[0] == "flaky" and call[1] in ("flaky", "new_failure", "fixed")]
    tell("flaky, asked", looked)
    print(f"stated: of flaky tests that were asked about, at most {ERROR_RATE:.0%} are called broken or mended")


def tell(label: str, called: Called) -> None:
    amiss = Counter(str(class_) for kind, class_, open_ in called if class_ not in RIGHT[kind] and not open_)
    left = sum(open_ for _, _, open_ in called)
    low, high = wilson(amiss.total(), len(called))
    print(
        f"{label:13} {len(called):6} verdicts, {amiss.total():4} wrong ({amiss.total() / max(len(called), 1):.2%},"
        f" 95 %: {low:.2%} to {high:.2%}), {left} left open {dict(amiss) or ''}"
    )


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share (E. B. Wilson, J. Am. Stat. Assoc. 22 (1927), 209-212)."""
    if not of:
        return 0.0, 1.0
    z = 1.959964
    share, square = hits / of, z * z / of
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * sqrt(share * (1 - share) / of + square / (4 * of))
    return max(0.0, middle - half), min(1.0, middle + half)


# --- the real box -------------------------------------------------------------------------------------------------


def policy() -> SandboxPolicy:
    return SandboxPolicy(image=os.environ["SANDBOX_IMAGE"], memory=512 * MIB, workspace=64 * MIB)


def source(planted: list[Planted]) -> str:
    """Tests that throw a coin; the change is known by a file."""
    head = "import random\nfrom pathlib import Path\nCHANGED = Path('changed.txt').exists()\nRAN = []\n"
    body = "".join(
        f"def {test.name}():\n    p = {test.on_change} if CHANGED else {test.on_base}\n"
        f"    assert random.random() >= p{' or not RAN' if test.after_others else ''}\n"
        for test in planted
    )
    return head + "def test_a_first():\n    RAN.append(1)\n" + body


@dataclass
class Planting:
    """What is kept between calls of the real box; with a file, an interrupted measurement goes on where it stopped."""

    runs: int
    seed: int
    times: int
    at_once: int
    log: Path | None = None
    done: dict[int, Called] = field(default_factory=dict[int, Called])

    def recall(self) -> None:
        for line in self.log.read_text().splitlines() if self.log and self.log.exists() else []:
            kept = json.loads(line)
            self.done[kept["call"]] = [(kind, class_, open_) for kind, class_, open_ in kept["called"]]

    def keep(self, number: int, called: Called, seconds: float) -> None:
        self.done[number] = called
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(json.dumps({"call": number, "seconds": round(seconds, 1), "called": called}) + "\n")


async def real(planting: Planting) -> None:
    """Every call has its own suite, drawn by its number; the coins are the box's own."""
    planting.recall()
    left = iter([number for number in range(planting.runs) if number not in planting.done])
    box = DockerSandbox(policy())

    async def work() -> None:
        for number in left:
            await plant_and_call(planting, number, box)

    async with anyio.create_task_group() as workers:
        for _ in range(planting.at_once):
            workers.start_soon(work)
    await box.aclose()
    show([called for of_call in planting.done.values() for called in of_call])


async def plant_and_call(planting: Planting, number: int, box: DockerSandbox) -> None:
    planted = plant(Random(f"{planting.seed} {number}"), planting.times)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        project = Project(Path(folder), box)
        project.start({TESTS: source(planted)})
        project.change({"changed.txt": "1"})
        report = await project.test(timeout_s=ASKED_S)
    planting.keep(number, calls_of(planted, report), time.monotonic() - started)


async def cost() -> None:
    """Two worst cases: many calls of small functions all of whose lines are new, and many tests that do nothing."""
    module = "".join(
        f"def f{n}(x):\n    y = x + {n}\n    if y % 2:\n        y += 1\n    return y\n" for n in range(200)
    )
    suite = "import code_under_test as c\n" + "".join(
        f"def test_{n}():\n    for x in range(20000):\n        c.f{n}(x)\n" for n in range(200)
    )
    many = "".join(f"def test_{n}(): pass\n" for n in range(3000))
    for name, texts in {
        "busy": {"code_under_test.py": module, "test_a.py": suite},
        "many": {"test_b.py": many},
    }.items():
        files = [TreeFile(path, 0o100644, text.encode()) for path, text in texts.items()]
        probes = changed_statements({}, {file.path: file.data for file in files})
        lines = {
            "plain": "python3 -m pytest -q --junitxml=/work/out/junit.xml -p no:cacheprovider",
            "supervised": supervised_line(Supervision(["-q", "-p", "no:cacheprovider"])),
            "with probes": supervised_line(Supervision(["-q", "-p", "no:cacheprovider"], probes=probes)),
        }
        await compare(name, files, {label: line for label, line in lines.items() if line})


async def compare(name: str, files: list[TreeFile], lines: dict[str, str]) -> None:
    box = DockerSandbox(policy())
    took: dict[str, list[float]] = {label: [] for label in lines}
    inside: dict[str, list[float]] = {label: [] for label in lines}
    for _ in range(ROUNDS):
        for label, line in lines.items():
            variables = python_variables({file.path for file in files})
            execution = Execution("r_" + "b" * 32, files, line, 300, variables=variables, collect=[RECORD])
            started = time.monotonic()
            outcome = await box.execute(execution)
            assert outcome.exit_code == 0, outcome.output[-500:]
            inside[label].append(outcome.duration_s)
            took[label].append(time.monotonic() - started)
    await box.aclose()
    plain = statistics.median(took["plain"])
    for label, times in took.items():
        whole, ran = statistics.median(times), statistics.median(inside[label])
        print(
            f"{name}: {label:12} median {whole:5.2f} s ({whole / plain:.2f} of plain), of it the command {ran:5.2f} s"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--real", type=int, metavar="N")
    parser.add_argument("--times", type=int, default=1, help="plant so many times as many tests in the real box")
    parser.add_argument("--at-once", type=int, default=1, help="calls at a time in the real box")
    parser.add_argument("--log", type=Path, help="a file by which an interrupted measurement in the real box goes on")
    parser.add_argument("--cost", action="store_true")
    given = parser.parse_args()
    if given.cost:
        anyio.run(cost)
    elif given.real:
        anyio.run(real, Planting(given.real, given.seed, given.times, given.at_once, given.log))
    else:
        anyio.run(simulate, given.runs, given.repeat, given.seed)
