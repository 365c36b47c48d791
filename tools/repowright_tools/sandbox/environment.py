"""Environments: images in which a project's dependencies are installed, made once and used until they are too old.

An installation runs other people's build scripts, and manifests that are code: plugins that a pom.xml names, and a
build.gradle. It runs in a box like any other, except for a way to package indexes (see `open_egress`) and a writable
layer, and sees nothing but requirement files: never the rest of the repository, never a setting of the host, never the
credentials of an index. Its result is keyed by those files, so that no other project is given it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from uuid import uuid4

import anyio

from repowright_tools.errors import ImageMissing, InstallFailed, SandboxError
from repowright_tools.sandbox.archive import pack
from repowright_tools.sandbox.base import INPUTS, EnvironmentSpec
from repowright_tools.sandbox.box import Box, open_box
from repowright_tools.sandbox.client import Described
from repowright_tools.sandbox.egress import CERTIFICATES, open_egress
from repowright_tools.sandbox.engine import COPY_S, QUICK_S, WORK_S, Engine
from repowright_tools.sandbox.hardening import BoxPlan
from repowright_tools.sandbox.labels import box_labels, environment_tag, image_labels
from repowright_tools.sandbox.policy import MIB, SandboxPolicy
from repowright_tools.secrets import redact, strip_invisible

KEPT_S = 7 * 24 * 3600.0
"""How long an environment is used: requirements that are not pinned get newer releases at least once a week."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_BUILD = "/build"
_TRUSTS = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_TRUSTED = "/work/trusted.pem"
_COLLECT = f"""
usual=$(python3 -c 'import ssl; print(ssl.get_default_verify_paths().cafile or "")' 2>/dev/null)
for file in "$usual" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem \
    "$(python3 -c 'from pip._vendor import certifi; print(certifi.where())' 2>/dev/null)"; do
  if test -s "$file"; then cat "$file"; break; fi
done >{_TRUSTED}
echo >>{_TRUSTED}
cat {INPUTS}/{CERTIFICATES} >>{_TRUSTED}
"""
"""The image's own certificates, wherever it keeps them, and the operator's: for most tools a file of them replaces
those that they know."""
_INPUT_BYTES = 32 * MIB
_MEASURE_S = 2.0
_TRUST_S = 20.0
_NOT_FOUND = 127
"""What a shell says of a program that it does not find (POSIX, 2.8.2)."""
_NO_SUCH_PROGRAM = "The image lacks the program that the output names: give an image that has it as SANDBOX_IMAGE."


async def find_environment(engine: Engine, key: str) -> str | None:
    """The digest of the environment with this key, when it exists."""
    client = await engine.api()
    try:
        return str((await engine.call("look up an image", QUICK_S, client.inspect_image, environment_tag(key)))["Id"])
    except ImageMissing:
        return None


async def make_environment(
    engine: Engine, policy: SandboxPolicy, spec: EnvironmentSpec, *, base: str, key: str, run_id: str
) -> str:
    """Install in a box made of `base` and keep the result as an image; its digest. Raises InstallFailed."""
    files = dict(spec.files)
    certificates = None if policy.ca_bundle is None else await _certificates(policy)
    if certificates is not None:
        files[CERTIFICATES] = certificates
    name, life = f"repowright-{uuid4().hex}", policy.install_timeout_s + 2 * COPY_S
    labels = box_labels(name, run_id, time.time() + life)
    roots = [pack(folder.strip("/"), [], max_bytes=0) for folder in (*spec.writes, _BUILD)]
    async with (
        open_egress(engine, policy, base=base, run_id=run_id, life_s=life, certificates=certificates) as egress,
        open_box(
            engine,
            policy,
            BoxPlan(name, base, life, labels, installs=True, network=egress.network),
            before_start=roots,
        ) as box,
    ):
        await box.put(_inputs(files), "/work")
        await _trust(box)
        try:
            await _install(box, spec.commands, _variables(policy) | egress.variables)
        except InstallFailed as error:
            raise _explained(error, await egress.refused()) from error
        await box.end()
        client = await engine.api()
        kept = image_labels(key, time.time() + KEPT_S)
        await engine.call(
            "keep an image",
            COPY_S,
            client.commit,
            box.name,
            repository=environment_tag(key).partition(":")[0],
            tag=environment_tag(key).partition(":")[2],
            changes=[f'LABEL {label}="{value}"' for label, value in kept.items()],
        )
    return str((await engine.call("look up an image", QUICK_S, client.inspect_image, environment_tag(key)))["Id"])


