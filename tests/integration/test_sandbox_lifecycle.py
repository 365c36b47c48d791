"""How boxes begin and end: by time, by cancelling, by the death of their server, and with an engine that breaks."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import pytest

from repowright_tools.errors import ImageMissing, InstallFailed, SandboxStalled, SandboxUnreachable, WorkspaceTooLarge
from repowright_tools.git.tree import TreeFile
from repowright_tools.sandbox.base import EnvironmentSpec, Execution
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.command import hang_up
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.hardening import BoxPlan, container_arguments
from repowright_tools.sandbox.labels import box_labels
from repowright_tools.sandbox.policy import SandboxPolicy
from support.docker import boxes_of

FORKS = """
import os, time
try:
    for _ in range(400):
        os.fork() or time.sleep(1) or os._exit(0)
except OSError:
    pass
"""

pytestmark = [pytest.mark.docker, pytest.mark.anyio]


@pytest.fixture
def run_id() -> str:
    return f"r_{uuid4().hex}"


async def until(condition: object, deadline_s: float) -> bool:
    """Whether `condition()` becomes true in time."""
    assert callable(condition)
    with anyio.move_on_after(deadline_s):
        while not condition():
            await anyio.sleep(0.05)
        return True
    return False


async def test_a_command_that_fails_is_data(sandbox: DockerSandbox, run_id: str) -> None:
    files = [TreeFile("folder/file.txt", 0o100644, b"content"), TreeFile("run.sh", 0o100755, b"#!/bin/sh\necho ran\n")]
    command = "cat folder/file.txt; ./run.sh; echo kept > /work/out/result.txt; exit 3"
    outcome = await sandbox.execute(Execution(run_id, files, command, 20, collect=["result.txt", "missing.txt"]))
    assert outcome.exit_code == 3
    assert outcome.output == "contentran\n"
    assert dict(outcome.files) == {"result.txt": b"kept\n"}
    assert (outcome.timed_out, outcome.oom_killed, outcome.limits_hit) == (False, False, ())


async def test_a_running_box_has_every_required_setting(
    sandbox: DockerSandbox, docker_client: Client, run_id: str, sandbox_policy: SandboxPolicy
) -> None:
    """S06"""
    details: dict[str, Any] = {}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sandbox.execute, Execution(run_id, [], "sleep 60", 60))
        assert await until(lambda: _running(docker_client, run_id), 10)
        [name] = _running(docker_client, run_id)
        details |= docker_client.inspect_container(name)
        tasks.cancel_scope.cancel()
    host: dict[str, Any] = details["HostConfig"]
    config: dict[str, Any] = details["Config"]
    assert details["Image"] == config["Image"] == docker_client.inspect_image(sandbox_policy.image)["Id"]
    assert config["User"] == "65534:65534"
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Memory"] == host["MemorySwap"] == 256 * 2**20
    assert host["PidsLimit"] == 256
    assert host["NanoCpus"] == 2 * 10**9
    assert host["IpcMode"] == "private"
    assert host["Privileged"] is False
    assert host["Init"] is True
    assert not host["Binds"]
    assert host["LogConfig"]["Type"] == "none"
    assert {limit["Name"]: limit["Hard"] for limit in host["Ulimits"]} == {
        "nofile": 1024,
        "core": 0,
        "fsize": 128 * 2**20,
    }
    assert [(mount["Type"], mount["Destination"]) for mount in details["Mounts"]] == [("volume", "/work")]
    assert {"owner", "run_id", "lease_expiry"} <= set(config["Labels"])
    assert {variable.partition("=")[0] for variable in config["Env"]} <= {
        "PATH",
        "LANG",
        "GPG_KEY",
        "PYTHON_VERSION",
        "PYTHON_SHA256",
    }


def _running(client: Client, run_id: str) -> list[str]:
    found = client.containers(filters={"label": f"run_id={run_id}"})
    return [str(box["Names"][0]).lstrip("/") for box in found]


@pytest.mark.parametrize(
    "stubborn",
    [
        "sleep 600",
        "trap '' TERM; while :; do sleep 1; done",
        "(setsid sh -c 'sleep 600 & sleep 600' &) ; sleep 600",
    ],
)
async def test_a_box_is_gone_two_seconds_after_its_timeout(
    sandbox: DockerSandbox, docker_client: Client, run_id: str, stubborn: str
) -> None:
    """S08, S09"""
    started = time.monotonic()
    outcome = await sandbox.execute(Execution(run_id, [], f"echo said before; {stubborn}", 1))
    assert outcome.timed_out
    assert "timeout" in outcome.limits_hit
    assert "said before" in outcome.output
    assert time.monotonic() - started < 1 + 2 + 1.5  # the timeout, the two seconds, and starting the box
    assert boxes_of(docker_client, run_id) == []


async def test_children_that_keep_the_output_open_do_not_hold_a_finished_command(
    sandbox: DockerSandbox, docker_client: Client, run_id: str
) -> None:
    """S09"""
    outcome = await sandbox.execute(Execution(run_id, [], "echo done; setsid sleep 600 & exit 0", 60))
    assert (outcome.exit_code, outcome.timed_out) == (0, False)
    assert boxes_of(docker_client, run_id) == []


async def test_a_flood_of_output_is_cut_in_the_middle_and_ends_in_time(sandbox: DockerSandbox, run_id: str) -> None:
    """S10"""
    flood = "echo first; yes 'a line that is repeated for ever' | head -c 200000000; echo last; exit 4"
    outcome = await sandbox.execute(Execution(run_id, [], flood, 60))
    assert outcome.exit_code == 4
    assert outcome.output.startswith("first\n")
    assert outcome.output.endswith("last\n")
    assert "bytes left out" in outcome.output
    assert len(outcome.output) < 1.1 * 2**20
    assert outcome.limits_hit == ("output",)


async def test_a_flood_that_never_ends_does_not_delay_the_end_of_its_box(
    sandbox: DockerSandbox, docker_client: Client, run_id: str
) -> None:
    """S10"""
    started = time.monotonic()
    outcome = await sandbox.execute(Execution(run_id, [], "yes", 1))
    assert outcome.timed_out
    assert time.monotonic() - started < 5
    assert boxes_of(docker_client, run_id) == []


async def test_cancelling_removes_the_box_within_two_seconds(
    sandbox: DockerSandbox, docker_client: Client, run_id: str
) -> None:
    """S21"""
    cancelled = 0.0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sandbox.execute, Execution(run_id, [], "sleep 600", 600))
        assert await until(lambda: _running(docker_client, run_id), 10)
        cancelled = time.monotonic()
        tasks.cancel_scope.cancel()
    assert time.monotonic() - cancelled < 2
    assert boxes_of(docker_client, run_id) == []


async def test_killing_the_server_ends_its_box_and_the_next_server_clears_the_remains(
    sandbox: DockerSandbox, docker_client: Client, run_id: str, sandbox_policy: SandboxPolicy
) -> None:
    """S17"""
    program = f"""
