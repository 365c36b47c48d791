"""Which backend a name means. A new backend is one file and one line here."""

from repowright_tools.sandbox.base import Sandbox
from repowright_tools.sandbox.policy import SandboxPolicy


def build_sandbox(backend: str, policy: SandboxPolicy) -> Sandbox:
    """The backend called `backend` (SANDBOX_BACKEND). Raises ValueError for a name that is not known."""
    from repowright_tools.sandbox.docker import DockerSandbox

    backends = {"docker": DockerSandbox}
    if backend not in backends:
        raise ValueError(f"unknown sandbox backend {backend!r}; known: {', '.join(backends)}")
    return backends[backend](policy)
