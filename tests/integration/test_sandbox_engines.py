"""Engines that break, say nothing, refuse us or lack the image: each has its name, and nothing runs on the host."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import anyio
import anyio.to_thread
import docker
import docker.errors
import pytest

from repowright_tools.errors import ImageMissing, SandboxError, SandboxStalled, SandboxUnreachable
from repowright_tools.sandbox.base import Execution
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.engine import Engine
from repowright_tools.sandbox.policy import SandboxPolicy
from support.docker import boxes_of, running_boxes, until
from support.relay import Relay

pytestmark = [pytest.mark.docker, pytest.mark.anyio]


@pytest.fixture
def run_id() -> str:
    return f"r_{uuid4().hex}"


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


async def test_without_its_deadline_a_call_would_wait_for_a_silent_engine(silent_engine: str) -> None:
    """S15, knock-out"""
    engine = Engine(None)

    def ask() -> None:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(6)
            asking.connect(silent_engine.removeprefix("unix://"))
            with suppress(TimeoutError):
                asking.recv(1)

    with anyio.move_on_after(2) as waited:
        await engine.call("ask", 60, ask)
    assert waited.cancelled_caught
    with anyio.fail_after(2), pytest.raises(SandboxStalled):
        await engine.call("ask", 0.5, ask)


@pytest.mark.skipif(os.getuid() != 0, reason="becomes somebody without rights, which only root can")
@pytest.mark.parametrize(("user", "said"), [(65534, "SandboxUnreachable"), (0, "SandboxStalled")])
async def test_a_socket_that_we_may_not_use_is_named(user: int, said: str) -> None:
    """S15, with its knock-out: who may use it gets further."""
    program = """
import os, sys
import anyio
from repowright_tools.errors import SandboxError
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.policy import SandboxPolicy
async def check(path):
    try:
        await DockerSandbox(SandboxPolicy(host="unix://" + path)).check()
    except SandboxError as error:
        print(type(error).__name__, error.message)
anyio.run(check, "/nowhere")  # imports everything, which somebody without rights might not read
os.setuid(int(sys.argv[2]))
anyio.run(check, sys.argv[1])
"""
    with TemporaryDirectory(prefix="engine") as folder, socket.socket(socket.AF_UNIX) as server:
        Path(folder).chmod(0o755)  # which tmp_path is not
        path = Path(folder, "engine.sock")
        server.bind(str(path))
        server.listen()
        path.chmod(0o600)
        done = subprocess.run(
            [sys.executable, "-c", program, str(path), str(user)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert said in done.stdout.splitlines()[1]


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


async def test_an_engine_that_dies_in_mid_run_is_an_error_and_its_box_ends_by_itself(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str, tmp_path: Path
) -> None:
    """The engine is behind a relay that goes away. It is the sandbox that broke, so there is no outcome."""
    errors: list[SandboxError] = []
    with Relay(tmp_path / "relay.sock", engine_socket(sandbox_policy)) as relay:
        box = DockerSandbox(replace(sandbox_policy, host=f"unix://{relay.path}"))

        async def execute() -> None:
            try:
                await box.execute(Execution(run_id, [], "sleep 60", 60))
            except SandboxError as error:
                errors.append(error)

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(execute)
                assert await until(lambda: running_boxes(docker_client, run_id), 10)
                await anyio.to_thread.run_sync(relay.die)
                assert await until(lambda: not running_boxes(docker_client, run_id), 2)
        await box.aclose()
    assert [type(error) for error in errors] == [SandboxUnreachable]
    async with aclosing(DockerSandbox(sandbox_policy)) as again:
        await again.reap(now=time.time() + 40, run_id=run_id)
    assert boxes_of(docker_client, run_id) == []


async def test_nothing_is_asked_of_an_engine_that_would_pull(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str, tmp_path: Path
) -> None:
    """S15, with its knock-out: the library's own `run` asks the engine to pull what it does not have."""
    missing = "repowright-no-such-image:0"
    with Relay(tmp_path / "relay.sock", engine_socket(sandbox_policy)) as relay:
        address = f"unix://{relay.path}"
        async with aclosing(DockerSandbox(replace(sandbox_policy, image=missing, host=address))) as box:
            with pytest.raises(ImageMissing):
                await box.execute(Execution(run_id, [], "true", 5))
        assert relay.asked
        assert not [line for line in relay.asked if "/images/create" in line]
        client = docker.DockerClient(base_url=address)
        with suppress(docker.errors.DockerException):
            await anyio.to_thread.run_sync(client.containers.run, missing)
        client.close()
        assert [line for line in relay.asked if "/images/create" in line]


def engine_socket(policy: SandboxPolicy) -> str:
    host = policy.host or "unix:///var/run/docker.sock"
    if not host.startswith("unix://"):
        pytest.skip("the engine is not behind a socket of this machine")
    return host.removeprefix("unix://")
