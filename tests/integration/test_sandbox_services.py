"""Services beside the tests: what they are reached by, what they reach, and that they go with their box."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import pytest

from repowright_tools.errors import ImageMissing, SandboxBroken, ServiceUnready
from repowright_tools.sandbox.base import Execution, ExecutionOutcome
from repowright_tools.sandbox.box import open_box
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.engine import Engine
from repowright_tools.sandbox.hardening import BoxPlan
from repowright_tools.sandbox.labels import box_labels
from repowright_tools.sandbox.policy import SandboxPolicy
from repowright_tools.sandbox.services import Service
from support.docker import boxes_of, running_boxes, until, usual_gateway
from support.projects import Project
from support.services import ASKING, CONFTEST, obeying, postgres, redis

pytestmark = [pytest.mark.docker, pytest.mark.anyio]

IMAGE = os.environ.get("SANDBOX_SERVICES_IMAGE", "repowright-services:local")
Beside = Callable[[Mapping[str, Service]], DockerSandbox]


@pytest.fixture
def run_id() -> str:
    return f"r_{uuid4().hex}"


@pytest.fixture
async def beside(sandbox_policy: SandboxPolicy) -> AsyncIterator[Beside]:
    """Makes the sandbox of an operator who declares services."""
    async with AsyncExitStack() as stack:

        def make(services: Mapping[str, Service]) -> DockerSandbox:
            made = DockerSandbox(replace(sandbox_policy, services=services, services_ready_s=20))
            stack.push_async_callback(made.aclose)
            return made

        yield make


@pytest.fixture
def image(sandbox_policy: SandboxPolicy) -> str:
    return sandbox_policy.image


@pytest.fixture(scope="session")
def databases(docker_client: Client) -> str:
    """An image with PostgreSQL and Redis."""
    if not docker_client.images(filters={"reference": IMAGE}):
        advice = f"run .ci/base-image {IMAGE} redis-server postgresql"
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail(f"the Docker engine has no image {IMAGE} ({advice}), and REQUIRE_DOCKER=1", pytrace=False)
        pytest.skip(f"the Docker engine has no image {IMAGE} ({advice})")
    return IMAGE


# --- what they are for ---------------------------------------------------------------------------------------------


async def test_a_project_is_tested_with_its_database_and_cache_and_each_run_gets_fresh_ones(
    tmp_path: Path, beside: Beside, docker_client: Client, databases: str
) -> None:
    sandbox = beside({"db": postgres(databases), "cache": redis(databases)})
    project = Project(tmp_path, sandbox)
    project.start(
        {
            "conftest.py": CONFTEST,
            "shop.py": "RATE = 2\n",
            "test_shop.py": """
                import shop
                def test_the_cache_is_new(redis):
                    assert [redis(b"INCR", b"runs"), redis(b"INCR", b"runs")] == [b":1", b":2"]
                def test_the_database_is_new(sql):
                    sql("CREATE TABLE price (net int)")
                    sql("INSERT INTO price VALUES (100)")
                    assert sql(f"SELECT net * {shop.RATE} FROM price") == ["200"]
            """,
        }
    )
    project.change({"shop.py": "RATE = 1 + 1\n"})
    report = await project.test()
    assert report.verdict == "passed"
    assert {test.id: (test.outcome, test.class_) for test in report.tests} == {
        "test_shop.py::test_the_cache_is_new": ("passed", "unchanged"),
        "test_shop.py::test_the_database_is_new": ("passed", "unchanged"),
    }
    assert boxes_of(docker_client, project.run_id) == []


async def test_tests_are_told_of_services_and_cannot_be_told_another_path(
    beside: Beside, image: str, run_id: str
) -> None:
    told = {"SERVICE_URL": "tcp://obeying:7000", "PATH": "/nowhere", "CI": "operator"}
    sandbox = beside({"obeying": obeying(image, test_environment=told)})
    command = "echo $SERVICE_URL $CI; python3 ask.py obeying 7000 'echo answered'"
    outcome = await sandbox.execute(Execution(run_id, ASKING, command, 20, variables={"CI": "run"}))
    assert outcome.output == "tcp://obeying:7000 run\nanswered\n"


async def test_a_command_that_is_no_test_has_none_beside_it(beside: Beside, image: str, run_id: str) -> None:
    sandbox = beside({"obeying": obeying(image)})
    outcome = await sandbox.execute(Execution(run_id, [], "cat /proc/net/tcp /etc/hosts", 20, services=False))
    assert "obeying" not in outcome.output
    assert " 0A " not in outcome.output  # nothing listens


# --- what they reach -----------------------------------------------------------------------------------------------

NET = "/sys/class/net"
NETWORK_UNREACHABLE, CONNECTION_REFUSED = 101, 111


def connecting(*targets: tuple[str, int]) -> str:
    """A line for `sh` that prints what becomes of a connection to each target, and the network's interfaces."""
    tries = f"(socket.socket().connect_ex(each) for each in {list(targets)!r})"
    return f"python3 -c {shlex.quote(f'import os, socket; print(*{tries}, *os.listdir({NET!r}))')}"


