"""What the sandbox costs beside a bare container, and what it leaves behind after many runs and deaths.

    python benchmarks/sandbox.py [--calls N] [--suite SECONDS] [--soak N]

Overhead: a whole call of run_tests_sandboxed without a baseline, on an environment that is there already, beside
`docker run` of the same command on the same files in the same image, by turns; and once for a suite of SECONDS.
Soak: N runs, some of which are cancelled, lose their box, or lose their whole server (SIGKILL) at a random moment; then
containers, volumes, networks, processes and temporary files are counted, and the server's memory is compared.
Needs an engine and its base image (`. .ci/environment`).
"""

import argparse
import io
import os
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, cast

import anyio

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from repowright_tools.errors import SandboxError
from repowright_tools.sandbox.base import Execution
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.engine import connect
from repowright_tools.sandbox.policy import SandboxPolicy
from support.docker import boxes_of, running_boxes
from support.ports import MemoryJournal
from support.projects import Project

MOST_OVERHEAD_S = 1.5
MOST_RATIO = 1.15
MOST_GROWTH_MIB = 8.0
WARM_RUNS = 20
AT_ONCE = 2
SOAKED = "sleep 0.3; echo ran"
RUN_ID = f"r_{os.getpid():032x}"


def policy() -> SandboxPolicy:
    bundle = os.environ.get("SANDBOX_CA_BUNDLE")
    return SandboxPolicy(
        image=os.environ.get("SANDBOX_IMAGE", "repowright-base:local"),
        host=os.environ.get("DOCKER_HOST"),
        ca_bundle=Path(bundle) if bundle else None,
    )


# --- overhead -----------------------------------------------------------------------------------------------------


def suite(tests: int, seconds: float) -> dict[str, str]:
    body = f"import time, pytest\n@pytest.mark.parametrize('number', range({tests}))\n"
    return {"test_all.py": f"{body}def test_one(number):\n    time.sleep({seconds / tests})\n"}


def bare(image: str, files: dict[str, str]) -> float:
    """Seconds of `docker run` of the same command on the same files."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    script = "mkdir /tmp/repo && cd /tmp/repo && tar -x && /venv/bin/python -m pytest -p no:cacheprovider"
    command = ["docker", "run", "--rm", "-i", "--network", "none", image, "sh", "-c", script]
    began = time.perf_counter()
    subprocess.run(command, input=packed.getvalue(), check=True, capture_output=True)
    return time.perf_counter() - began


async def overhead(calls: int, seconds: float) -> bool:
    """Measure both, print them, and say whether they are within what is promised."""
    box = DockerSandbox(policy())
    fine = True
    for files, count, name in ((suite(10, 0.1), calls, "short suite"), (suite(60, seconds), 1, f"{seconds:g} s suite")):
        with tempfile.TemporaryDirectory() as folder:
            project = Project(Path(folder), box)
            project.start(files)
            await project.test(setup_network=True, baseline=False, timeout_s=600)  # makes the environment
            ours, theirs = list[float](), list[float]()
            for _ in range(count):
                project.journal = MemoryJournal()
                began = time.perf_counter()
                report = await project.test(baseline=False, timeout_s=600)
                ours.append(time.perf_counter() - began)
                assert report.verdict == "passed", report.reason
                theirs.append(await anyio.to_thread.run_sync(bare, report.environment.image, files))
        call, run = statistics.median(ours), statistics.median(theirs)
        print(f"{name}: call {call:.2f} s, docker run {run:.2f} s, +{call - run:.2f} s, {call / run:.2f} times")
        fine &= call - run <= MOST_OVERHEAD_S if count > 1 else call / run <= MOST_RATIO
    await box.aclose()
    return fine


# --- soak ---------------------------------------------------------------------------------------------------------


async def soak(runs: int) -> bool:
    """Run, kill and count; whether nothing is left and memory is flat."""
    box, ended, memory = DockerSandbox(policy()), Counter[str](), list[float]()
    chosen = random.Random(5)
    left = iter(range(runs))

    async def work() -> None:
        for number in left:
            ended[await one(box, chosen, number)] += 1
            memory.append(resident_mib())

    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(work)
    await box.reap(now=time.time() + 60, run_id=RUN_ID)
    await box.aclose()
    remains = what_is_left()
    growth = statistics.median(memory[-WARM_RUNS:]) - statistics.median(memory[WARM_RUNS : 2 * WARM_RUNS] or memory)
    print(f"soak: {runs} runs ({', '.join(f'{count} {what}' for what, count in sorted(ended.items()))})")
    print(f"left behind: {remains or 'nothing'}; memory {memory[-1]:.0f} MiB, {growth:+.1f} MiB since it was warm")
    return not remains and growth < MOST_GROWTH_MIB


def in_own_folder(runs: int) -> bool:
    """Soak with a folder for temporary files of its own, in which those of others are not counted."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        try:
            return anyio.run(soak, runs)
        finally:
            tempfile.tempdir = None
            del os.environ["TMPDIR"]


