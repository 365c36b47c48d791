"""An installation reaches package indexes and nothing else, and the credentials of an index stay outside of it."""

import base64
import hashlib
import io
import json
import re
import shlex
import socket
import time
import zipfile
from collections.abc import Iterator
from contextlib import aclosing, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import anyio
import pytest
from docker.errors import APIError

from repowright_tools.errors import InstallFailed
from repowright_tools.sandbox.base import INPUTS, EnvironmentSpec, Execution
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.egress import CERTIFICATES
from repowright_tools.sandbox.labels import box_labels
from repowright_tools.sandbox.podman import speaks_podman
from repowright_tools.sandbox.policy import SandboxPolicy
from support.docker import Probe, boxes_of, usual_gateway
from support.http_server import serving

pytestmark = [pytest.mark.docker, pytest.mark.anyio]

NO_NAMES = {"Dns": ["127.0.0.1"], "DnsOptions": ["timeout:1", "attempts:1"]}
USER, PASSWORD = "reader", "canary-0b7e55c1"
CREDENTIALS = base64.b64encode(f"{USER}:{PASSWORD}".encode())


@pytest.fixture
def run_id() -> str:
    return f"r_{uuid4().hex}"


@pytest.fixture
def gateway(docker_client: Client) -> str:
    """The host's address in the engine's usual network."""
    return usual_gateway(docker_client)


@pytest.fixture
def everywhere() -> Iterator[int]:
    """The port of a service that listens at every address of the host."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def installs(docker_client: Client) -> None:
    """An engine with which anything is installed."""
    if speaks_podman(docker_client):
        pytest.skip("nothing is installed with Podman: the host has an address in its internal networks")


async def test_an_engine_whose_internal_networks_lead_to_the_host_installs_nothing(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str
) -> None:
    if not speaks_podman(docker_client):
        pytest.skip("Docker's do not")
    spec = EnvironmentSpec({}, [["true", run_id]], ["/kept"])
    async with aclosing(DockerSandbox(sandbox_policy)) as box:
        with pytest.raises(InstallFailed, match="Podman"):
            await box.prepare(spec, run_id=run_id, network=True)
    assert boxes_of(docker_client, run_id) == []


class PrivateIndex(BaseHTTPRequestHandler):
    """A package index with one wheel, for those who know the password. Its pages link to it by its full address."""

    def do_GET(self) -> None:
        here = f"http://{self.headers['Host']}"
        if self.headers.get("Authorization") != f"Basic {CREDENTIALS.decode()}":
            self._send(401, "text/plain", b"who are you?")
        elif self.path.endswith("/simple/canary-wheel/"):
            digest = hashlib.sha256(wheel()).hexdigest()
            link = f"{here}/files/canary_wheel-1-py3-none-any.whl#sha256={digest}"
            self._send(200, "text/html", f'<a href="{link}">canary_wheel-1-py3-none-any.whl</a>'.encode())
        elif self.path.endswith(".whl"):
            self._send(200, "application/octet-stream", wheel())
        else:
            self._send(404, "text/plain", b"nothing here")

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


def wheel() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in {
            "canary_wheel.py": "there = True\n",
            "canary_wheel-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: canary-wheel\nVersion: 1\n",
            "canary_wheel-1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "canary_wheel-1.dist-info/RECORD": "",
        }.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


@pytest.fixture
def private_index(gateway: str, installs: None) -> Iterator[str]:
    """The address of an index on the host, with the credentials in it."""
    with serving(PrivateIndex, gateway) as host:
        yield f"http://{USER}:{PASSWORD}@{host}/simple/"


async def said_by(policy: SandboxPolicy, client: Client, run_id: str, script: str) -> str:
    """What a script prints in an installation."""
    spec = EnvironmentSpec({}, [["sh", "-c", f": {run_id}; ( {script}\n) >/kept/said 2>&1; true"]], ["/kept"])
    async with aclosing(DockerSandbox(policy)) as box:
        made = await box.prepare(spec, run_id=run_id, network=True)
        assert made is not None
        try:
            outcome = await box.execute(Execution(run_id, [], "cat /kept/said", 20, image=made.digest))
        finally:
            client.remove_image(made.digest, force=True)
    assert boxes_of(client, run_id) == []
    assert cast(Any, client).networks(filters={"label": f"run_id={run_id}"}) == []
    return outcome.output


TRY = """
import socket, struct, sys
def told(*words): print(*words, flush=True)
def tried(address, port):
    try:
        socket.create_connection((address, port), 2)
        told("CON" + "NECTED", address)
    except OSError as error:
        told("re" + "fused", address, error)
