"""What comes out of a box: output, bounds that were reached, and files, all of which hostile code may have made."""

from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from repowright_tools.errors import WorkspaceTooLarge
from repowright_tools.git.tree import TreeFile
from repowright_tools.sandbox.base import Execution
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.policy import SandboxPolicy
from support.docker import TRIPWIRE, Probe, boxes_of

FORKS = """
import os, time
try:
    for _ in range(400):
        os.fork() or time.sleep(1) or os._exit(0)
except OSError:
    pass
"""
HOSTILE = r"printf 'a\033[2Jb\033]8;;http://evil.example\007link\033]8;;\007c\033]52;c;AAAA\007d\rover\007\302\233e\n'"

pytestmark = [pytest.mark.docker, pytest.mark.anyio]


@pytest.fixture
def run_id() -> str:
    return f"r_{uuid4().hex}"


async def test_files_that_do_not_fit_are_refused_by_name(
    sandbox: DockerSandbox, docker_client: Client, run_id: str, sandbox_policy: SandboxPolicy
) -> None:
    large = TreeFile("large.bin", 0o100644, bytes(65 * 2**20))
    with pytest.raises(WorkspaceTooLarge):
        await sandbox.execute(Execution(run_id, [large], "true", 5))
    few = DockerSandbox(replace(sandbox_policy, workspace_files=50))
    async with aclosing(few):
        with pytest.raises(WorkspaceTooLarge):
            await few.execute(Execution(run_id, [TreeFile(f"{n}", 0o100644, b"") for n in range(100)], "true", 5))
    assert boxes_of(docker_client, run_id) == []


# --- what tests need ----------------------------------------------------------------------------------------------


async def test_what_honest_tests_do_works(sandbox: DockerSandbox, run_id: str) -> None:
    """S20"""
    code = b"""
import multiprocessing, os, subprocess, tempfile, threading

def work(lock, queue):
    with lock:
        queue.put(os.getpid())

if __name__ == "__main__":
    lock, queue = multiprocessing.Lock(), multiprocessing.Queue()
    process = multiprocessing.Process(target=work, args=(lock, queue))
    process.start()
    print("lock", queue.get(timeout=10) == process.pid)
    process.join()
    path = os.path.join(tempfile.mkdtemp(), "program")
    with open(path, "w") as program:
        program.write("#!/bin/sh\\necho executed\\n")
    os.chmod(path, 0o755)
    print(subprocess.run([path], capture_output=True, text=True).stdout.strip())
    done = threading.Barrier(151)
    threads = [threading.Thread(target=done.wait) for _ in range(150)]
    for thread in threads:
        thread.start()
    done.wait(10)
    print("threads", len(threads))
"""
    outcome = await sandbox.execute(Execution(run_id, [TreeFile("honest.py", 0o100644, code)], "python3 honest.py", 60))
    assert outcome.output.splitlines() == ["lock True", "executed", "threads 150"]
    assert outcome.limits_hit == ()


@pytest.mark.parametrize(
    ("greedy", "limit"),
    [
        ("python3 -c 'bytearray(300 * 2**20)'; exit 0", "memory"),
        ("dd if=/dev/zero of=/work/repo/full bs=1M count=100; exit 0", "workspace"),
        (f"python3 -c '{FORKS}'; sleep 2; exit 0", "pids"),
    ],
)
async def test_the_bound_that_was_reached_is_named(
    sandbox: DockerSandbox, run_id: str, greedy: str, limit: str
) -> None:
    """S02"""
    outcome = await sandbox.execute(Execution(run_id, [], f"{TRIPWIRE}; {greedy}", 30))
    assert outcome.limits_hit == (limit,)


async def test_what_a_terminal_would_obey_is_stripped_from_output(sandbox: DockerSandbox, run_id: str) -> None:
    """S22"""
    outcome = await sandbox.execute(Execution(run_id, [], HOSTILE, 10))
    assert outcome.output == "ablinkcd\nover\n"


async def test_a_box_itself_strips_nothing(probe: Probe) -> None:
    """S22, knock-out"""
    assert "\033]52;c;AAAA\007" in probe(HOSTILE)


@pytest.mark.parametrize(
    "planted",
    [
        "ln -s /etc/passwd /work/out/report",
        "ln /etc/hostname /work/out/report || mkdir /work/out/report",
        "mkfifo /work/out/report",
        "mkdir -p /work/out/report && echo x > /work/out/report/inner",
        "truncate -s 40m /work/out/report",
    ],
)
async def test_a_result_that_is_no_plain_file_is_not_taken(sandbox: DockerSandbox, run_id: str, planted: str) -> None:
    outcome = await sandbox.execute(Execution(run_id, [], planted, 10, collect=["report"]))
    assert dict(outcome.files) == {}


async def test_results_are_bounded_together_however_many_there_are(sandbox: DockerSandbox, run_id: str) -> None:
    names = [f"report-{number}" for number in range(4)]
    command = f"cd /work/out && truncate -s 10m {names[0]} {names[1]} && echo small | tee {names[2]} >{names[3]}"
    outcome = await sandbox.execute(Execution(run_id, [], command, 10, collect=names))
    assert list(outcome.files) == [names[0], names[2], names[3]]


async def test_a_result_inside_a_folder_that_is_a_link_is_the_boxes_own(sandbox: DockerSandbox, run_id: str) -> None:
    """The engine resolves links inside the box: a linked folder cannot lead to a file of the host."""
    command = "rmdir /work/out && ln -s /etc /work/out && cat /etc/hostname"
    outcome = await sandbox.execute(Execution(run_id, [], command, 10, collect=["hostname"]))
    host = Path("/etc/hostname").read_bytes() if Path("/etc/hostname").exists() else b"\0"
    assert outcome.files.get("hostname") != host
