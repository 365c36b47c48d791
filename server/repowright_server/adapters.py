"""From settings to the adapters that stages reach through their ports. Each is made at first use."""

from pathlib import Path
from typing import TYPE_CHECKING

from repowright_server.settings import Settings
from repowright_tools.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import SecretStr

    from repowright_server.runs.store import Store
    from repowright_tools.git.policy import SourcePolicy
    from repowright_tools.git.workspace import Workspace
    from repowright_tools.github.forge import Forge
    from repowright_tools.github.policy import ForgePolicy
    from repowright_tools.index.index import Index
    from repowright_tools.index.standby import Standby
    from repowright_tools.llm.factory import Models
    from repowright_tools.llm.policy import ModelPolicy
    from repowright_tools.sandbox.base import Sandbox
    from repowright_tools.sandbox.services import Service
    from repowright_tools.stage import BoundRepository


class Adapters:
    """The only place that knows which adapter a setting means, and what it needs to be told."""

    def __init__(self, settings: Settings, *, read_only: bool = False) -> None:
        self._settings = settings
        self._read_only = read_only
        self._sandbox: Sandbox | None = None
        self._standby: Standby | None = None
        self._models: Models | None = None

    async def aclose(self) -> None:
        """Give connections back and end processes that wait."""
        if self._standby is not None:
            await self._standby.aclose()
        if self._models is not None:
            await self._models.aclose()
        if self._sandbox is not None:
            await self._sandbox.aclose()

    def workspace(self, run_id: str) -> "Workspace":
        """The run's private folder; its parent is made here, so that it is private too."""
        from repowright_tools.git.workspace import Identity, Workspace

        s = self._settings
        base = s.workspace_base_path or s.repowright_home / "workspaces"
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        identity = Identity(s.git_user_name, s.git_user_email)
        return Workspace(base / run_id, identity, s.max_workspace_size, self.source_policy())

    def allowed_roots(self) -> tuple[Path, ...]:
        """Folders that local sources may lie in."""
        if self._settings.allowed_roots:
            return tuple(Path(root).expanduser().resolve() for root in self._settings.allowed_roots)
        here = Path.cwd().resolve()
        tops = [folder for folder in (here, *here.parents) if (folder / ".git").exists()]
        return tuple(tops[:1])

    def forge(self) -> "Forge":
        from repowright_tools.github.forge import GitHubForge

        return GitHubForge(self._forge_policy())

    def sandbox(self) -> "Sandbox":
        """The one of this process: attempts share its connections, and what one of them installs."""
        if self._sandbox is None:
            self._sandbox = self._make_sandbox()
        return self._sandbox

    def _make_sandbox(self) -> "Sandbox":
        from repowright_tools.sandbox.factory import build_sandbox
        from repowright_tools.sandbox.policy import SandboxPolicy

        s = self._settings
        policy = SandboxPolicy(
            image=s.sandbox_image,
            memory=s.sandbox_memory,
            cpus=s.sandbox_cpus,
            pids=s.sandbox_pids,
            timeout_s=s.testing_timeout,
            ca_bundle=s.sandbox_ca_bundle,
            runtime=s.sandbox_runtime,
            indexes={each.partition("=")[0]: each.partition("=")[2] for each in _revealed(s.sandbox_indexes)},
            index_hosts=s.sandbox_index_hosts,
            host=s.docker_host,
            services=self.services(),
        )
        return build_sandbox(s.sandbox_backend, policy)

    def services(self) -> "Mapping[str, Service]":
        """What the operator has declared to run beside the tests, by name."""
        if self._settings.sandbox_services is None:
            return {}
        from repowright_tools.sandbox.services import declared_services

        return declared_services(self._settings.sandbox_services.get_secret_value())

    def source_policy(self) -> "SourcePolicy":
        from repowright_tools.git.policy import SourcePolicy

        forge = self._forge_policy()
        hosts = self._settings.allowed_clone_hosts or ("github.com", forge.host)
        return SourcePolicy(
            allowed_roots=self.allowed_roots(),
            clone_hosts=tuple(hosts),
            forge_host=forge.host,
            forge_url=forge.web_url,
            token=forge.token,
            max_bytes=self._settings.max_workspace_size,
            mirrors=self._settings.repowright_home / "mirrors",
        )

    async def index(self, repository: "BoundRepository") -> "Index":
        """The kept index of a repository, shared by all processes on this home."""
        from repowright_tools.index.identity import identity_of
        from repowright_tools.index.index import Index
        from repowright_tools.index.standby import Standby

        self._standby = self._standby or Standby()
        identity = await in_thread(identity_of, repository)
        folder = self._settings.repowright_home / "index"
        return Index(folder=folder, repository=identity, standby=self._standby)

    def models(self, state: "Store") -> "Models":
        """Those of this process: attempts share connections, limits and earlier answers.

        Raises:
            InvalidArguments: LLM_PROVIDER names nobody.
        """
        if self._models is None:
            from repowright_server.runs.limits import StoredLimits
            from repowright_server.runs.responses import StoredResponses
            from repowright_tools.llm.factory import Models

            s = self._settings
            cache = StoredResponses(state, s.cache_ttl, s.cache_size_limit) if s.cache_enabled else None
            self._models = Models(self._model_policy(), StoredLimits(state), cache)
        return self._models

    def _model_policy(self) -> "ModelPolicy":
        from repowright_tools.llm.policy import Endpoint, ModelPolicy

        s = self._settings
        return ModelPolicy(
            provider=s.llm_provider,
            model=s.llm_model,
            endpoints={
                "anthropic": Endpoint(_revealed(s.anthropic_api_key), s.anthropic_base_url),
                "openai": Endpoint(_revealed(s.openai_api_key), s.openai_base_url),
            },
            max_tokens=s.llm_max_tokens,
            timeout_s=s.llm_timeout,
            max_retries=s.max_retries,
            retry_initial_wait_s=s.retry_initial_wait,
            retry_max_wait_s=s.retry_max_wait,
            max_run_cost_usd=s.max_run_cost_usd,
            max_call_input_tokens=s.max_call_input_tokens,
            rate_limit_calls=s.rate_limit_max_calls,
            rate_limit_period_s=s.rate_limit_period,
            prices=s.repowright_home / "prices.json",
        )

    def _forge_policy(self) -> "ForgePolicy":
        from repowright_tools.github.policy import ForgePolicy

        s = self._settings
        return ForgePolicy(
            base_url=s.github_base_url,
            token=None if s.github_token is None else s.github_token.get_secret_value(),
            allowed_repositories=s.allowed_repositories,
            allowed_roots=self.allowed_roots(),
            read_only=self._read_only,
        )


def _revealed(keys: "Sequence[SecretStr]") -> tuple[str, ...]:
    return tuple(key.get_secret_value() for key in keys)