for address in [*sys.argv[2:], "192.0.2.1"]:
    tried(address, int(sys.argv[1]))
for line in open("/proc/net/route").read().splitlines()[1:]:
    gateway = socket.inet_ntoa(struct.pack("<L", int(line.split()[2], 16)))
    if gateway != "0.0.0.0":
        tried(gateway, int(sys.argv[1]))
try:
    told("RESOL" + "VED", socket.getaddrinfo("example.org", 80))
except OSError:
    told("un" + "known")
"""
"""Connects to the given addresses, to one outside, and to the box's own gateway. What it prints is not in its text."""


def tries(port: int, *addresses: str) -> str:
    return shlex.join(["python3", "-c", TRY, str(port), *addresses])


@pytest.mark.usefixtures("installs")
async def test_an_installation_reaches_neither_the_host_nor_the_network_around_it(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str, gateway: str, everywhere: int
) -> None:
    """S01 for the phase with network."""
    said = await said_by(sandbox_policy, docker_client, run_id, tries(everywhere, gateway))
    assert "CONNECTED" not in said
    assert "RESOLVED" not in said
    assert said.count("refused") >= 2
    assert "unknown" in said


def test_in_the_usual_network_it_would_reach_the_host(probe: Probe, gateway: str, everywhere: int) -> None:
    """S01, knock-out: the network of before."""
    assert "CONNECTED" in probe(tries(everywhere, gateway), without={"NetworkMode": "bridge"})


@pytest.mark.usefixtures("installs")
@pytest.mark.parametrize("inhibited", [True, False])
def test_an_internal_network_alone_would_still_lead_to_the_host(
    docker_client: Client, probe: Probe, everywhere: int, inhibited: bool
) -> None:
    """S01, knock-out: the host has an address on the bridge of an internal network, unless it is told not to."""
    client, name = cast(Any, docker_client), f"knock-out-{uuid4().hex}"
    options = {"com.docker.network.bridge.inhibit_ipv4": "true"} if inhibited else {}
    client.create_network(name, driver="bridge", internal=True, options=options)
    try:
        config = client.inspect_network(name)["IPAM"]["Config"][0]
        said = probe(tries(everywhere, config["Gateway"].partition("/")[0]), without={"NetworkMode": name, **NO_NAMES})
        assert ("CONNECTED" in said) is not inhibited
    finally:
        client.remove_network(name)


@pytest.mark.usefixtures("installs")
async def test_what_is_no_index_is_refused_by_name(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str
) -> None:
    ask = "python3 -c \"import urllib.request as u; u.urlopen('{}', timeout=5)\" 2>&1 | tail -1"
    tried = ["https://example.org/", "https://pypi.org:8443/", "http://pypi.org/", "https://10.1.2.3/"]
    said = await said_by(sandbox_policy, docker_client, run_id, "\n".join(ask.format(url) for url in tried))
    refused = re.findall(r"no package index: ([^\s>]+)", said)
    assert refused == ["example.org:443", "pypi.org:8443", "http://pypi.org:80", "10.1.2.3:443"]


@pytest.mark.usefixtures("installs")
@pytest.mark.parametrize(("then", "advised"), [("exit 1", "SANDBOX_CA_BUNDLE"), ("not-there", "SANDBOX_IMAGE")])
async def test_an_installation_that_fails_for_want_of_a_host_says_which_and_what_to_do(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str, then: str, advised: str
) -> None:
    fetch = f": {run_id}; python3 -c \"import urllib.request as u; u.urlopen('https://example.org/')\"; {then}"
    async with aclosing(DockerSandbox(sandbox_policy)) as box:
        with pytest.raises(InstallFailed, match=r"refused: example\.org:443") as failed:
            await box.prepare(EnvironmentSpec({}, [["sh", "-c", fetch]], ["/kept"]), run_id=run_id, network=True)
    assert advised in failed.value.what_to_do
    assert boxes_of(docker_client, run_id) == []


async def test_an_allowed_host_with_a_private_address_is_refused_and_an_operators_index_is_not(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str, gateway: str, private_index: str
) -> None:
    """R02, for installations; the second half is the knock-out."""
    policy = replace(sandbox_policy, index_hosts=(gateway,), indexes={"pip": private_index})
    said = await said_by(
        policy,
        docker_client,
        run_id,
        f"python3 -c \"import urllib.request as u; u.urlopen('https://{gateway}/', timeout=5)\" 2>&1 | tail -1\n"
        "python3 -c \"import os, urllib.request as u; print('BO' + 'DY', u.urlopen(os.environ['PIP_INDEX_URL'] + 'canary-wheel/').read())\"",  # noqa: E501
    )
    assert "which is of a private network" in said
    assert "BODY" in said


