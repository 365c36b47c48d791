"""How boxes begin and end: by time, by cancelling, and by the death of their server."""

import os
import signal
import subprocess
import sys
import time
from array import array
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from fcntl import ioctl
from termios import FIONREAD
from typing import Any, cast
from uuid import uuid4

import anyio
import pytest

from repowright_tools.errors import SandboxStalled
from repowright_tools.git.tree import TreeFile
from repowright_tools.sandbox.base import Execution, ExecutionOutcome
from repowright_tools.sandbox.box import open_box
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.command import hang_up
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.engine import Engine
from repowright_tools.sandbox.hardening import BoxPlan
from repowright_tools.sandbox.labels import box_labels
from repowright_tools.sandbox.podman import create
from repowright_tools.sandbox.policy import SandboxPolicy
from support.docker import TRIPWIRE, boxes_of, order_box, remove_box, running_boxes, until

pytestmark = [pytest.mark.docker, pytest.mark.anyio]


@pytest.fixture
def run_id() -> str:
    return f"r_{uuid4().hex}"


def plan_for(client: Client, policy: SandboxPolicy, run_id: str) -> BoxPlan:
    name = f"repowright-{run_id}"
    digest = client.inspect_image(policy.image)["Id"]
    return BoxPlan(name, digest, 60, box_labels(name, run_id, time.time() + 60))


async def test_a_command_that_fails_is_data(sandbox: DockerSandbox, run_id: str) -> None:
    files = [TreeFile("folder/file.txt", 0o100644, b"content"), TreeFile("run.sh", 0o100755, b"#!/bin/sh\necho ran\n")]
    command = "cat folder/file.txt; ./run.sh; echo kept > /work/out/result.txt; exit 3"
    outcome = await sandbox.execute(Execution(run_id, files, command, 20, collect=["result.txt", "missing.txt"]))
    assert outcome.exit_code == 3
    assert outcome.output == "contentran\n"
    assert dict(outcome.files) == {"result.txt": b"kept\n"}
    assert (outcome.timed_out, outcome.oom_killed, outcome.limits_hit) == (False, False, ())


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


async def test_what_the_timeout_of_a_command_leaves_behind_ends_only_with_the_box(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str
) -> None:
    """S08 and S09, knock-out: without the end of the box, a process that has gone its own way lives on."""
    async with aclosing(Engine(sandbox_policy.host)) as engine:
        async with open_box(engine, sandbox_policy, plan_for(docker_client, sandbox_policy, run_id)) as box:
            stubborn = ["sh", "-c", "setsid sleep 600 & sleep 600"]
            ran = await box.run(stubborn, folder="/", variables={}, timeout_s=1)
            assert ran.timed_out
            left = await box.run(["sh", "-c", "cat /proc/[0-9]*/comm"], folder="/", variables={}, timeout_s=5)
            assert "sleep" in left.output.text().split()
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


async def test_a_flood_that_nobody_reads_would_hold_up_the_end_of_its_box(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str
) -> None:
    """S10, knock-out: the engine's kill waits for a reader, until the connection is closed."""
    async with aclosing(Engine(sandbox_policy.host)) as engine:
        plan = plan_for(docker_client, sandbox_policy, run_id)
        async with open_box(engine, sandbox_policy, plan) as box:
            client = await engine.api()
            made = client.exec_create(plan.name, ["yes"], workdir="/", environment={})
            unread = client.exec_start(made["Id"], socket=True)
            try:
                assert await until(_fills_up(unread), 10)
                with pytest.raises(SandboxStalled):
                    await engine.call("end a box", 3, client.kill, plan.name)
                async with aclosing(DockerSandbox(sandbox_policy)) as another:
                    await another.reap(run_id=run_id)  # which does not fail by a box that the engine cannot look at
            finally:
                hang_up(unread)
            with anyio.fail_after(5):
                await box.end()


def _fills_up(stream: Any) -> Callable[[], bool]:
    """Whether as much waits to be read as the engine can send: more than none, and no more than the last time."""
    seen = [0]

    def look() -> bool:
        waiting = array("i", [0])
        ioctl(stream.fileno(), FIONREAD, waiting)
        seen.append(waiting[0])
        return 0 < seen[-1] == seen[-2] == seen[max(0, len(seen) - 5)]

    return look


async def test_output_is_cut_where_the_policy_says_and_nowhere_else(sandbox_policy: SandboxPolicy, run_id: str) -> None:
    """S10, knock-out: with a bound that is large enough, all of it is kept."""
    flood = Execution(run_id, [], "yes 'a line that is repeated' | head -c 4000000", 30)
    async with aclosing(DockerSandbox(replace(sandbox_policy, output_bytes=8 * 2**20))) as generous:
        assert len((await generous.execute(flood)).output) == 4_000_000
    async with aclosing(DockerSandbox(replace(sandbox_policy, output_bytes=2**20))) as strict:
        assert len((await strict.execute(flood)).output) < 1.1 * 2**20


