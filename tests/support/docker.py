"""A real Docker engine for tests: its fixtures are imported by `conftest.py`.

DOCKER_HOST names another engine, which the same tests then hold to the same promises.
Without an engine, or without the base image (`.ci/docker-engine`, `.ci/base-image`), tests that need them are skipped;
with REQUIRE_DOCKER=1 they fail.
"""

import os
import shlex
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import anyio
import pytest
from docker.errors import APIError, NotFound

from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.command import hang_up
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.engine import connect
from repowright_tools.sandbox.hardening import BoxPlan, container_arguments
from repowright_tools.sandbox.labels import box_labels
from repowright_tools.sandbox.podman import Order, create, reworded, speaks_podman
from repowright_tools.sandbox.policy import SandboxPolicy

RUN_ID = "r_" + "d" * 32
TRIPWIRE = 'test -e /.dockerenv || test "$container" = podman || exit 99'
"""Ends a script that does not run in a container."""


def _missing(what: str) -> None:
    if os.environ.get("REQUIRE_DOCKER") == "1":
        pytest.fail(f"{what}, and REQUIRE_DOCKER=1", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def sandbox_policy() -> SandboxPolicy:
    """A policy whose engine answers and has the image: SANDBOX_IMAGE, else the one that `.ci/base-image` makes."""
    certificates = os.environ.get("SANDBOX_CA_BUNDLE")
    policy = SandboxPolicy(
        image=os.environ.get("SANDBOX_IMAGE") or "repowright-base:local",
        host=os.environ.get("DOCKER_HOST"),
        memory=256 * 2**20,
        workspace=64 * 2**20,
        ca_bundle=Path(certificates) if certificates else None,
    )
    from docker.errors import DockerException, ImageNotFound

    try:
        with connected(policy) as client:
            client.inspect_image(policy.image)
    except ImageNotFound:
        _missing(f"the Docker engine has no image {policy.image} (run .ci/base-image)")
    except (DockerException, OSError) as error:
        _missing(f"no Docker engine answers ({error})")
    return policy


def order_box(
    client: Client, policy: SandboxPolicy, plan: BoxPlan, without: Mapping[str, Any] | None = None, **changes: Any
) -> Order:
    """What the product would ask the engine for.

    Args:
        without: replaces fields of HostConfig, or removes those with None.
        changes: replaces other arguments of the container.
    """
    arguments = {**container_arguments(client, policy, plan), **changes}
    removed = {name for name, value in (without or {}).items() if value is None}
    host = {**arguments["host_config"], **(without or {})}
    arguments["host_config"] = {name: value for name, value in host.items() if name not in removed}
    return reworded(arguments) if speaks_podman(client) else Order(arguments)


def remove_box(client: Client, name: str) -> None:
    """Remove a box that a test made, with its volumes, as far as they are there."""
    try:
        client.remove_container(name, v=True, force=True)
    except APIError:  # it is not there, or about to end
        with suppress(NotFound):
            client.wait(name)
            client.remove_container(name, v=True, force=True)
    listed: list[dict[str, Any]] = client.volumes(filters={"name": name})["Volumes"] or []
    for volume in listed:
        with suppress(NotFound):
            client.remove_volume(str(volume["Name"]), force=True)


@pytest.fixture(scope="session")
def docker_client(sandbox_policy: SandboxPolicy) -> Iterator[Client]:
    with connected(sandbox_policy) as client:
        yield client


@contextmanager
def connected(policy: SandboxPolicy) -> Generator[Client]:
    with closing(connect(policy.host)) as client:
        yield client


def usual_gateway(client: Client) -> str:
    """The host's address in the network that the engine puts containers into unless told otherwise."""
    network = cast(Any, client).inspect_network("podman" if speaks_podman(client) else "bridge")
    return str(next(ip_network(network["IPAM"]["Config"][0]["Subnet"]).hosts()))


@pytest.fixture
async def sandbox(sandbox_policy: SandboxPolicy) -> AsyncIterator[DockerSandbox]:
    box = DockerSandbox(sandbox_policy)
    yield box
    await box.aclose()


def boxes_of(client: Client, run_id: str) -> list[str]:
    """Names of the containers and volumes that a run has at the moment."""
    ours = {"label": f"run_id={run_id}"}
    volumes: Sequence[dict[str, Any]] = client.volumes(filters=ours)["Volumes"] or []
    containers = client.containers(all=True, filters=ours)
    return [str(box["Names"][0]).lstrip("/") for box in containers] + [str(volume["Name"]) for volume in volumes]


def running_boxes(client: Client, run_id: str) -> list[str]:
    """Names of the containers of a run that are running at the moment."""
    found = client.containers(filters={"label": f"run_id={run_id}"})
    return [str(box["Names"][0]).lstrip("/") for box in found]


async def until(condition: Callable[[], object], deadline_s: float) -> bool:
    """Whether `condition()` becomes true in time."""
    with anyio.move_on_after(deadline_s):
        while not condition():
            await anyio.sleep(0.05)
        return True
    return False


class Probe:
    """Runs a script in a container that is locked up by the product's own settings, or by all but some of them.

    The script starts with a tripwire: it does nothing unless it runs in a container.
    """

    def __init__(self, client: Client, policy: SandboxPolicy) -> None:
        self._client = client
        self._policy = policy

    def __call__(
        self,
        script: str,
        *,
        without: Mapping[str, Any] | None = None,
        user: str | None = None,
        ours: bool = True,
        **policy: Any,
    ) -> str:
        """What the script prints.

        Args:
            script: for `sh`, started in the workspace; `{name}` stands for the container's name.
            without: replaces fields of the engine's HostConfig, or removes those with None.
            user: who runs it, in place of nobody.
            ours: whether the container's own settings (environment, proxies) are those of the product.
            policy: fields of the policy that are other than in production.
        """
        name = f"repowright-{uuid4().hex}"
        plan = BoxPlan(name, self._policy.image, 60, box_labels(name, RUN_ID, time.time() + 60))
        changes = {"use_config_proxy": not ours} | ({} if user is None else {"user": user})
        try:
            create(self._client, order_box(self._client, replace(self._policy, **policy), plan, without, **changes))
            lifeline = self._client.attach_socket(name, {"stdin": 1, "stream": 1})
            self._client.start(name)
            output = self._run(name, f"{TRIPWIRE}\n{script.replace('{name}', name)}")
            hang_up(lifeline)
        finally:
            remove_box(self._client, name)
        return output

    def python(self, code: str, **changes: Any) -> str:
        return self(f"python3 -c {shlex.quote(code)}", **changes)

    def _run(self, name: str, script: str) -> str:
        made = self._client.exec_create(name, ["sh", "-c", f"( {script}\n) 2>&1"], workdir="/work", environment={})
        return cast(bytes, cast(Any, self._client).exec_start(made["Id"])).decode(errors="replace").strip()


@pytest.fixture(scope="session")
def probe(docker_client: Client, sandbox_policy: SandboxPolicy) -> Probe:
    return Probe(docker_client, sandbox_policy)