@pytest.mark.parametrize("told", [False, True])
async def test_a_private_index_is_used_and_its_credentials_are_in_no_layer(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str, private_index: str, told: bool
) -> None:
    """K01, with its knock-out: an installation that is told them can leave them in a layer, where they are found.

    All that an installation can see of its environment and of other processes is in the image here.
    """
    commands = [
        ["python3", "-m", "pip", "install", "--no-cache-dir", "--target", "/kept/lib", "canary-wheel"],
        ["sh", "-c", f"env >/kept/{run_id}; cat /proc/*/cmdline /proc/*/environ >>/kept/{run_id} 2>&1 || :"],
        *([["sh", "-c", f"echo {private_index} >/kept/told"]] if told else []),
    ]
    search = (
        "grep -c 'there = True' /kept/lib/canary_wheel.py;"
        f"grep -raF -e {PASSWORD} -e {CREDENTIALS.decode()} / --exclude-dir=proc --exclude-dir=sys 2>/dev/null"
    )
    async with aclosing(DockerSandbox(replace(sandbox_policy, indexes={"pip": private_index}))) as box:
        made = await box.prepare(EnvironmentSpec({}, commands, ["/kept"]), run_id=run_id, network=True)
        assert made is not None
        try:
            held = await box.execute(Execution(run_id, [], search, 60, image=made.digest))
            described = json.dumps(
                [docker_client.inspect_image(made.digest), cast(Any, docker_client).history(made.digest)]
            )
        finally:
            docker_client.remove_image(made.digest, force=True)
    assert held.output.startswith("1\n")
    assert (PASSWORD in held.output) is told
    assert CREDENTIALS.decode() not in held.output
    assert PASSWORD not in described


@pytest.mark.usefixtures("installs")
async def test_the_operators_certificates_are_trusted_beside_those_of_the_image(
    sandbox_policy: SandboxPolicy, docker_client: Client, run_id: str, tmp_path: Path
) -> None:
    """The second line is the knock-out: what most tools are told replaces what they know."""
    bundle = tmp_path / "operators.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=canary", "-keyout", "/dev/null"]
    await anyio.run_process([*make, "-out", str(bundle)])
    count = (
        "import os, ssl\n"
        "def known(path): return {str(c['subject']) for c in ssl.create_default_context(cafile=path).get_ca_certs()}\n"
        "usual, all_ = known('/etc/ssl/certs/ca-certificates.crt'), known(os.environ['SSL_CERT_FILE'])\n"
        "print(len(usual) > 50, usual < all_, 'canary' in str(all_ - usual))\n"
        f"print(len(known('{INPUTS}/{CERTIFICATES}')))"
    )
    said = await said_by(
        replace(sandbox_policy, ca_bundle=bundle),
        docker_client,
        run_id,
        f'python3 -c "{count}"; printenv PIP_CERT REQUESTS_CA_BUNDLE CURL_CA_BUNDLE | uniq | wc -l',
    )
    assert said.split() == ["True", "True", "True", "1", "1"]


def test_a_policy_does_not_show_the_credentials_of_its_indexes() -> None:
    """K02"""
    assert PASSWORD not in repr(SandboxPolicy(indexes={"pip": f"https://{USER}:{PASSWORD}@index.example/"}))


async def test_the_reaper_takes_the_network_of_a_dead_server(
    sandbox: DockerSandbox, docker_client: Client, run_id: str
) -> None:
    client = cast(Any, docker_client)
    ours, foreign = f"repowright-{run_id}", f"foreign-{run_id}"
    client.create_network(ours, labels=box_labels(ours, run_id, time.time() + 600))
    client.create_network(foreign, labels={"run_id": run_id})
    try:
        await sandbox.reap(run_id=run_id)
        assert {entry["Name"] for entry in client.networks(filters={"label": f"run_id={run_id}"})} == {ours, foreign}
        await sandbox.reap(now=time.time() + 40, run_id=run_id)
        assert [entry["Name"] for entry in client.networks(filters={"label": f"run_id={run_id}"})] == [foreign]
    finally:
        for name in (ours, foreign):
            with suppress(APIError):
                client.remove_network(name)
