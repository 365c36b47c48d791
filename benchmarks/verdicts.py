"""How often the truth table is wrong, and what supervision and coverage cost.

`python benchmarks/verdicts.py [--runs N] [--repeat N] [--seed N]` plants regressions (one of which needs other tests
before it), flaky tests (p from 0.05 to 0.5), old failures and mended ones, draws the outcomes of N calls, and gives
them to the product; the box alone is simulated. `--real N` does the same with real coins in the real box
(SANDBOX_IMAGE). `--cost` measures suites in the real box: plain pytest with a JUnit file, supervised, and with probes.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
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


def wrong_calls(planted: list[Planted], report: TestReport) -> list[tuple[str, str | None]]:
    """Kinds and classes of the tests that were called wrongly."""
    classes = {test.id.rpartition("::")[2]: test.class_ for test in report.tests}
    called = [(test.kind, classes.get(test.name)) for test in planted]
    return [(kind, class_) for kind, class_ in called if class_ not in RIGHT[kind]]


async def simulate(runs: int, repeat: int, seed: int) -> None:
    random = Random(seed)
    calls, wrong, executions = Counter[str](), Counter[tuple[str, str | None]](), list[int]()
    with tempfile.TemporaryDirectory() as folder:
        first = SimulatedSandbox([], random)
        project = Project(Path(folder), first.as_sandbox())
        project.start({TESTS: "", "README.md": ""})
        project.change({"changed.txt": "1"})
        for _ in range(runs):
            sandbox = SimulatedSandbox(plant(random), random)
            project.sandbox, project.journal = sandbox.as_sandbox(), MemoryJournal()
            report = await project.test(repeat=repeat)
            calls.update(test.kind for test in sandbox.planted)
            wrong.update(wrong_calls(sandbox.planted, report))
            executions.append(sandbox.executions)
    show(calls, wrong)
    print(f"executions a call: median {statistics.median(executions)}, most {max(executions)}")


def show(calls: Counter[str], wrong: Counter[tuple[str, str | None]]) -> None:
    for kind, count in calls.items():
        amiss = {str(class_): number for (of, class_), number in wrong.items() if of == kind}
        rate = sum(amiss.values()) / count
        print(f"{kind:13} {count:6} planted, {sum(amiss.values()):4} wrong ({rate:.2%}) {amiss or ''}")
    rate = wrong.total() / calls.total()
    print(
        f"all           {calls.total():6} planted, {wrong.total():4} wrong ({rate:.2%});"
        f" stated: {ERROR_RATE:.0%} of flaky ones"
    )


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


async def real(runs: int, seed: int) -> None:
    random = Random(seed)
    calls, wrong = Counter[str](), Counter[tuple[str, str | None]]()
    box = DockerSandbox(policy())
    for _ in range(runs):
        planted = plant(random)
        with tempfile.TemporaryDirectory() as folder:
            project = Project(Path(folder), box)
            project.start({TESTS: source(planted)})
            project.change({"changed.txt": "1"})
            report = await project.test()
        calls.update(test.kind for test in planted)
        wrong.update(wrong_calls(planted, report))
    await box.aclose()
    show(calls, wrong)


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
    parser.add_argument("--cost", action="store_true")
    given = parser.parse_args()
    if given.cost:
        anyio.run(cost)
    elif given.real:
        anyio.run(real, given.real, given.seed)
    else:
        anyio.run(simulate, given.runs, given.repeat, given.seed)