def asked(line: str, service: str = "obeying", port: int = 7000) -> str:
    return f"python3 ask.py {service} {port} {shlex.quote(line)}"


@pytest.fixture
def gateway(docker_client: Client) -> Iterator[tuple[str, int]]:
    """A service on the host, at the address that containers reach the host by."""
    address = usual_gateway(docker_client)
    with socket.create_server((address, 0)) as server:
        yield address, server.getsockname()[1]


async def test_tests_and_services_reach_each_other_and_nothing_else(
    beside: Beside, image: str, run_id: str, docker_client: Client, gateway: tuple[str, int]
) -> None:
    """Not the host, the internet, the engine's name server, or a service of another run."""
    line = connecting(gateway, ("8.8.8.8", 53), ("169.254.169.254", 80), ("127.0.0.11", 53), ("127.0.0.1", 7001))
    refused = f"{NETWORK_UNREACHABLE} " * 3 + f"{CONNECTION_REFUSED} " * 2 + "lo\n"
    outcomes: list[ExecutionOutcome] = []
    async with anyio.create_task_group() as tasks:
        another = beside({"another": obeying(image, 7001)})
        tasks.start_soon(another.execute, Execution(f"{run_id}-another", [], "sleep 60", 60))
        assert await until(lambda: len(running_boxes(docker_client, f"{run_id}-another")) == 2, 20)
        execution = Execution(run_id, ASKING, f"{line}; {asked(line)}", 30)
        outcomes.append(await beside({"obeying": obeying(image)}).execute(execution))
        tasks.cancel_scope.cancel()
    assert [outcome.output for outcome in outcomes] == [refused * 2]


async def test_in_the_engines_usual_network_a_service_would_reach_the_host(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str, gateway: tuple[str, int]
) -> None:
    """Knock-out."""
    digest = str(docker_client.inspect_image(sandbox_policy.image)["Id"])
    name = f"repowright-{run_id}"
    plan = BoxPlan(name, digest, 60, box_labels(name, run_id, time.time() + 60), network="bridge")
    async with aclosing(Engine(sandbox_policy.host)) as engine, open_box(engine, sandbox_policy, plan) as box:
        ran = await box.run(["sh", "-c", connecting(gateway)], folder="/", variables={}, timeout_s=10)
    assert ran.output.text().split()[0] == "0"


async def test_services_of_one_run_reach_each_other_by_name(beside: Beside, image: str, run_id: str) -> None:
    sandbox = beside({"obeying": obeying(image), "another": obeying(image, 7001)})
    line = asked(connecting(("another", 7001), ("127.0.0.1", 7001)))
    assert (await sandbox.execute(Execution(run_id, ASKING, line, 30))).output == "0 0 lo\n"


async def test_code_that_a_change_runs_in_a_service_reaches_neither_the_tests_nor_their_results(
    beside: Beside, image: str, run_id: str
) -> None:
    forge = "mkdir -p /work/out && echo forged > /work/out/result.txt"
    line = f"cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'; ls -A /work /work/repo; {forge}; id -u; touch /etc/mine"
    command = f"sleep 300 & {asked(line)}"
    sandbox = beside({"obeying": obeying(image)})
    outcome = await sandbox.execute(Execution(run_id, ASKING, command, 30, collect=["result.txt"]))
    assert "sleep\n300" not in outcome.output
    assert "ask.py" not in outcome.output
    assert "cannot access '/work/repo'" in outcome.output
    assert "\n65534\n" in outcome.output
    assert "Read-only file system" in outcome.output
    assert dict(outcome.files) == {}


