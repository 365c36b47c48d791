"""Which copy of pnpm or Yarn installs a project: the one that the project asks for, or that its lock file is of."""

from __future__ import annotations

import re
from collections.abc import Mapping

from repowright_tools.run_tests_sandboxed.manifests import read_package

_ASKED = re.compile(r"(pnpm|yarn)@(\d{1,4}(?:\.\d{1,4}){2})(?:\+[\w.]+)?")
_PNPM_LOCK = re.compile(rb"^lockfileVersion:[ '\"]*(\d+)", re.MULTILINE)
_PNPM_OF_LOCK = {"5": "7", "6": "8", "9": "9"}
"""Which pnpm writes lock files of which version."""
_YARN_LOCK = re.compile(rb"^__metadata:\s+version: (\d+)", re.MULTILINE)
_YARN_OF_LOCK = {"4": "2", "5": "3.1", "6": "3"}
"""Which Yarn writes lock files of which version, from Yarn 2 on; version 8 and later ones are of Yarn 4."""
_YARN_1 = "1.22.22"
_BERRY = (
    'YARN_HTTP_PROXY="${HTTP_PROXY-}" YARN_HTTPS_PROXY="${HTTPS_PROXY-}"'
    " YARN_NODE_LINKER=node-modules YARN_ENABLE_GLOBAL_CACHE=false YARN_CACHE_FOLDER=/build/yarn"
    " YARN_ENABLE_TELEMETRY=0 YARN_UNSAFE_HTTP_WHITELIST='*'"
)
"""From Yarn 2 on it is set up by its own variables, and links packages in its own way unless told not to. An index of
the operator's is asked through the proxy, which is reached by HTTP."""


def javascript_command(tool: str, command: str, files: Mapping[str, bytes]) -> str:
    """The command with its tool in that version; as it is for tools other than pnpm and Yarn.

    It comes from the npm registry, so that a base image needs npm alone. What npm knows as `yarn` ends with version 1.

    Args:
        tool: the first word of `command`.
        command: a line for `sh`.
        files: the manifests by path.
    """
    if tool not in ("pnpm", "yarn"):
        return command
    asked = _ASKED.fullmatch(str((read_package(files.get("package.json", b"")) or {}).get("packageManager", "")))
    version = asked[2] if asked and asked[1] == tool else None
    if tool == "pnpm":
        lock = _PNPM_LOCK.search(files.get("pnpm-lock.yaml", b"")[:2_000])
        version = version or _PNPM_OF_LOCK.get(lock[1].decode() if lock else "", "9")
        return f"npm exec --yes --package=pnpm@{version} -- {command}"
    lock = _YARN_LOCK.search(files.get("yarn.lock", b"")[:2_000])
    if lock is not None and (version is None or version.startswith("1.")):
        version = _YARN_OF_LOCK.get(lock[1].decode(), "4")
    if version is None or version.startswith(("0.", "1.")):
        return f"npm exec --yes --package=yarn@{version or _YARN_1} -- {command}"
    return f"{_BERRY} npm exec --yes --package=@yarnpkg/cli-dist@{version} -- yarn install --immutable"