def _explained(error: InstallFailed, refused: Sequence[str]) -> InstallFailed:
    if not refused:
        return error
    listed = ", ".join(redact(strip_invisible(where)) for where in refused)
    message = f"{error.message}\nIt asked for what is no package index and was refused: {listed}"
    return InstallFailed(message, what_to_do=error.what_to_do)


def _inputs(files: Mapping[str, bytes]) -> BytesIO:
    from repowright_tools.git.tree import TreeFile

    listed = [TreeFile(path, 0o100644, data) for path, data in files.items()]
    return pack(INPUTS.rpartition("/")[2], listed, max_bytes=_INPUT_BYTES)


async def _certificates(policy: SandboxPolicy) -> bytes:
    assert policy.ca_bundle is not None
    try:
        return await anyio.Path(policy.ca_bundle).read_bytes()
    except OSError as error:
        raise InstallFailed(f"cannot read the certificates of SANDBOX_CA_BUNDLE: {error}") from error


async def _trust(box: Box) -> None:
    """Put the image's certificates and the operator's into one file, where there are any of the operator's."""
    if box.policy.ca_bundle is None:
        return
    ran = await box.run(["sh", "-c", _COLLECT], folder="/", variables={"PATH": PATH}, timeout_s=_TRUST_S)
    if ran.exit_code != 0:
        raise InstallFailed(f"the certificates of SANDBOX_CA_BUNDLE could not be used: {ran.output.text().strip()}")


def _variables(policy: SandboxPolicy) -> dict[str, str]:
    variables = {"PATH": PATH, "HOME": _BUILD, "TMPDIR": _BUILD, "LANG": "C.UTF-8"}
    if policy.ca_bundle is not None:
        variables |= dict.fromkeys(_TRUSTS, _TRUSTED)
    return variables


async def _install(box: Box, commands: Sequence[Sequence[str]], variables: Mapping[str, str]) -> None:
    """Run the commands, watched for how much they write."""
    too_much = anyio.Event()
    broke: SandboxError | None = None  # raised outside, because a task group would wrap it
    ends = time.monotonic() + box.policy.install_timeout_s
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_watch, box, too_much, tasks.cancel_scope)
        try:
            for command in (*commands, ["find", _BUILD, "-mindepth", "1", "-delete"]):
                await _run(box, command, variables, ends - time.monotonic())
        except SandboxError as error:
            broke = error
        tasks.cancel_scope.cancel()
    if too_much.is_set():
        raise InstallFailed(f"the dependencies need more than {box.policy.install_bytes} bytes")
    if broke is not None:
        raise broke


async def _run(box: Box, command: Sequence[str], variables: Mapping[str, str], left_s: float) -> None:
    ran = await box.run(command, folder=INPUTS, variables=variables, timeout_s=max(1.0, left_s))
    if ran.timed_out:
        raise InstallFailed(f"the dependencies were not installed within {box.policy.install_timeout_s:g} s")
    if ran.exit_code != 0:
        said = redact(ran.output.text().strip())[-2000:]
        advice = _NO_SUCH_PROGRAM if ran.exit_code == _NOT_FOUND else None
        message = f"installing the dependencies failed (exit code {ran.exit_code}): {said}"
        raise InstallFailed(message, what_to_do=advice)


async def _watch(box: Box, too_much: anyio.Event, scope: anyio.CancelScope) -> None:
    """A container's layer has no quota of its own: measure it, and stop the installation when it is too large."""
    client = await box.engine.api()
    while True:
        await anyio.sleep(_MEASURE_S)
        listed: list[Described] = []
        with suppress(SandboxError):  # what is wrong with the engine shows in the command itself
            listed = await box.engine.call(
                "measure a box", WORK_S, client.containers, filters={"name": box.name}, size=True
            )
        if any(int(entry.get("SizeRw") or 0) > box.policy.install_bytes for entry in listed):
            too_much.set()
            scope.cancel()
            return
