"""Package indexes: those that everybody knows, and an operator's own with its credentials."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

KNOWN_HOSTS = (
    "pypi.org",
    "files.pythonhosted.org",
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "repo.yarnpkg.com",
    "proxy.golang.org",
    "sum.golang.org",
    "index.crates.io",
    "static.crates.io",
    "repo.maven.apache.org",
    "repo1.maven.org",
    "plugins.gradle.org",
    "plugins-artifacts.gradle.org",
)
"""Hosts of the public indexes of the tools that install; each may be tunnelled to on port 443."""
TOOLS = ("pip", "npm", "go")
"""Tools that can be given an index of the operator's."""

_HERE = "index-{}.invalid"
"""How an index is called in the box (RFC 2606): a name that leads nowhere but through the proxy."""


@dataclass(frozen=True)
class Index:
    """An operator's index.

    Attributes:
        tool: which of `TOOLS` uses it.
        url: where it is, with user and password where it needs them. It never reaches an installation.
    """

    tool: str
    url: str

    @property
    def here(self) -> str:
        """Its host as an installation calls it."""
        return _HERE.format(self.tool)

    @property
    def path(self) -> str:
        return urlsplit(self.url).path or "/"

    @property
    def scope(self) -> str:
        """The folder below which the credentials may be used. pip's files are beside its index, not below it."""
        above = self.path.rstrip("/").rpartition("/")[0] if self.tool == "pip" else self.path.rstrip("/")
        return f"{above}/"

    @property
    def origin(self) -> str:
        """Scheme, host and port, without credentials."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def order(self) -> dict[str, Any]:
        """What the proxy is told of it."""
        parts = urlsplit(self.url)
        tls = parts.scheme == "https"
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if parts.username else ""
        return {
            "host": self.here,
            "port": 80,
            "upstream": parts.hostname,
            "upstream_port": parts.port or (443 if tls else 80),
            "tls": tls,
            "authorization": authorization,
            "scope": self.scope,
            "there": self.origin,
            "here": f"http://{self.here}",
        }


def operators_indexes(urls: Mapping[str, str]) -> list[Index]:
    """The indexes of a policy. Raises ValueError for a tool that cannot be given one, or what is no URL of one."""
    for tool, url in urls.items():
        parts = urlsplit(url)
        if tool not in TOOLS or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"no index for {tool!r}: it takes one of {', '.join(TOOLS)} and an http(s) URL")
    return [Index(tool, url) for tool, url in urls.items()]


def index_variables(indexes: list[Index], proxy: str) -> dict[str, str]:
    """What makes the tools of an installation go through the proxy at this address, and to the operator's indexes."""
    address = urlsplit(proxy)
    java = " ".join(
        f"-D{scheme}.proxyHost={address.hostname} -D{scheme}.proxyPort={address.port}" for scheme in ("http", "https")
    )
    variables = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), proxy)
    variables |= {"JAVA_TOOL_OPTIONS": java, "NO_PROXY": "", "no_proxy": ""}
    for index in indexes:
        url = f"http://{index.here}{index.path}"
        match index.tool:
            case "pip":
                variables |= {"PIP_INDEX_URL": url, "PIP_TRUSTED_HOST": index.here}
                variables |= {"UV_DEFAULT_INDEX": url, "UV_INSECURE_HOST": index.here}
            case "npm":
                variables |= {"npm_config_registry": url, "YARN_REGISTRY": url, "YARN_NPM_REGISTRY_SERVER": url}
            case _:
                variables |= {"GOPROXY": url}
    return variables
