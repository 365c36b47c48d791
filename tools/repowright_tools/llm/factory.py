"""From a policy to a model. A new provider is one file and one line here."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from repowright_tools.errors import InvalidArguments
from repowright_tools.events import EventSink
from repowright_tools.llm.budget import Budget
from repowright_tools.llm.policy import ModelPolicy
from repowright_tools.llm.provider import Provider
from repowright_tools.llm.thinking import Submissions, ThinkingModel
from repowright_tools.secrets import register_secret
from repowright_tools.stage import Journal, Model

PROVIDERS: Mapping[str, str] = {
    "anthropic": "repowright_tools.llm.anthropic:AnthropicProvider",
    "host": "repowright_tools.llm.host:HostProvider",
    "scripted": "repowright_tools.llm.scripted:ScriptedProvider",
}
"""Name to class; each is constructed with the policy alone."""


def build_model(
    policy: ModelPolicy,
    *,
    journal: Journal,
    events: EventSink,
    submissions: Submissions,
    submit: Mapping[str, Any],
    spent: Callable[[], float] | None = None,
) -> Model:
    """The model of one attempt.

    Args:
        policy: who thinks, and within which limits. Its keys are registered as secrets.
        journal: where the attempt's answers are kept.
        events: where calls are reported.
        submissions: the answer that the caller handed in, which goes before any provider.
        submit: the call that takes such an answer, for briefs: `{"tool": ..., "arguments": {...}}`.
        spent: what the run has cost so far in US dollars; None: nothing before this attempt.

    Raises:
        InvalidArguments: no provider has this name.
    """
    if policy.provider not in PROVIDERS:
        raise InvalidArguments(
            f"there is no model provider called {policy.provider!r}; there are: {', '.join(PROVIDERS)}"
        )
    for key in policy.api_keys:
        register_secret(key)
    module, _, name = PROVIDERS[policy.provider].partition(":")
    provider: Provider = getattr(import_module(module), name)(policy)
    budget = Budget(policy.max_run_cost_usd, spent)
    return ThinkingModel(provider, policy, journal, events, submissions, submit, budget)
