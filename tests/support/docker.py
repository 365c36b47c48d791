"""A real Docker engine for tests: its fixtures are imported by `conftest.py`.

Without an engine, or without the base image (`.ci/docker-engine`, `.ci/base-image`), tests that need them are skipped;
with REQUIRE_DOCKER=1 they fail.
"""

import os
import shlex
import time
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.command import hang_up
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.engine import connect
from repowright_tools.sandbox.hardening import BoxPlan, container_arguments
from repowright_tools.sandbox.labels import box_labels
from repowright_tools.sandbox.policy import SandboxPolicy

RUN_ID = "r_" + "d" * 32


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


@pytest.fixture(scope="session")
def docker_client(sandbox_policy: SandboxPolicy) -> Iterator[Client]:
    with connected(sandbox_policy) as client:
        yield client


@contextmanager
def connected(policy: SandboxPolicy) -> Generator[Client]:
    with closing(connect(policy.host)) as client:
        yield client


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


class Probe:
    """Runs a script in a container that is locked up by the product's own settings, or by all but some of them.

    The script starts with a tripwire: it does nothing unless it runs in a container.
    """

    def __init__(self, client: Client, policy: SandboxPolicy) -> None:
        self._client = client
        self._policy = policy

    def __call__(self, script: str, *, without: dict[str, Any] | None = None, **policy: Any) -> str:
        """What the script prints. `without` replaces fields of the engine's HostConfig, or removes those with None."""
        name = f"repowright-{uuid4().hex}"
        plan = BoxPlan(name, self._policy.image, 60, box_labels(name, RUN_ID, time.time() + 60))
        arguments = container_arguments(self._client, replace(self._policy, **policy), plan)
        for setting, value in (without or {}).items():
            assert setting in arguments["host_config"], f"{setting} is not set in the first place"
            arguments["host_config"].pop(setting)
            if value is not None:
                arguments["host_config"][setting] = value
        try:
            self._client.create_container(**arguments)
            lifeline = self._client.attach_socket(name, {"stdin": 1, "stream": 1})
            self._client.start(name)
            output = self._run(name, f"test -e /.dockerenv || exit 99\n{script}")
            hang_up(lifeline)
        finally:
            self._client.remove_container(name, v=True, force=True)
            self._client.remove_volume(name, force=True)
        return output

    def python(self, code: str, **changes: Any) -> str:
        return self(f"python3 -c {shlex.quote(code)}", **changes)

    def _run(self, name: str, script: str) -> str:
        made = self._client.exec_create(name, ["sh", "-c", f"( {script}\n) 2>&1"], workdir="/work", environment={})
        return cast(bytes, cast(Any, self._client).exec_start(made["Id"])).decode(errors="replace").strip()


@pytest.fixture(scope="session")
def probe(docker_client: Client, sandbox_policy: SandboxPolicy) -> Probe:
    return Probe(docker_client, sandbox_policy)