async def test_a_service_is_as_locked_up_as_the_tests(
    beside: Beside, image: str, run_id: str, docker_client: Client
) -> None:
    found: list[dict[str, Any]] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(beside({"obeying": obeying(image)}).execute, Execution(run_id, [], "sleep 60", 60))
        assert await until(lambda: len(running_boxes(docker_client, run_id)) == 2, 20)
        found += [docker_client.inspect_container(name) for name in running_boxes(docker_client, run_id)]
        tasks.cancel_scope.cancel()
    found.sort(key=lambda each: each["HostConfig"]["NetworkMode"] == "none", reverse=True)
    tests, service = (dict(each["HostConfig"]) for each in found)
    assert tests.pop("NetworkMode") == "none"
    assert service.pop("NetworkMode") == f"container:{found[0]['Id']}"
    assert (tests.pop("ExtraHosts"), service.pop("ExtraHosts")) == (["obeying:127.0.0.1"], [])
    own = [each.pop("Mounts")[0] for each in (tests, service)]
    assert [mount["Target"] for mount in own] == ["/work", "/work"]
    assert own[0]["Source"] != own[1]["Source"]
    assert tests == service
    assert [each["Config"]["User"] for each in found] == ["65534:65534"] * 2


@pytest.fixture
def declares_a_volume(docker_client: Client, image: str) -> Iterator[str]:
    """An image that wants a folder of the host's disk."""
    name = f"with-a-volume-{uuid4().hex}"
    docker_client.create_container(image=image, command=["true"], name=name)
    try:
        docker_client.commit(name, repository=name, tag="local", changes=["VOLUME /data", "WORKDIR /data"])
        yield f"{name}:local"
    finally:
        docker_client.remove_container(name, force=True)
        docker_client.remove_image(f"{name}:local", force=True)


async def test_what_an_image_declares_as_a_volume_is_in_memory_and_bounded(
    beside: Beside, run_id: str, declares_a_volume: str
) -> None:
    line = "pwd; stat -f -c %T .; echo kept > file; head -c 100000000 /dev/zero > large"
    outcome = await beside({"obeying": obeying(declares_a_volume)}).execute(Execution(run_id, ASKING, asked(line), 30))
    assert outcome.output.startswith("/data\ntmpfs\n")
    assert "No space left on device" in outcome.output


async def test_an_image_whose_volume_would_be_on_the_hosts_disk_is_not_run(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str, declares_a_volume: str
) -> None:
    """Knock-out."""
    name, digest = f"repowright-{run_id}", str(docker_client.inspect_image(declares_a_volume)["Id"])
    plan = BoxPlan(name, digest, 60, box_labels(name, run_id, time.time() + 60))
    async with aclosing(Engine(sandbox_policy.host)) as engine:
        with pytest.raises(SandboxBroken, match="Mounts"):
            async with open_box(engine, sandbox_policy, plan):
                pytest.fail("it was run")
    assert boxes_of(docker_client, run_id) == []


# --- how they begin and end ----------------------------------------------------------------------------------------


async def test_tests_wait_for_a_service_until_it_listens_and_is_well(beside: Beside, image: str, run_id: str) -> None:
    slow = "import time, threading; threading.Timer(1, lambda: open('/tmp/well', 'w')).start()"
    check = ("sh", "-c", "test -e $SIGN")
    service = obeying(image, first=slow, healthcheck=check, environment={"SIGN": "/tmp/well"})
    outcome = await beside({"obeying": service}).execute(Execution(run_id, ASKING, asked("ls /tmp"), 20))
    assert outcome.output == "well\n"


async def test_a_service_that_says_a_lot_is_read_and_holds_nobody_up(beside: Beside, image: str, run_id: str) -> None:
    """Unread, it would stop at its first 64 KiB."""
    flood = "import threading\nprint('x' * 4_000_000, flush=True)\n"
    flood += "def say():\n  while True: print('y' * 1000)\nthreading.Thread(target=say, daemon=True).start()"
    started = time.monotonic()
    sandbox = beside({"obeying": obeying(image, first=flood)})
    outcome = await sandbox.execute(Execution(run_id, ASKING, asked("echo answered"), 20))
    assert outcome.output == "answered\n"
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"command": ("sh", "-c", "printf 'no \\033[31mconfiguration'; exit 3")},
            "exit code 3 and said: no configuration",
        ),
        (
            {"command": ("sh", "-c", "echo wrong: $PASSWORD; exit 3"), "environment": {"PASSWORD": "word-of-mine"}},
            "exit code 3 and said: wrong: [hidden]",
        ),
        ({"command": ("sleep", "60")}, "not ready on port 7000 within 0.5 s"),
        ({"healthcheck": ("false",)}, "not ready on port 7000 within 0.5 s"),
        ({"command": ("no-such-program",)}, "no-such-program"),
        ({"tmpfs": ("/etc/passwd",)}, "could not be started"),
    ],
    ids=["ends", "tells-a-password", "does-not-listen", "is-not-well", "has-no-such-program", "cannot-be-made"],
)
async def test_when_a_service_does_not_start_no_test_runs_and_the_reason_is_told(
    sandbox_policy: SandboxPolicy, run_id: str, docker_client: Client, changes: dict[str, Any], said: str
) -> None:
    service = obeying(sandbox_policy.image).model_copy(update=changes)
    policy = replace(sandbox_policy, services={"obeying": service}, services_ready_s=0.5)
    async with aclosing(DockerSandbox(policy)) as sandbox:
        with pytest.raises(ServiceUnready, match="the service obeying") as refused:
            await sandbox.execute(Execution(run_id, [], "echo ran", 20))
    assert said in refused.value.message
    assert "SANDBOX_SERVICES" in refused.value.what_to_do
    assert boxes_of(docker_client, run_id) == []


