"""What all calls of a process to remote models have in common."""

from dataclasses import dataclass

from repowright_tools.llm.cache import ResponseCache
from repowright_tools.llm.limits import Limits
from repowright_tools.llm.policy import ModelPolicy
from repowright_tools.llm.prices import Prices
from repowright_tools.llm.provider import Provider
from repowright_tools.llm.tokens import Tokens


@dataclass(frozen=True)
class Shared:
    """Attributes:
    policy: how calls behave.
    limits: keys, pacing and breakers, which other processes share too.
    tokens: how requests are measured.
    prices: what tokens cost.
    cache: earlier answers; None where none are kept.
    """

    policy: ModelPolicy
    limits: Limits
    tokens: Tokens
    prices: Prices
    cache: ResponseCache | None


@dataclass(frozen=True)
class Route:
    """A model of a provider."""

    provider: Provider
    model: str
