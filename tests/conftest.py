"""Fixtures that every kind of test may use."""

import pytest

from support.browser import browser
from support.docker import docker_client, probe, sandbox, sandbox_policy

__all__ = ["anyio_backend", "browser", "docker_client", "probe", "sandbox", "sandbox_policy"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
