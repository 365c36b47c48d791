"""The same box in Podman's words: its socket speaks Docker's language, with gaps that would make a weaker box.

Seen with Podman 4.3: the options of a volume that is made together with its container are ignored, so that it is a
plain folder without a quota; a tmpfs takes no `nr_inodes`, and a volume's `size` is taken for a quota of the disk; and
a box whose image is read-only gets writable file systems without a bound on /run and /var/tmp. So all file systems in
memory are volumes, made before and bounded in pages, and the other two are read-only.

A volume made before its container could be removed in between, and what Podman says of a container leaves things open.
So the box itself is asked what it got, before anything of a repository is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from repowright_tools.sandbox.client import Client, Described
from repowright_tools.sandbox.labels import BOX

_PING_S = 4.0
_PAGE = 4096
"""Bytes of a page of memory. Where an engine's are larger, the box turns out too large and is refused."""
_SUFFIXES = {"k": 2**10, "m": 2**20, "g": 2**30}
_SHUT = "ro,nosuid,nodev,noexec,size=4k"
_ITS_OWN = ("/run", "/var/tmp")  # noqa: S108 - paths of the box
"""Where Podman puts a writable file system into a read-only box, unless it is told of another."""
_ADDED = (",rprivate", ",tmpcopyup")
"""What it adds to the options of a tmpfs."""
_PROVEN = {
    "CapBnd:": "0000000000000000",
    "CapEff:": "0000000000000000",
    "NoNewPrivs:": "1",
    "Seccomp:": "2",
    "userns": "refused",
}
"""What a box says of itself: no capability and no way to one, a filter of system calls (proc(5)), and one that is as
strict as Docker's, which lets nobody make a user namespace."""
_LOOK = """
cat /proc/self/status
stat -f -c '%n %T %S %b %c' "$@"
command -v unshare && ! unshare --user true && echo userns refused
"""
PODMANS_ADVICE = (
    "Where it says `userns`: Podman's own filter of system calls lets anybody make user namespaces, so give the path of"
    " a stricter one, such as Docker's default.json, as `seccomp_profile` in the engine's containers.conf. Where it"
    " says `Runtime`: choose it there as well (`runtime`), and leave SANDBOX_RUNTIME empty."
)


@dataclass(frozen=True)
class Order:
    """What an engine is asked for.

    Attributes:
        arguments: of `create_container`.
        volumes: arguments of `create_volume`, for volumes that are made before.
        tmpfs: options of each file system in memory, as Docker is asked for them; only where the box is asked for it.
    """

    arguments: Mapping[str, Any]
    volumes: Sequence[Mapping[str, Any]] = ()
    tmpfs: Mapping[str, str] | None = None


def speaks_podman(client: Client) -> bool:
    """Whether the engine is Podman. Its ping tells, while its version takes long: it looks for packages."""
    return "Libpod-API-Version" in client.get(f"{client.base_url}/_ping", timeout=_PING_S).headers


def create(client: Client, order: Order) -> None:
    """Make what is ordered. What is there of it after a failure is the caller's to remove."""
    for volume in order.volumes:
        client.create_volume(**volume)
    client.create_container(**order.arguments)


def reworded(arguments: Mapping[str, Any]) -> Order:
    """The order that gets from Podman what `arguments` of `create_container` get from Docker."""
    host: Described = dict(arguments["host_config"])
    wanted: dict[str, tuple[str, str, Mapping[str, str]]] = {}
    for mount in cast(list[Described], host.get("Mounts") or []):
        options = mount["VolumeOptions"]
        wanted[mount["Target"]] = (mount["Source"], options["DriverConfig"]["Options"]["o"], options["Labels"])
    labels = cast(Mapping[str, str], arguments["labels"])
    for number, (path, text) in enumerate(cast(Mapping[str, str], host.get("Tmpfs") or {}).items(), 1):
        name = f"{arguments['name']}-{number}"
        wanted[path] = (name, text, {**labels, BOX: name})
    host["Tmpfs"] = dict.fromkeys(_ITS_OWN, _SHUT) if host.get("ReadonlyRootfs") else {}
    host["Mounts"] = [
        {"Target": path, "Source": name, "Type": "volume", "VolumeOptions": {"NoCopy": True}}
        for path, (name, _, _) in wanted.items()
    ]
    volumes = [
        {"name": name, "driver": "local", "driver_opts": _volume_options(text), "labels": dict(its)}
        for name, text, its in wanted.values()
    ]
    tmpfs = {path: text for path, (_, text, _) in wanted.items()}
    return Order({**arguments, "host_config": host}, volumes, tmpfs)