async def test_a_gigabyte_of_output_costs_the_server_little_memory(sandbox_policy: SandboxPolicy, run_id: str) -> None:
    """S10"""
    program = f"""
import resource, anyio
from repowright_tools.sandbox.base import Execution, ExecutionOutcome
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.policy import SandboxPolicy
async def measured():
    box = DockerSandbox(SandboxPolicy(image={sandbox_policy.image!r}, host={sandbox_policy.host!r}))
    await box.execute(Execution({run_id!r}, [], "true", 30))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = await box.execute(Execution({run_id!r}, [], "head -c 1073741824 /dev/zero; echo last", 120))
    assert outcome.output.endswith("last\\n"), outcome.output[-100:]
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    await box.aclose()
anyio.run(measured)
"""
    done = await anyio.run_process([sys.executable, "-c", program])
    assert int(done.stdout) * 1024 < 100 * 2**20


async def test_a_background_flood_does_not_hold_a_command_that_has_ended(
    sandbox: DockerSandbox, docker_client: Client, run_id: str
) -> None:
    """S10"""
    started = time.monotonic()
    outcome = await sandbox.execute(Execution(run_id, [], "echo first; setsid yes & sleep 0.5; exit 3", 60))
    assert (outcome.exit_code, outcome.timed_out) == (3, False)
    assert outcome.output.startswith("first\n")
    assert "output" in outcome.limits_hit
    assert time.monotonic() - started < 10
    assert boxes_of(docker_client, run_id) == []


async def test_cancelling_removes_the_box_within_two_seconds(
    sandbox: DockerSandbox, docker_client: Client, run_id: str
) -> None:
    """S21"""
    cancelled = 0.0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sandbox.execute, Execution(run_id, [], "sleep 600", 600))
        assert await until(lambda: running_boxes(docker_client, run_id), 10)
        cancelled = time.monotonic()
        tasks.cancel_scope.cancel()
    assert time.monotonic() - cancelled < 2
    assert boxes_of(docker_client, run_id) == []


async def test_a_box_that_nobody_removes_stays(
    docker_client: Client, sandbox_policy: SandboxPolicy, run_id: str
) -> None:
    """S21, knock-out: leaving alone removes nothing."""
    plan = plan_for(docker_client, sandbox_policy, run_id)
    try:
        with anyio.move_on_after(1):
            create(docker_client, order_box(docker_client, sandbox_policy, plan))
            docker_client.start(plan.name)
            await anyio.sleep_forever()
        assert boxes_of(docker_client, run_id)
    finally:
        remove_box(docker_client, plan.name)


@pytest.mark.parametrize(
    ("death", "code", "memory"),
    [
        ("kill -SEGV $$", 139, False),
        ("kill -ABRT $$", 134, False),
        ("kill -KILL $$", 137, False),
        ("exec python3 -c 'bytearray(400 * 2**20)'", 137, True),
        ("python3 -c 'bytearray(400 * 2**20)'; exit 5", 5, True),
        ("sh -c 'kill -SEGV $$'; exit 6", 6, False),
    ],
)
async def test_each_way_to_die_is_told_from_the_others(
    sandbox: DockerSandbox, run_id: str, death: str, code: int, memory: bool
) -> None:
    """S13: a process that runs out of memory, its child alone, a signal, and a signal to a child."""
    outcome = await sandbox.execute(Execution(run_id, [], f"{TRIPWIRE}; {death}", 30))
    assert (outcome.exit_code, outcome.oom_killed, outcome.timed_out) == (code, memory, False)


async def test_a_box_that_is_killed_from_outside_is_a_crash_with_its_output(
    sandbox: DockerSandbox, docker_client: Client, run_id: str
) -> None:
    outcomes: list[ExecutionOutcome] = []

    async def execute() -> None:
        outcomes.append(await sandbox.execute(Execution(run_id, [], "echo said before; sleep 60", 60)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(execute)
        assert await until(lambda: b"sleep" in _processes(docker_client, run_id), 10)
        docker_client.kill(running_boxes(docker_client, run_id)[0])
    [outcome] = outcomes
    assert (outcome.exit_code, outcome.oom_killed, outcome.timed_out) == (137, False, False)
    assert outcome.output == "said before\n"
    assert boxes_of(docker_client, run_id) == []


def _processes(client: Client, run_id: str) -> bytes:
    """What runs in the run's box."""
    for name in running_boxes(client, run_id):
        made = client.exec_create(name, ["sh", "-c", "cat /proc/[0-9]*/comm"], workdir="/", environment={})
        return cast(bytes, cast(Any, client).exec_start(made["Id"]))
    return b""


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
        assert await until(lambda: running_boxes(docker_client, run_id), 20)
    finally:
        os.kill(server.pid, signal.SIGKILL)
        server.wait(10)
    assert await until(lambda: not running_boxes(docker_client, run_id), 2)
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
    order = order_box(docker_client, sandbox_policy, plan)
    if not waits_for_us:
        order = replace(order, arguments={**order.arguments, "command": ["sleep", "60"]})
    try:
        create(docker_client, order)
        lifeline = docker_client.attach_socket(name, {"stdin": 1, "stream": 1})
        docker_client.start(name)
        assert running_boxes(docker_client, run_id)
        hang_up(lifeline)
        assert await until(lambda: not running_boxes(docker_client, run_id), 2) is waits_for_us
    finally:
        remove_box(docker_client, name)


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
