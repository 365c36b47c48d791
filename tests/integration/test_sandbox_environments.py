"""Environments: made once with network, kept as an image, and nothing of them left when they fail."""

from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from repowright_tools.errors import InstallFailed
from repowright_tools.sandbox.base import EnvironmentSpec, Execution
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.policy import SandboxPolicy
from support.docker import boxes_of

pytestmark = [pytest.mark.docker, pytest.mark.anyio]


@pytest.fixture
def run_id() -> str:
    return f"r_{uuid4().hex}"


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
        with pytest.raises(InstallFailed, match="not-there") as absent:
            await box.prepare(writes(f": {run_id}; not-there"), run_id=run_id, network=True)
        assert "SANDBOX_IMAGE" in absent.value.what_to_do
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
