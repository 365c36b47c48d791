"""What any engine must hold: each attempt fails in a box, and succeeds in one without the guard that stopped it.

Run it against another engine with DOCKER_HOST, together with the other `test_sandbox_*` files.
"""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.podman import speaks_podman
from repowright_tools.sandbox.policy import SandboxPolicy
from support.attack import Attack, python
from support.attacks import ATTACKS, RESOLVE
from support.docker import Probe, connected, usual_gateway

pytestmark = pytest.mark.docker


@pytest.fixture
def gateway(docker_client: Client) -> Iterator[tuple[str, int]]:
    """A service on the host, at the address that containers reach the host by."""
    with socket.create_server(("0.0.0.0", 0)) as server:  # an engine may make that address with its first container
        yield usual_gateway(docker_client), server.getsockname()[1]


PODMAN_KEEPS = ("noexec", "ReadonlyPaths", "MaskedPaths")


def _aimed(attack: Attack, gateway: tuple[str, int]) -> str:
    return attack.script.replace("{gateway}", gateway[0]).replace("{port}", str(gateway[1]))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name.replace(" ", "-"))
def test_a_box_holds(attack: Attack, gateway: tuple[str, int], probe: Probe) -> None:
    """S01 to S04 and S20"""
    said = probe(_aimed(attack, gateway), **attack.policy)
    assert attack.held in said
    assert not attack.open or attack.open not in said


@pytest.mark.parametrize(
    "attack", [attack for attack in ATTACKS if attack.open], ids=lambda attack: attack.name.replace(" ", "-")
)
def test_without_its_guard_the_attempt_succeeds(
    attack: Attack, gateway: tuple[str, int], probe: Probe, docker_client: Client
) -> None:
    """S01 to S04 and S20, knock-outs"""
    if speaks_podman(docker_client) and any(word in str(attack.off) for word in PODMAN_KEEPS):
        pytest.skip("Podman's socket takes no order to leave this guard out")
    policy = attack.wide or attack.policy
    assert attack.open in probe(_aimed(attack, gateway), without=attack.off, user=attack.user, **policy)


@pytest.mark.parametrize("connected_to_it", [True, False])
def test_a_network_of_the_engine_would_bring_its_name_server_along(
    docker_client: Client, probe: Probe, connected_to_it: bool
) -> None:
    """S01, knock-out: what a container is called is known to the engine's name server alone."""
    if speaks_podman(docker_client):
        pytest.skip("Podman's networks have a name server only with a plugin of their own")
    client, network = cast(Any, docker_client), f"knock-out-{uuid4().hex}"
    client.create_network(network, driver="bridge", internal=True)
    try:
        off = {"NetworkMode": network} if connected_to_it else {}
        said = probe(python(RESOLVE), without=off)
    finally:
        client.remove_network(network)
    assert ("RESOLVED" in said, "unknown" in said) == (connected_to_it, not connected_to_it)


CANARY = "canary-4f1d0c27"
LOOK = (
    "env; tr '\\0' '\\n' < /proc/1/environ; cat /proc/mounts;"
    "for path in /var/run/docker.sock ~/.ssh /root/.ssh ~/.docker; do test -e $path && echo FOUND $path; done"
)


@pytest.fixture
def operators_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox_policy: SandboxPolicy
) -> Iterator[Probe]:
    """Boxes of a server that has a token, and a proxy with a password in its Docker configuration."""
    monkeypatch.setenv("GITHUB_TOKEN", CANARY)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".docker"
    folder.mkdir()
    proxies = {"default": {"httpProxy": f"http://user:{CANARY}@proxy.example.org:3128"}}
    (folder / "config.json").write_text(json.dumps({"proxies": proxies}))
    with connected(sandbox_policy) as configured:  # reads the proxies
        yield Probe(configured, sandbox_policy)


def test_nothing_of_the_host_is_in_a_box(operators_secrets: Probe, tmp_path: Path) -> None:
    """S05, K01"""
    said = operators_secrets(LOOK)
    assert "HOSTNAME" in said
    assert CANARY not in said
    assert "FOUND" not in said
    assert str(tmp_path) not in said


def test_the_engines_usual_settings_would_tell_the_operators_proxy(operators_secrets: Probe) -> None:
    """S05, knock-out"""
    assert CANARY in operators_secrets(LOOK, ours=False)


def test_a_mounted_host_folder_would_be_seen_and_changed(probe: Probe, tmp_path: Path) -> None:
    """S05 and S14, knock-out: files are copied in, because what is mounted can be written."""
    tmp_path.chmod(0o777)
    source = tmp_path / "source.py"
    source.write_text("before")
    source.chmod(0o666)
    overwrite = "echo after > /work/source.py && cat /work/source.py"
    assert probe(overwrite) == "after"
    assert source.read_text() == "before"
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o011)
    probe(overwrite, without={"Mounts": None, "Binds": [f"{tmp_path}:/work"]})
    assert source.read_text() == "after\n"
