"""How a box is locked up: the arguments of its container and its volume.

Each setting closes a door that was found open without it; the conformance tests take some of them away again and
expect the door to open. The engine's built-in seccomp profile and its masks of /proc and /sys stay in force.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from repowright_tools.sandbox.archive import USER
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.policy import MIB, SandboxPolicy

WORK = "/work"
_NOBODY = ["127.0.0.1"]
"""A name server that no box has."""
_SOON = ["timeout:1", "attempts:1"]
"""How it is given up, in seconds and tries (resolv.conf(5)); usually that takes 10 s."""


@dataclass(frozen=True)
class BoxPlan:
    """What one box is for.

    Attributes:
        name: of its container and of its volume.
        image: digest of the image.
        life_s: seconds after which it ends by itself, whatever happened to us.
        labels: how the reaper knows it.
        installs: whether it may write its image's layer, to be kept as an image.
        network: the engine's network that it is in.
        joins: another network that it is in as well, from before its start.
        hosts: names that it knows beside its own, with their addresses.
        folders: absolute paths that it may write beside /tmp and the workspace; each is a file system in memory.
    """

    name: str
    image: str
    life_s: float
    labels: Mapping[str, str]
    installs: bool = False
    network: str = "none"
    joins: str | None = None
    hosts: Mapping[str, str] = field(default_factory=dict[str, str])
    folders: Sequence[str] = ()


def container_arguments(client: Client, policy: SandboxPolicy, plan: BoxPlan) -> dict[str, Any]:
    """The arguments of `create_container`: create, because `run` pulls images."""
    return {
        "image": plan.image,
        "name": plan.name,
        # PID 1 reads from us: when we die its input ends, it exits, and the kernel ends everything in the box.
        "command": ["timeout", "-k", "1", str(math.ceil(plan.life_s)), "cat"],
        "entrypoint": [],
        "stdin_open": True,
        "user": f"{USER}:{USER}",
        "labels": dict(plan.labels),
        "use_config_proxy": False,  # the operator's proxy address may hold a password
        "host_config": _host_config(client, policy, plan),
    }


def _host_config(client: Client, policy: SandboxPolicy, plan: BoxPlan) -> dict[str, Any]:
    from docker.types import LogConfig, Ulimit

    largest_file = (1024 if plan.installs else 128) * MIB
    return client.create_host_config(
        init=True,
        network_mode=plan.network,
        extra_hosts=dict(plan.hosts),
        # The engine would look names up for a network that leads nowhere, and so be a way out
        dns=_NOBODY if plan.installs else None,
        dns_opt=_SOON if plan.installs else None,
        read_only=not plan.installs,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        pids_limit=policy.pids,
        mem_limit=policy.memory,
        memswap_limit=policy.memory,
        nano_cpus=int(policy.cpus * 10**9),
        ipc_mode="private",  # "none" would take /dev/shm away, which multiprocessing locks need
        shm_size=16 * MIB,
        # "exec" is not the engine's default, and tests do run files that they wrote
        tmpfs={
            "/tmp": "rw,exec,nosuid,nodev,size=64m,nr_inodes=10k,mode=1777",  # noqa: S108 - a path of the box
            **dict.fromkeys(plan.folders, f"rw,noexec,{_workspace_options(policy)}"),
        },
        mounts=[_workspace(policy, plan)],
        ulimits=[
            Ulimit(name="nofile", soft=1024, hard=1024),
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="fsize", soft=largest_file, hard=largest_file),
        ],
        log_config=LogConfig(type="none"),
        runtime=policy.runtime,
    )


def _workspace(policy: SandboxPolicy, plan: BoxPlan) -> Any:
    """The box's writable folder: in memory, so that it has a quota and leaves nothing on the host's disk.

    A volume and not a plain tmpfs, because the engine copies files in and out of volumes only. It comes into being
    with the container: a volume made before could be removed in between, and the engine would put a plain one there.
    """
    from docker.types import DriverConfig, Mount

    options = {"type": "tmpfs", "device": "tmpfs", "o": _workspace_options(policy)}
    driver = DriverConfig("local", options)
    return Mount(WORK, plan.name, type="volume", driver_config=driver, labels=dict(plan.labels), no_copy=True)


def _workspace_options(policy: SandboxPolicy) -> str:
    bounds = f"size={policy.workspace},nr_inodes={policy.workspace_files}"
    return f"{bounds},uid={USER},gid={USER},mode=0700,nosuid,nodev"
