"""From a policy to models: the one place that knows which providers there are."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from repowright_tools.errors import InvalidArguments, ModelNotNamed, NoApiKey
from repowright_tools.events import EventSink
from repowright_tools.llm.choice import choices
from repowright_tools.llm.host import HostProvider
from repowright_tools.llm.local import LocalAnswers
from repowright_tools.llm.policy import ModelPolicy
from repowright_tools.llm.scripted import ScriptedProvider
from repowright_tools.llm.thinking import Answers, Submissions, ThinkingModel
from repowright_tools.secrets import register_secret
from repowright_tools.stage import Journal, Model

if TYPE_CHECKING:
    from repowright_tools.llm.cache import ResponseCache
    from repowright_tools.llm.limits import SharedState
    from repowright_tools.llm.provider import Provider
    from repowright_tools.llm.shared import Route, Shared

REMOTE: Mapping[str, str] = {
    "anthropic": "repowright_tools.llm.anthropic:AnthropicProvider",
    "bedrock": "repowright_tools.llm.bedrock:BedrockProvider",
    "vertex": "repowright_tools.llm.vertex:VertexProvider",
    "openai": "repowright_tools.llm.openai:OpenAIProvider",
}
"""Name to class; each is constructed with the policy alone."""
LOCAL = ("host", "scripted")
PROVIDERS = (*REMOTE, *LOCAL)


class Models:
    """The models of a process: its attempts share connections, limits and earlier answers."""

    def __init__(
        self, policy: ModelPolicy, state: "SharedState | None" = None, cache: "ResponseCache | None" = None
    ) -> None:
        """Nothing heavy is imported before the first call.

        Args:
            policy: who thinks, and within which limits. Its keys are registered as secrets.
            state: what processes on this machine know together of keys and limits; None: this one alone.
            cache: where accepted answers are kept; None: nowhere.

        Raises:
            InvalidArguments: no provider has this name.
        """
        if policy.provider not in PROVIDERS:
            raise InvalidArguments(
                f"there is no model provider called {policy.provider!r}; there are: {', '.join(PROVIDERS)}"
            )
        for endpoint in policy.endpoints.values():
            for key in endpoint.keys:
                register_secret(key)
        self._policy = policy
        self._state = state
        self._cache = cache
        self._providers: dict[str, Provider] = {}
        self._shared: Shared | None = None

    def model(
        self,
        *,
        stage: str,
        run: str,
        journal: Journal,
        events: EventSink,
        submissions: Submissions,
        submit: Mapping[str, Any],
    ) -> Model:
        """The model of one attempt.

        Args:
            stage: the stage that asks.
            run: whose calls they are: a run stays on one key while its prompt cache is warm.
            journal: where the attempt's answers are kept.
            events: where calls are reported.
            submissions: the answer that the caller handed in, which goes before any provider.
            submit: the call that takes such an answer, for briefs: `{"tool": ..., "arguments": {...}}`.
        """
        return ThinkingModel(self._answers(stage, run, journal, events, submit), journal, events, submissions)

    async def aclose(self) -> None:
        """Give connections back. A later call opens new ones."""
        while self._providers:
            _, provider = self._providers.popitem()
            await provider.aclose()

    def _answers(self, stage: str, run: str, journal: Journal, events: EventSink, submit: Mapping[str, Any]) -> Answers:
        if self._policy.provider == "host":
            return LocalAnswers(HostProvider(submit), journal, events)
        if self._policy.provider == "scripted":
            return LocalAnswers(ScriptedProvider(self._policy), journal, events)
        from repowright_tools.llm.governor import Governor

        return Governor(self._shared_parts(), lambda ask: self._routes(stage, ask), journal, events, run)

    def _shared_parts(self) -> "Shared":
        if self._shared is None:
            from repowright_tools.llm.limits import Limits, MemoryState
            from repowright_tools.llm.prices import Prices
            from repowright_tools.llm.shared import Shared
            from repowright_tools.llm.tokens import Tokens

            policy = self._policy
            limits = Limits(
                self._state or MemoryState(),
                initial_wait_s=policy.retry_initial_wait_s,
                longest_wait_s=policy.retry_max_wait_s,
                calls=policy.rate_limit_calls,
                period_s=policy.rate_limit_period_s,
            )
            self._shared = Shared(policy, limits, Tokens(), Prices(policy.prices), self._cache)
        return self._shared

    def _routes(self, stage: str, ask: str) -> "Sequence[Route]":
        from repowright_tools.llm.shared import Route

        routes: list[Route] = []
        for choice in choices(self._policy.model, self._policy.provider, stage, REMOTE):
            provider = self._provider(choice.provider)
            model = choice.model or provider.default_model(ask)
            if model is None:
                raise ModelNotNamed(f"the provider {provider.name} has no model of its own choice")
            routes.append(Route(provider, model))
        return routes

    def _provider(self, name: str) -> "Provider":
        if name not in self._providers:
            module, _, kind = REMOTE[name].partition(":")
            provider: Provider = getattr(import_module(module), kind)(self._policy)
            if not provider.keys:
                raise NoApiKey(
                    f"no API key is set for the provider {name}",
                    what_to_do=f"Set {name.upper()}_API_KEY, or take the provider out of LLM_PROVIDER and LLM_MODEL.",
                )
            self._providers[name] = provider
        return self._providers[name]
