"""What Podman is asked for in place of what Docker is, and what of its answers is taken for a box that holds."""

from collections.abc import Mapping
from typing import Any

import pytest

from repowright_tools.sandbox.inspection import unmet
from repowright_tools.sandbox.podman import Order, in_dockers_words, reworded, unproven

ASKED: dict[str, Any] = {
    "name": "box",
    "image": "sha256:1",
    "user": "65534:65534",
    "command": ["cat"],
    "labels": {"owner": "us", "box": "box"},
    "host_config": {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "IpcMode": "private",
        "Tmpfs": {"/tmp": "rw,exec,nosuid,size=64m,nr_inodes=10k"},
        "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 1024}],
        "LogConfig": {"Type": "none"},
        "Mounts": [
            {
                "Target": "/work",
                "Source": "box",
                "Type": "volume",
                "VolumeOptions": {
                    "Labels": {"owner": "us", "box": "box"},
                    "DriverConfig": {"Options": {"o": "size=8192,nr_inodes=100,uid=65534"}},
                },
            }
        ],
    },
}
SAID: dict[str, Any] = {
    "Image": "sha256:1",
    "Config": {"User": "65534:65534", "Cmd": ["cat"], "Entrypoint": []},
    "Mounts": [
        {"Type": "volume", "Name": "box-1", "Destination": "/tmp"},
        {"Type": "volume", "Name": "box", "Destination": "/work"},
    ],
    "HostConfig": {
        "NetworkMode": "none",
        "ReadonlyRootfs": True,
        "CapDrop": ["CHOWN", "KILL"],
        "CapAdd": [],
        "SecurityOpt": ["no-new-privileges"],
        "IpcMode": "shareable",
        "PidMode": "private",
        "Tmpfs": dict.fromkeys(("/run", "/var/tmp"), "ro,nosuid,nodev,noexec,size=4k,rprivate,tmpcopyup"),
        "Binds": ["box-1:/tmp:rw,rprivate,nosuid", "box:/work:rw,rprivate"],
        "Ulimits": [
            {"Name": "RLIMIT_NOFILE", "Soft": 1024, "Hard": 1024},
            {"Name": "RLIMIT_NPROC", "Soft": 9, "Hard": 9},
        ],
        "LogConfig": {"Type": "none"},
    },
}
PROOF = """Name:\tcat
CapEff:\t0000000000000000
CapBnd:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
/work tmpfs 4096 2 100
/tmp tmpfs 4096 16384 10240
/usr/bin/unshare
userns refused
"""


@pytest.fixture
def order() -> Order:
    return reworded(ASKED)


def test_each_file_system_in_memory_is_a_volume_that_is_made_before_and_bounded_in_pages(order: Order) -> None:
    options = {volume["name"]: volume["driver_opts"] for volume in order.volumes}
    assert options == {
        "box": {"type": "tmpfs", "device": "tmpfs", "o": "nr_blocks=2,nr_inodes=100,uid=65534"},
        "box-1": {"type": "tmpfs", "device": "tmpfs", "o": "nr_blocks=16384,rw,nosuid,nr_inodes=10k"},
    }
    assert [volume["labels"]["box"] for volume in order.volumes] == ["box", "box-1"]  # the reaper knows each


def test_what_podman_would_make_writable_by_itself_is_not(order: Order) -> None:
    tmpfs: Mapping[str, str] = order.arguments["host_config"]["Tmpfs"]
    assert {path: text.partition(",")[0] for path, text in tmpfs.items()} == {"/run": "ro", "/var/tmp": "ro"}


def test_a_box_that_podman_made_as_asked_lacks_nothing(order: Order) -> None:
    assert unmet(in_dockers_words(SAID, order), order.arguments) == []
    assert unproven(PROOF, order) == []


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("CapDrop", []),
        ("CapAdd", ["SYS_ADMIN"]),
        ("SecurityOpt", []),
        ("SecurityOpt", ["no-new-privileges", "seccomp=unconfined"]),
        ("IpcMode", "host"),
        ("PidMode", "host"),
        ("Tmpfs", {"/run": "rw,rprivate,nosuid,nodev,tmpcopyup"}),
        ("Binds", ["/:/host:rw"]),
        ("Binds", ["box:/elsewhere:rw"]),
        ("Ulimits", []),
    ],
)
def test_what_podman_made_weaker_is_named(order: Order, setting: str, said: object) -> None:
    host = {**SAID["HostConfig"], setting: said}
    assert setting in unmet(in_dockers_words({**SAID, "HostConfig": host}, order), order.arguments)


@pytest.mark.parametrize(
    ("proven", "otherwise", "named"),
    [
        ("CapBnd:\t0000000000000000", "CapBnd:\t0000000000000400", "CapBnd"),
        ("NoNewPrivs:\t1", "NoNewPrivs:\t0", "NoNewPrivs"),
        ("Seccomp:\t2", "Seccomp:\t0", "Seccomp"),
        ("userns refused", "", "userns"),
        ("/work tmpfs 4096 2 100", "/work ext2/ext3 4096 2 100", "/work"),
        ("/work tmpfs 4096 2 100", "/work tmpfs 65536 2 100", "/work"),
        ("/work tmpfs 4096 2 100", "/work tmpfs 4096 2 3085510", "/work"),
        ("/work tmpfs 4096 2 100", "", "/work"),
    ],
)
def test_what_a_box_does_not_prove_is_named(order: Order, proven: str, otherwise: str, named: str) -> None:
    assert unproven(PROOF.replace(proven, otherwise), order) == [named]
