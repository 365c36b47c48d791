"""The way out of an installation: a network of its own that leads nowhere, and a proxy on it that leads to indexes.

The network is internal, and its bridge has no address of the host: there is no host, no gateway and no name server to
reach from it. The proxy is a box like any other, with a second leg in the engine's usual network; nothing but our own
program runs there.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from uuid import uuid4

import anyio

from repowright_tools.errors import InstallFailed, SandboxError
from repowright_tools.sandbox.archive import pack
from repowright_tools.sandbox.base import INPUTS, OUT
from repowright_tools.sandbox.box import CLEANUP_S, Box, open_box
from repowright_tools.sandbox.engine import QUICK_S, WORK_S, Engine
from repowright_tools.sandbox.hardening import BoxPlan
from repowright_tools.sandbox.indexes import KNOWN_HOSTS, index_variables, operators_indexes
from repowright_tools.sandbox.labels import box_labels
from repowright_tools.sandbox.policy import MIB, SandboxPolicy

CERTIFICATES = "ca-bundle.pem"
"""The operator's certificates in `INPUTS`."""

_PORT = 3128
_REFUSED = "refused"
_ORDER = "order.json"
_START_S = 20.0
_OPTIONS = {
    # Without it the host has an address on the bridge, and every service of the host that listens everywhere with it
    "com.docker.network.bridge.inhibit_ipv4": "true",
}
_NAMED = 5


@dataclass(frozen=True)
class Egress:
    """A way out. Made by `open_egress`.

    Attributes:
        network: the name of the network that an installation is put into.
        variables: what tells its tools of the proxy.
    """

    network: str
    variables: dict[str, str]
    proxy: Box

    async def refused(self) -> list[str]:
        """What was asked for and is no index, as far as the proxy can still tell."""
        with suppress(SandboxError):
            said = await self.proxy.collect(_REFUSED)
            return list(dict.fromkeys((said or b"").decode("utf-8", errors="replace").splitlines()))[:_NAMED]
        return []


@asynccontextmanager
async def open_egress(
    engine: Engine, policy: SandboxPolicy, *, base: str, run_id: str, life_s: float, certificates: bytes | None
) -> AsyncGenerator[Egress]:
    """A network and its proxy, both gone at the end of the block.

    Raises:
        InstallFailed: the base image cannot run the proxy, for want of Python, or the engine is Podman.
    """
    if await engine.is_podman():
        raise InstallFailed(
            "nothing is installed with Podman: the host has an address in its internal networks",
            what_to_do="Set SANDBOX_IMAGE to an image that has the dependencies and call with setup_network=false,"
            " or use a Docker engine.",
        )
    name, lease = f"repowright-{uuid4().hex}", time.time() + life_s
    client = await engine.api()
    labels = box_labels(name, run_id, lease)
    proxy = f"repowright-{uuid4().hex}"
    plan = BoxPlan(proxy, base, life_s, box_labels(proxy, run_id, lease), network="bridge", joins=name)
    try:
        await engine.make(
            "create a network", WORK_S, client.create_network, name, driver="bridge", internal=True,
            enable_ipv6=False, options=_OPTIONS, labels=labels,
        )  # fmt: skip
        async with open_box(engine, policy, plan) as box:
            address = await _start(box, policy, name, certificates)
            indexes = operators_indexes(policy.indexes)
            yield Egress(name, index_variables(indexes, f"http://{address}:{_PORT}"), box)
    finally:
        with anyio.move_on_after(CLEANUP_S, shield=True), suppress(SandboxError):
            await engine.call("remove a network", WORK_S, client.remove_network, name)


async def _start(box: Box, policy: SandboxPolicy, network: str, certificates: bytes | None) -> str:
    """Start the proxy; the address that it listens at."""
    from repowright_tools.git.tree import TreeFile

    client = await box.engine.api()
    details = await box.engine.call("inspect a box", QUICK_S, client.inspect_container, box.name)
    address = str(details["NetworkSettings"]["Networks"][network]["IPAddress"])
    order = {
        "listen": address,
        "port": _PORT,
        "log": f"{OUT}/{_REFUSED}",
        "hosts": [*KNOWN_HOSTS, *policy.index_hosts],
        "indexes": [index.order() for index in operators_indexes(policy.indexes)],
        "trust": f"{INPUTS}/{CERTIFICATES}" if certificates else None,
    }
    given = [TreeFile(_ORDER, 0o100644, json.dumps(order).encode())]  # not an argument, which others could list
    if certificates:
        given.append(TreeFile(CERTIFICATES, 0o100644, certificates))
    folder, beside = INPUTS.rpartition("/")[2], OUT.rpartition("/")[2]
    await box.put(pack(folder, given, max_bytes=8 * MIB, beside=[beside]), "/work")
    argv = ["python3", "-I", "-S", "-c", _program(), f"{INPUTS}/{_ORDER}"]
    ran = await box.run(argv, folder="/", variables={}, timeout_s=_START_S)
    if ran.exit_code != 0:
        raise InstallFailed(
            "the way to the package indexes could not be opened: the base image needs python3 for it"
            f" (exit code {ran.exit_code}): {ran.output.text().strip()[-500:]}",
            what_to_do="Set SANDBOX_IMAGE to an image that has python3, or call with setup_network=false.",
        )
    return address


@cache
def _program() -> str:
    return (files("repowright_tools.sandbox.in_box") / "proxy.py").read_text("utf-8")