async def one(box: DockerSandbox, chosen: random.Random, number: int) -> str:
    """One run with what fate has for it; how it ended."""
    fate = chosen.choices(["finished", "cancelled", "lost its box", "lost its server"], [6, 2, 1, 1])[0]
    after = chosen.uniform(0, 1.0)
    match fate:
        case "cancelled":
            with anyio.move_on_after(after):
                await box.execute(Execution(RUN_ID, [], SOAKED, 30))
        case "lost its box":
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lose_a_box, after)
                with suppress(SandboxError):
                    await box.execute(Execution(RUN_ID, [], SOAKED, 30))
        case "lost its server":
            await anyio.to_thread.run_sync(lose_a_server, after + 0.6)
        case _:
            with suppress(SandboxError):  # a box that was lost can be any
                outcome = await box.execute(Execution(RUN_ID, [], SOAKED, 30))
                return fate if outcome.exit_code == 0 else "lost its box"
            return "lost its box"
    return fate


async def lose_a_box(after: float) -> None:
    await anyio.sleep(after)

    def kill() -> None:
        with closing(connect(policy().host)) as client:
            for name in running_boxes(client, RUN_ID)[:1]:
                with suppress(Exception):  # it has ended meanwhile
                    client.kill(name)

    await anyio.to_thread.run_sync(kill)


def lose_a_server(after: float) -> None:
    """Start a server with a run, and kill it."""
    program = (
        "import anyio, sys\n"
        "from repowright_tools.sandbox.base import Execution\n"
        "from repowright_tools.sandbox.docker import DockerSandbox\n"
        "from repowright_tools.sandbox.policy import SandboxPolicy\n"
        f"box = DockerSandbox(SandboxPolicy(image={policy().image!r}, host={policy().host!r}))\n"
        f"anyio.run(box.execute, Execution({RUN_ID!r}, [], 'setsid sleep 60 & sleep 60', 60))\n"
    )
    server = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    with suppress(subprocess.TimeoutExpired):
        server.wait(after)
    server.kill()
    server.wait()


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def what_is_left() -> dict[str, Any]:
    """Everything that should not be there any more, by kind."""
    with closing(connect(policy().host)) as client:
        networks = [str(entry["Name"]) for entry in cast(Any, client).networks(filters={"label": f"run_id={RUN_ID}"})]
        boxes = boxes_of(client, RUN_ID)
    children = [int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    kinds: dict[str, Any] = {
        "containers and volumes": boxes,
        "networks": networks,
        "processes": children,
        "temporary files": os.listdir(tempfile.gettempdir()),
    }
    return {kind: found for kind, found in kinds.items() if found}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--calls", type=int, default=7, help="calls of the short suite; 0 to leave the overhead out")
    options.add_argument("--suite", type=float, default=30, help="seconds of the long suite")
    options.add_argument("--soak", type=int, default=200, help="runs of the soak; 0 to leave it out")
    given = options.parse_args()
    if shutil.which("docker") is None:
        raise SystemExit("needs the docker command")
    parts: list[Callable[[], Any]] = []
    if given.calls:
        parts.append(lambda: anyio.run(overhead, given.calls, given.suite))
    if given.soak:
        parts.append(lambda: in_own_folder(given.soak))
    fine = [part() for part in parts]
    if not all(fine):
        raise SystemExit("not within what is promised")


if __name__ == "__main__":
    main()
