"""What the engine says of a running box, against every setting that it must have."""

import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

import anyio
import pytest

from repowright_tools.errors import SandboxBroken
from repowright_tools.sandbox.base import Execution
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.command import hang_up
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.hardening import BoxPlan
from repowright_tools.sandbox.inspection import unmet
from repowright_tools.sandbox.labels import box_labels
from repowright_tools.sandbox.podman import Order, create, in_dockers_words, question, speaks_podman, unproven
from repowright_tools.sandbox.policy import SandboxPolicy
from support.docker import RUN_ID, boxes_of, order_box, remove_box, running_boxes, until

pytestmark = [pytest.mark.docker, pytest.mark.anyio]


@pytest.fixture
def run_id() -> str:
    return f"r_{uuid4().hex}"


def plan_for(client: Client, policy: SandboxPolicy, name: str) -> BoxPlan:
    image = client.inspect_image(policy.image)["Id"]
    return BoxPlan(name, image, 60, box_labels(name, RUN_ID, time.time() + 60))


async def test_a_running_box_has_every_required_setting(
    sandbox: DockerSandbox, docker_client: Client, run_id: str, sandbox_policy: SandboxPolicy
) -> None:
    """S06"""
    details: dict[str, Any] = {}
    name = ""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sandbox.execute, Execution(run_id, [], "sleep 60", 60))
        assert await until(lambda: running_boxes(docker_client, run_id), 10)
        [name] = running_boxes(docker_client, run_id)
        details |= docker_client.inspect_container(name)
        tasks.cancel_scope.cancel()
    podman = speaks_podman(docker_client)
    order = order_box(docker_client, sandbox_policy, plan_for(docker_client, sandbox_policy, name))
    host: dict[str, Any] = (in_dockers_words(details, order) if podman else details)["HostConfig"]
    config: dict[str, Any] = details["Config"]
    assert details["Image"] == docker_client.inspect_image(sandbox_policy.image)["Id"]
    assert podman or config["Image"] == details["Image"]
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
    folders = ["/tmp", "/work"] if podman else ["/work"]
    assert sorted((mount["Type"], mount["Destination"]) for mount in details["Mounts"]) == [
        ("volume", folder) for folder in folders
    ]
    assert {"owner", "run_id", "lease_expiry"} <= set(config["Labels"])
    assert {variable.partition("=")[0] for variable in config["Env"]} - PODMANS_VARIABLES <= {
        "PATH",
        "LANG",
        "GPG_KEY",
        "PYTHON_VERSION",
        "PYTHON_SHA256",
    }


def missing_of(client: Client, made: Order, wanted: Order) -> list[str]:
    """What a box that is `made` lacks of the `wanted` one; Podman's is asked itself as well, as the product does it."""
    name = str(made.arguments["name"])
    try:
        create(client, made)
        if wanted.tmpfs is None:
            return unmet(client.inspect_container(name), wanted.arguments)
        lifeline = client.attach_socket(name, {"stdin": 1, "stream": 1})
        client.start(name)
        command = client.exec_create(name, question(wanted), workdir="/", environment={})
        answer = cast(bytes, cast(Any, client).exec_start(command["Id"])).decode()
        hang_up(lifeline)
        said = in_dockers_words(client.inspect_container(name), wanted)
        return [*unmet(said, wanted.arguments), *unproven(answer, wanted)]
    finally:
        remove_box(client, name)


WEAKER: list[tuple[str, Mapping[str, Any]]] = [
    ("NetworkMode", {"NetworkMode": "bridge"}),
    ("ReadonlyRootfs", {"ReadonlyRootfs": False}),
    ("CapDrop", {"CapDrop": None}),
    ("SecurityOpt", {"SecurityOpt": None}),
    ("PidsLimit", {"PidsLimit": None}),
    ("Memory", {"Memory": 128 * 2**20}),
    ("MemorySwap", {"MemorySwap": -1}),
    ("NanoCpus", {"NanoCpus": None}),
    ("IpcMode", {"IpcMode": "shareable"}),
    ("ShmSize", {"ShmSize": 128 * 2**20}),
    ("Tmpfs", {"Tmpfs": {"/tmp": "rw"}}),
    ("Init", {"Init": False}),
    ("Ulimits", {"Ulimits": None}),
    ("LogConfig", {"LogConfig": {"Type": "json-file"}}),
    ("Mounts", {"Mounts": None}),
    ("Privileged", {"Privileged": True}),
    ("CapAdd", {"CapAdd": ["NET_RAW"]}),
    ("Binds", {"Binds": ["/proc:/host:ro"]}),
    ("Devices", {"Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/x", "CgroupPermissions": "r"}]}),
    ("PidMode", {"PidMode": "host", "Init": False}),
]
PODMANS_VARIABLES = {"container", "TERM", "HOME", "HOSTNAME"}
"""What Podman tells a box beside: that it is one, and what others set as well."""


@pytest.mark.parametrize(("setting", "without"), WEAKER, ids=[name for name, _ in WEAKER])
def test_a_container_without_a_setting_is_found_out(
    docker_client: Client, sandbox_policy: SandboxPolicy, run_id: str, setting: str, without: Mapping[str, Any]
) -> None:
    """S06, knock-outs"""
    plan = plan_for(docker_client, sandbox_policy, f"repowright-{run_id}")
    wanted = order_box(docker_client, sandbox_policy, plan)
    if setting == "IpcMode" and wanted.tmpfs is not None:
        pytest.skip("Podman calls every box's own IPC namespace shareable")
    missing = missing_of(docker_client, order_box(docker_client, sandbox_policy, plan, without), wanted)
    assert missing
    assert wanted.tmpfs is not None or setting in missing


@pytest.mark.parametrize(("part", "value"), [("user", "0:0"), ("command", ["sleep", "60"])])
def test_a_container_of_another_user_or_first_process_is_found_out(
    docker_client: Client, sandbox_policy: SandboxPolicy, run_id: str, part: str, value: Any
) -> None:
    """S06, knock-outs"""
    wanted = order_box(docker_client, sandbox_policy, plan_for(docker_client, sandbox_policy, f"repowright-{run_id}"))
    made = replace(wanted, arguments={**wanted.arguments, part: value})
    assert missing_of(docker_client, made, wanted)


def test_a_box_as_it_was_asked_for_lacks_nothing(
    docker_client: Client, sandbox_policy: SandboxPolicy, run_id: str
) -> None:
    """S06"""
    wanted = order_box(docker_client, sandbox_policy, plan_for(docker_client, sandbox_policy, f"repowright-{run_id}"))
    assert missing_of(docker_client, wanted, wanted) == []


async def test_a_runtime_that_the_engine_does_not_have_means_no_box_and_one_that_it_has_is_used(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str
) -> None:
    async with aclosing(DockerSandbox(replace(sandbox_policy, runtime="no-such-runtime"))) as box:
        with pytest.raises(SandboxBroken, match=r"[Rr]untime") as refused:
            await box.execute(Execution(run_id, [], "true", 5))
        assert "SANDBOX_RUNTIME" in refused.value.what_to_do
    assert boxes_of(docker_client, run_id) == []
    if speaks_podman(docker_client):
        pytest.skip("Podman starts every box in the runtime of its own configuration")
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