async def test_an_image_that_the_engine_lacks_is_named_before_anything_runs(beside: Beside) -> None:
    sandbox = beside({"cache": Service(image="nobody/has-this:1", port=6379)})
    for attempt in (sandbox.check, lambda: sandbox.execute(Execution("r_0", [], "true", 5))):
        with pytest.raises(ImageMissing, match="nobody/has-this:1") as refused:
            await attempt()
        assert "docker pull nobody/has-this:1" in refused.value.what_to_do


async def test_a_check_tells_which_services_are_there(beside: Beside, image: str) -> None:
    assert (await beside({"obeying": obeying(image)}).check()).services == ("obeying",)


async def test_a_service_that_ends_before_the_tests_is_told_in_their_output(
    beside: Beside, image: str, run_id: str
) -> None:
    command = f"{asked('kill -9 $PPID')}; echo went on"
    outcome = await beside({"obeying": obeying(image)}).execute(Execution(run_id, ASKING, command, 20))
    assert outcome.exit_code == 0
    assert "went on" in outcome.output
    assert "[the service obeying ended with exit code 137" in outcome.output


async def test_without_services_a_run_has_one_box_and_knows_no_names(
    sandbox: DockerSandbox, run_id: str, docker_client: Client
) -> None:
    found: list[dict[str, Any]] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sandbox.execute, Execution(run_id, [], "sleep 60", 60))
        assert await until(lambda: running_boxes(docker_client, run_id), 20)
        found += [docker_client.inspect_container(name)["HostConfig"] for name in running_boxes(docker_client, run_id)]
        tasks.cancel_scope.cancel()
    assert [(each["NetworkMode"], each["ExtraHosts"] or []) for each in found] == [("none", [])]


async def test_services_are_gone_when_a_run_ends_by_its_timeout(
    beside: Beside, image: str, run_id: str, docker_client: Client
) -> None:
    sandbox = beside({"obeying": obeying(image), "another": obeying(image, 7001)})
    command = f"{asked('setsid sleep 600 >/dev/null 2>&1 &')}; sleep 600"
    outcome = await sandbox.execute(Execution(run_id, ASKING, command, 1))
    assert outcome.timed_out
    assert boxes_of(docker_client, run_id) == []


async def test_cancelling_removes_services_with_their_box_within_two_seconds(
    beside: Beside, image: str, run_id: str, docker_client: Client
) -> None:
    cancelled = 0.0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(beside({"obeying": obeying(image)}).execute, Execution(run_id, [], "sleep 600", 600))
        assert await until(lambda: len(running_boxes(docker_client, run_id)) == 2, 20)
        cancelled = time.monotonic()
        tasks.cancel_scope.cancel()
    assert time.monotonic() - cancelled < 2
    assert boxes_of(docker_client, run_id) == []


async def test_killing_the_server_ends_its_services_and_the_next_server_clears_the_remains(
    sandbox: DockerSandbox, sandbox_policy: SandboxPolicy, run_id: str, docker_client: Client
) -> None:
    declared = json.dumps({"obeying": obeying(sandbox_policy.image).model_dump(mode="json")})
    program = f"""
import anyio
from repowright_tools.sandbox.base import Execution, ExecutionOutcome
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.policy import SandboxPolicy
from repowright_tools.sandbox.services import declared_services
services = declared_services({declared!r})
box = DockerSandbox(SandboxPolicy(image={sandbox_policy.image!r}, host={sandbox_policy.host!r}, services=services))
anyio.run(box.execute, Execution({run_id!r}, [], "setsid sleep 600 & sleep 600", 600))
"""
    server = subprocess.Popen([sys.executable, "-c", program])
    try:
        assert await until(lambda: len(running_boxes(docker_client, run_id)) == 2, 20)
    finally:
        os.kill(server.pid, signal.SIGKILL)
        server.wait(10)
    assert await until(lambda: not running_boxes(docker_client, run_id), 2)
    await sandbox.reap(now=time.time() + 40, run_id=run_id)
    assert boxes_of(docker_client, run_id) == []
