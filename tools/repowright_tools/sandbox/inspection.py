"""Whether a container is as locked up as we asked: engines drop settings that their kernel or version cannot keep.

An engine without, say, a controller for memory starts the container all the same, with a warning. That would be a
weaker box, so what the engine says of the running container is compared with what was asked for, and decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from repowright_tools.sandbox.client import Described

_EQUAL = (
    "NetworkMode",
    "ReadonlyRootfs",
    "CapDrop",
    "SecurityOpt",
    "PidsLimit",
    "Memory",
    "MemorySwap",
    "NanoCpus",
    "IpcMode",
    "ShmSize",
    "Tmpfs",
    "Dns",
    "DnsOptions",
    "ExtraHosts",
    "Init",
)
_NEVER = ("Privileged", "CapAdd", "Binds", "Devices", "DeviceRequests", "PidMode", "UsernsMode", "VolumesFrom", "Links")
"""Fields of HostConfig that we never set, and that open a box when they are."""
_NOTHING: tuple[Any, ...] = (None, "", False, 0, [], {})


def unmet(details: Described, asked: Mapping[str, Any]) -> list[str]:
    """The names of settings that a container does not have, or has too much of.

    Args:
        details: what the engine says of the container.
        asked: the arguments that it was created with, see `container_arguments`.
    """
    return [name for name, kept in _checks(details, asked) if not kept]


def _checks(details: Described, asked: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    config, host = cast(Described, details["Config"]), cast(Described, details["HostConfig"])
    wanted: Mapping[str, Any] = asked["host_config"]
    yield "User", config["User"] == asked["user"]
    yield "Image", details["Image"] == asked["image"]
    yield "Cmd", config["Cmd"] == asked["command"] and config["Entrypoint"] in _NOTHING
    for name in _EQUAL:
        yield name, _same(host.get(name), wanted.get(name))
    for name in _NEVER:
        yield name, host.get(name) in _NOTHING
    yield "Runtime", wanted.get("Runtime") in (None, host.get("Runtime"))
    yield "LogConfig", host["LogConfig"]["Type"] == wanted["LogConfig"]["Type"]
    yield "Ulimits", _ulimits(host) == _ulimits(wanted)
    yield (
        "Mounts",
        _mounts(details) == sorted(("volume", mount["Source"], mount["Target"]) for mount in wanted["Mounts"]),
    )


def _same(kept: Any, wanted: Any) -> bool:
    return kept == wanted or (kept in _NOTHING and wanted in _NOTHING)


def _ulimits(host: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    limits: list[Described] = host.get("Ulimits") or []
    return sorted((limit["Name"], limit["Soft"], limit["Hard"]) for limit in limits)


def _mounts(details: Described) -> list[tuple[str, str, str]]:
    return sorted((mount["Type"], mount.get("Name", ""), mount["Destination"]) for mount in details["Mounts"])