import anyio
from repowright_tools.sandbox.base import EnvironmentSpec, Execution
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.policy import SandboxPolicy
box = DockerSandbox(SandboxPolicy(image={sandbox_policy.image!r}, host={sandbox_policy.host!r}))
anyio.run(box.execute, Execution({run_id!r}, [], "setsid sleep 600 & sleep 600", 600))
"""
    server = subprocess.Popen([sys.executable, "-c", program])
    try:
        assert await until(lambda: _running(docker_client, run_id), 20)
    finally:
        os.kill(server.pid, signal.SIGKILL)
        server.wait(10)
    assert await until(lambda: not _running(docker_client, run_id), 2)
    assert boxes_of(docker_client, run_id)  # its remains
    await sandbox.reap()
    assert boxes_of(docker_client, run_id), "a box that has only just ended may still be read by its server"
    await sandbox.reap(now=time.time() + 40, run_id=run_id)
    assert boxes_of(docker_client, run_id) == []


@pytest.mark.parametrize("waits_for_us", [True, False])
async def test_a_box_lives_as_long_as_somebody_holds_its_input(
    docker_client: Client, sandbox_policy: SandboxPolicy, run_id: str, waits_for_us: bool
) -> None:
    """S17, with its knock-out: a first process that does not read from us goes on without us."""
    name = f"repowright-{run_id}"
    plan = BoxPlan(name, sandbox_policy.image, 60, box_labels(name, run_id, time.time() + 60))
    arguments = container_arguments(docker_client, sandbox_policy, plan)
    if not waits_for_us:
        arguments["command"] = ["sleep", "60"]
    try:
        docker_client.create_container(**arguments)
        lifeline = docker_client.attach_socket(name, {"stdin": 1, "stream": 1})
        docker_client.start(name)
        assert _running(docker_client, run_id)
        hang_up(lifeline)
        assert await until(lambda: not _running(docker_client, run_id), 2) is waits_for_us
    finally:
        docker_client.remove_container(name, force=True)
        docker_client.remove_volume(name)


async def test_the_reaper_takes_what_has_expired_and_leaves_what_is_not_ours(
    sandbox: DockerSandbox, docker_client: Client, run_id: str, sandbox_policy: SandboxPolicy
) -> None:
    past, future = str(int(time.time()) - 10), str(int(time.time()) + 600)
    mine, live, inherited, foreign = (f"{kind}-{run_id}" for kind in ("mine", "live", "inherited", "foreign"))
    labels = {
        mine: {"owner": "repowright", "box": mine, "run_id": run_id, "lease_expiry": past},
        live: {"owner": "repowright", "box": live, "run_id": run_id, "lease_expiry": future},
        # somebody started a container from an image of ours: it has our labels, but another name
        inherited: {"owner": "repowright", "box": "another", "run_id": run_id, "lease_expiry": past},
        foreign: {"lease_expiry": past, "run_id": run_id},
    }
    try:
        for name, given in labels.items():
            docker_client.create_container(image=sandbox_policy.image, command=["true"], name=name, labels=given)
        await sandbox.reap()
        assert set(boxes_of(docker_client, run_id)) == {live, inherited, foreign}
    finally:
        for name in boxes_of(docker_client, run_id):
            docker_client.remove_container(name, force=True)


# --- engines that break -------------------------------------------------------------------------------------------


@pytest.fixture
def silent_engine(tmp_path: Path) -> Iterator[str]:
    """A socket that accepts and says nothing."""
    path = tmp_path / "silent.sock"
    held: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    held.append(server.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"unix://{path}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
    for connection in held:
        connection.close()


async def test_an_engine_that_is_not_there_is_named_and_nothing_runs(tmp_path: Path) -> None:
    """S15"""
    box = DockerSandbox(SandboxPolicy(host=f"unix://{tmp_path}/nobody.sock"))
    marker = tmp_path / "ran-on-the-host"
    with anyio.fail_after(10), pytest.raises(SandboxUnreachable):
        await box.execute(Execution("r_1", [], f"touch {marker}", 5))
    assert not marker.exists()


async def test_an_engine_that_says_nothing_is_called_stalled_within_ten_seconds(silent_engine: str) -> None:
    """S15"""
    with anyio.fail_after(10), pytest.raises(SandboxStalled):
        await DockerSandbox(SandboxPolicy(host=silent_engine)).check()


async def test_an_image_that_is_not_there_is_not_pulled(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str
) -> None:
    """S15"""
    async with aclosing(DockerSandbox(replace(sandbox_policy, image="repowright-no-such-image:0"))) as box:
        with anyio.fail_after(10), pytest.raises(ImageMissing, match="repowright-no-such-image"):
            await box.check()
        with anyio.fail_after(10), pytest.raises(ImageMissing):
            await box.execute(Execution(run_id, [], "true", 5))
    assert boxes_of(docker_client, run_id) == []


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
    outcome = await sandbox.execute(Execution(run_id, [], f"test -e /.dockerenv || exit 99; {greedy}", 30))
    assert outcome.limits_hit == (limit,)


async def test_what_a_terminal_would_obey_is_stripped_from_output(sandbox: DockerSandbox, run_id: str) -> None:
    """S22"""
    hostile = (
        r"printf 'a\033[2Jb\033]8;;http://evil.example\007link\033]8;;\007c\033]52;c;AAAA\007d\rover\007\302\233e\n'"
    )
    outcome = await sandbox.execute(Execution(run_id, [], hostile, 10))
    assert outcome.output == "ablinkcd\nover\n"


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


async def test_a_result_inside_a_folder_that_is_a_link_is_the_boxes_own(sandbox: DockerSandbox, run_id: str) -> None:
    """The engine resolves links inside the box: a linked folder cannot lead to a file of the host."""
    command = "rmdir /work/out && ln -s /etc /work/out && cat /etc/hostname"
    outcome = await sandbox.execute(Execution(run_id, [], command, 10, collect=["hostname"]))
    host = Path("/etc/hostname").read_bytes() if Path("/etc/hostname").exists() else b"\0"
    assert outcome.files.get("hostname") != host


# --- environments -------------------------------------------------------------------------------------------------


def writes(script: str) -> EnvironmentSpec:
    return EnvironmentSpec(files={}, commands=[["sh", "-c", script]], writes=["/kept"])


async def test_an_environment_is_made_once_and_what_it_kept_is_in_the_box(
    sandbox: DockerSandbox, docker_client: Client, run_id: str
) -> None:
    spec = writes(f"echo {run_id} > /kept/file; id -u > /kept/user; env > /kept/variables")
    assert await sandbox.prepare(spec, run_id=run_id, network=False) is None
    made = await sandbox.prepare(spec, run_id=run_id, network=True)
    again = await sandbox.prepare(spec, run_id=run_id, network=False)
    assert made is not None
    assert again is not None
    try:
        assert (made.cached, again.cached, again.digest) == (False, True, made.digest)
        look = "cat /kept/file /kept/user; ls /work/in /build; echo x > /kept/file"
        outcome = await sandbox.execute(Execution(run_id, [], look, 20, image=made.digest))
        assert f"{run_id}\n65534\n" in outcome.output  # the two streams may arrive in either order
        assert "Read-only file system" in outcome.output
        assert boxes_of(docker_client, run_id) == []
        configured = docker_client.inspect_image(made.digest)["Config"]["Env"]
        assert not [variable for variable in configured if "CERT" in variable or "CA_" in variable]
    finally:
        docker_client.remove_image(made.digest, force=True)


async def test_an_installation_that_fails_or_writes_too_much_leaves_nothing(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str
) -> None:
    small = replace(sandbox_policy, install_bytes=20 * 2**20, install_timeout_s=20)
    async with aclosing(DockerSandbox(small)) as box:
        with pytest.raises(InstallFailed, match="said why"):
            await box.prepare(writes(f"echo said why {run_id}; exit 1"), run_id=run_id, network=True)
        fill = f": {run_id}; dd if=/dev/zero of=/kept/full bs=1M count=100; sleep 15"
        with pytest.raises(InstallFailed, match="more than"):
            await box.prepare(writes(fill), run_id=run_id, network=True)
    async with aclosing(DockerSandbox(replace(small, install_timeout_s=1))) as box:
        with pytest.raises(InstallFailed, match="within 1 s"):
            await box.prepare(writes(f": {run_id}; sleep 60"), run_id=run_id, network=True)
    assert boxes_of(docker_client, run_id) == []


async def test_certificates_that_cannot_be_read_are_named(sandbox_policy: SandboxPolicy, tmp_path: Path) -> None:
    async with aclosing(DockerSandbox(replace(sandbox_policy, ca_bundle=tmp_path / "none.pem"))) as box:
        with pytest.raises(InstallFailed, match="SANDBOX_CA_BUNDLE"):
            await box.prepare(writes(f"echo {tmp_path}"), run_id="r_1", network=True)
