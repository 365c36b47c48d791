"""What hostile code cannot do in a box, and that each setting is what stops it: without it, the same code succeeds."""

import json
import socket
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

import pytest

from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.policy import SandboxPolicy
from support.docker import Probe, connected

pytestmark = pytest.mark.docker


@pytest.fixture
def gateway(docker_client: Client) -> Iterator[tuple[str, int]]:
    """A service on the host, at the address that containers reach the host by."""
    network = cast(Any, docker_client).inspect_network("bridge")
    address = str(next(ip_network(network["IPAM"]["Config"][0]["Subnet"]).hosts()))
    with socket.create_server((address, 0)) as server:
        yield address, server.getsockname()[1]


def test_a_box_reaches_neither_the_host_nor_a_name_server(gateway: tuple[str, int], probe: Probe) -> None:
    """S01"""
    connect = f"""
import socket
try:
    socket.create_connection({gateway!r}, timeout=3)
    print("CONNECTED")
except OSError as error:
    print("refused:", error.errno)
try:
    print("RESOLVED", socket.getaddrinfo("example.org", 80)[0])
except OSError:
    print("unknown")
"""
    said = probe.python(connect)
    assert "refused: 101" in said  # ENETUNREACH: there is no network, not merely nobody who listens
    assert "unknown" in said
    assert "CONNECTED" in probe.python(connect, without={"NetworkMode": "bridge"})


def test_processes_are_bounded(probe: Probe) -> None:
    """S02"""
    bomb = """
import os, time
count = 0
try:
    while count < 200:
        if os.fork() == 0:
            time.sleep(30)
            os._exit(0)
        count += 1
except OSError as error:
    print("stopped by", type(error).__name__)
print("children", count)
"""
    said = probe.python(bomb, pids=64)
    assert "stopped by BlockingIOError" in said
    assert int(said.split()[-1]) < 64
    assert "children 200" in probe.python(bomb, pids=64, without={"PidsLimit": None})


def test_memory_is_bounded_with_swap(probe: Probe) -> None:
    """S02"""
    greedy = "python3 -c 'x = bytearray(300 * 2**20); print(\"KEPT\", len(x))'; echo code $?"
    assert "code 137" in probe(greedy, memory=128 * 2**20)
    assert "KEPT" in probe(greedy, memory=128 * 2**20, without={"Memory": None, "MemorySwap": None})


def test_the_workspace_is_bounded_in_bytes_and_files(probe: Probe) -> None:
    """S02"""
    assert "No space left" in probe("dd if=/dev/zero of=/work/full bs=1M count=100", workspace=16 * 2**20)
    many = """
import os
try:
    for number in range(3000):
        open(f"/work/{number}", "w").close()
    print("ALL")
except OSError as error:
    print("stopped by errno", error.errno, "at", number)
"""
    assert "stopped by errno 28" in probe.python(many, workspace_files=1000)
    assert "ALL" in probe.python(many)


@pytest.mark.parametrize(
    ("folder", "reason"), [("/var/tmp", "Read-only"), ("/tmp", "No space"), ("/dev/shm", "No space")]
)
def test_no_folder_outside_the_workspace_takes_much(folder: str, reason: str, probe: Probe) -> None:
    """S03"""
    assert reason in probe(f"dd if=/dev/zero of={folder}/full bs=1M count=100")


def test_a_writable_layer_would_take_more(probe: Probe) -> None:
    """S03, knock-out"""
    written = probe(
        "dd if=/dev/zero of=/var/tmp/full bs=1M count=100 && echo WRITTEN", without={"ReadonlyRootfs": False}
    )
    assert "WRITTEN" in written


def test_a_setuid_program_gains_nothing(probe: Probe) -> None:
    """S04"""
    # The program is of the image: a copy of its own could not be made setuid by somebody who is not root.
    read = "chage -l nobody >/dev/null 2>&1 && echo READ_SHADOW; grep -E 'NoNewPrivs|CapEff' /proc/self/status"
    said = probe(read)
    assert "READ_SHADOW" not in said
    assert said.split() == ["CapEff:", "0000000000000000", "NoNewPrivs:", "1"]
    assert "READ_SHADOW" in probe(read, without={"SecurityOpt": None})


@pytest.mark.parametrize(
    "attempt",
    [
        "mount -t tmpfs none /work",
        "unshare --user --map-root-user true",
        "unshare --net true",
        "mknod /work/null c 1 3",
        "echo 1 > /proc/sys/kernel/panic",
        "echo x > /sys/kernel/mm/transparent_hugepage/enabled",
        "mkdir /sys/fs/cgroup/pids/inner",
        "python3 -c 'import os; os.setuid(0)'",
        "python3 -c 'import os; os.chroot(\"/work\")'",
        "python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'",
        "cat /proc/kcore",
        "cat /etc/shadow",
    ],
)
def test_what_only_root_may_do_fails(attempt: str, probe: Probe) -> None:
    """S04"""
    assert probe(f"( {attempt} ) >/dev/null 2>&1 && echo DONE || echo refused") == "refused"


def test_unconfined_code_could_make_a_namespace(probe: Probe) -> None:
    """S04, knock-out: the engine's seccomp profile is what stops a new user namespace."""
    unconfined = {"SecurityOpt": ["no-new-privileges:true", "seccomp=unconfined"]}
    assert "DONE" in probe("unshare --user --map-root-user true && echo DONE", without=unconfined)


def test_nothing_of_the_host_is_in_a_box(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox_policy: SandboxPolicy
) -> None:
    """S05, K01"""
    canary = "canary-4f1d0c27"
    monkeypatch.setenv("GITHUB_TOKEN", canary)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".docker"
    folder.mkdir()
    proxies = {"default": {"httpProxy": f"http://user:{canary}@proxy.example.org:3128"}}
    (folder / "config.json").write_text(json.dumps({"proxies": proxies}))
    look = (
        "env; tr '\\0' '\\n' < /proc/1/environ; cat /proc/mounts;"
        "for path in /var/run/docker.sock ~/.ssh /root/.ssh ~/.docker; do test -e $path && echo FOUND $path; done"
    )
    with connected(sandbox_policy) as configured:  # reads the proxies
        said = Probe(configured, sandbox_policy)(look)
    assert "HOSTNAME" in said
    assert canary not in said
    assert "FOUND" not in said
    assert str(tmp_path) not in said