def _volume_options(text: str) -> dict[str, str]:
    size = _bound(text, "size")
    kept = [option for option in text.split(",") if option != "exec" and not option.startswith("size=")]
    bounds = [] if size is None else [f"nr_blocks={size // _PAGE}"]
    return {"type": "tmpfs", "device": "tmpfs", "o": ",".join([*bounds, *kept])}


def _bound(text: str, name: str) -> int | None:
    """A number among the options of a tmpfs (tmpfs(5)); None when it is not there."""
    values = dict(option.split("=", 1) for option in text.split(",") if "=" in option)
    if name not in values:
        return None
    digits, factor = values[name], 1
    if digits[-1].lower() in _SUFFIXES:
        digits, factor = digits[:-1], _SUFFIXES[digits[-1].lower()]
    return int(digits) * factor


# --- what came of it ----------------------------------------------------------------------------------------------


def in_dockers_words(details: Described, order: Order) -> Described:
    """What Podman says of a container, as Docker would have said it; what means something else is left as it is.

    It lists the capabilities that are gone by name, against a default that it does not tell: the box is asked as well.
    A box's own IPC namespace is called shareable, which it is for containers that the operator starts and names it to.
    """
    host: Described = dict(details["HostConfig"])
    asked: Mapping[str, Any] = order.arguments["host_config"]
    if host.get("CapDrop") and not host.get("CapAdd"):
        host["CapDrop"] = ["ALL"]
    if host.get("SecurityOpt") == ["no-new-privileges"]:
        host["SecurityOpt"] = ["no-new-privileges:true"]
    if host.get("IpcMode") == "shareable":
        host["IpcMode"] = "private"
    if host.get("PidMode") == "private":
        host["PidMode"] = ""
    tmpfs: Mapping[str, str] = host.get("Tmpfs") or {}
    host["Tmpfs"] = {path: _as_asked(text) for path, text in tmpfs.items()}
    mounted = {f"{mount['Source']}:{mount['Target']}" for mount in cast(list[Described], asked.get("Mounts") or [])}
    binds: list[str] = host.get("Binds") or []
    host["Binds"] = [bind for bind in binds if ":".join(bind.split(":")[:2]) not in mounted]
    names = {str(limit["Name"]) for limit in cast(list[Described], asked.get("Ulimits") or [])}
    limits: list[Described] = host.get("Ulimits") or []
    renamed = [{**limit, "Name": str(limit["Name"]).removeprefix("RLIMIT_").lower()} for limit in limits]
    host["Ulimits"] = [limit for limit in renamed if limit["Name"] in names]  # one that nobody asked for is no weakness
    return {**details, "HostConfig": host}


def _as_asked(text: str) -> str:
    for added in _ADDED:
        text = text.replace(added, "")
    return text


def question(order: Order) -> list[str]:
    """A command for the box, whose output `unproven` takes."""
    return ["sh", "-c", _LOOK, "sh", *(order.tmpfs or {})]


def unproven(answer: str, order: Order) -> list[str]:
    """What of the box's own account of itself is missing or more than was asked for."""
    rows = [line.split() for line in answer.splitlines()]
    status = {row[0]: row[1] for row in rows if len(row) == 2}
    there = {row[0]: row[1:] for row in rows if len(row) == 5}
    wrong = [name.rstrip(":") for name, value in _PROVEN.items() if status.get(name) != value]
    return [*wrong, *_unbounded(order.tmpfs or {}, there)]


def _unbounded(wanted: Mapping[str, str], there: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for path, text in wanted.items():
        kind, block, blocks, inodes = there.get(path, ("missing", "0", "0", "0"))
        size, most = _bound(text, "size"), _bound(text, "nr_inodes")
        fits = size is None or 0 < int(block) * int(blocks) <= size
        if kind != "tmpfs" or not fits or (most is not None and not 0 < int(inodes) <= most):
            yield path
