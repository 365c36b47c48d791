"""What the engine says of a running box, against every setting that it must have."""

import time
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

import anyio
import pytest
from docker.errors import DockerException

from repowright_tools.errors import SandboxBroken
from repowright_tools.sandbox.base import Execution
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.hardening import BoxPlan, container_arguments
from repowright_tools.sandbox.inspection import unmet
from repowright_tools.sandbox.labels import box_labels
from repowright_tools.sandbox.policy import SandboxPolicy
from support.docker import boxes_of, running_boxes, until

pytestmark = [pytest.mark.docker, pytest.mark.anyio]


@pytest.fixture
def run_id() -> str:
    return f"r_{uuid4().hex}"


async def test_a_running_box_has_every_required_setting(
    sandbox: DockerSandbox, docker_client: Client, run_id: str, sandbox_policy: SandboxPolicy
) -> None:
    """S06"""
    details: dict[str, Any] = {}
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sandbox.execute, Execution(run_id, [], "sleep 60", 60))
        assert await until(lambda: running_boxes(docker_client, run_id), 10)
        [name] = running_boxes(docker_client, run_id)
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


WEAKER: list[tuple[str, Any]] = [
    ("NetworkMode", "bridge"),
    ("ReadonlyRootfs", False),
    ("CapDrop", None),
    ("SecurityOpt", None),
    ("PidsLimit", None),
    ("Memory", 128 * 2**20),
    ("MemorySwap", -1),
    ("NanoCpus", None),
    ("IpcMode", "shareable"),
    ("ShmSize", 128 * 2**20),
    ("Tmpfs", {"/tmp": "rw"}),
    ("Init", False),
    ("Ulimits", None),
    ("LogConfig", {"Type": "json-file"}),
    ("Mounts", None),
    ("Privileged", True),
    ("CapAdd", ["NET_RAW"]),
    ("Binds", ["/proc:/host:ro"]),
    ("Devices", [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}]),
    ("PidMode", "host"),
]


@pytest.mark.parametrize(("setting", "value"), WEAKER, ids=[name for name, _ in WEAKER])
def test_a_container_without_a_setting_is_found_out(
    docker_client: Client, sandbox_policy: SandboxPolicy, run_id: str, setting: str, value: Any
) -> None:
    """S06, knock-outs"""
    name = f"repowright-{run_id}"
    image = docker_client.inspect_image(sandbox_policy.image)["Id"]
    plan = BoxPlan(name, image, 60, box_labels(name, run_id, time.time() + 60))
    asked = container_arguments(docker_client, sandbox_policy, plan)
    weaker = {**asked, "host_config": {**asked["host_config"], setting: value}}
    try:
        docker_client.create_container(**weaker)
        assert setting in unmet(docker_client.inspect_container(name), asked)
    finally:
        for left in boxes_of(docker_client, run_id):
            with suppress(DockerException):  # the volume goes with its container
                docker_client.remove_container(left, v=True, force=True)


@pytest.mark.parametrize(("part", "value"), [("user", "0:0"), ("command", ["sleep", "60"])])
def test_a_container_of_another_user_or_first_process_is_found_out(
    docker_client: Client, sandbox_policy: SandboxPolicy, run_id: str, part: str, value: Any
) -> None:
    """S06, knock-outs"""
    name = f"repowright-{run_id}"
    image = docker_client.inspect_image(sandbox_policy.image)["Id"]
    plan = BoxPlan(name, image, 60, box_labels(name, run_id, time.time() + 60))
    asked = container_arguments(docker_client, sandbox_policy, plan)
    try:
        docker_client.create_container(**{**asked, part: value})
        assert unmet(docker_client.inspect_container(name), asked)
    finally:
        for left in boxes_of(docker_client, run_id):
            with suppress(DockerException):  # the volume goes with its container
                docker_client.remove_container(left, v=True, force=True)


async def test_a_runtime_that_the_engine_does_not_have_means_no_box_and_one_that_it_has_is_used(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str
) -> None:
    async with aclosing(DockerSandbox(replace(sandbox_policy, runtime="no-such-runtime"))) as box:
        with pytest.raises(SandboxBroken, match="no-such-runtime"):
            await box.execute(Execution(run_id, [], "true", 5))
    assert boxes_of(docker_client, run_id) == []
    usual = cast(Any, docker_client).info()["DefaultRuntime"]
    async with aclosing(DockerSandbox(replace(sandbox_policy, runtime=usual))) as box:
        assert (await box.execute(Execution(run_id, [], "true", 20))).exit_code == 0


async def test_a_setting_that_the_engine_refuses_means_no_box_and_no_weaker_one(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str
) -> None:
    async with aclosing(DockerSandbox(replace(sandbox_policy, memory=2**20))) as box:
        with pytest.raises(SandboxBroken, match="memory"):
            await box.execute(Execution(run_id, [], "true", 5))
    assert boxes_of(docker_client, run_id) == []
