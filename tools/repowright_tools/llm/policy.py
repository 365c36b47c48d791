"""How the model layer behaves; built by the server from its settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Endpoint:
    """Where a provider is, and how to get in.

    Attributes:
        keys: API keys; several make a pool. Empty where it needs none, or finds its credentials itself.
        base_url: where the API is; None means its usual place.
    """

    keys: tuple[str, ...] = field(default=(), repr=False)
    base_url: str | None = None


@dataclass(frozen=True)
class ModelPolicy:
    """What the model layer needs to know.

    Attributes:
        provider: a name that `factory` knows.
        model: which model answers what, as `choice` reads it; None: a default for each ask. For `scripted`, the
            recording's path.
        endpoints: by provider, what differs from its defaults.
        max_tokens: most tokens one answer may have, thinking included.
        timeout_s: seconds without a byte after which a request is given up.
        max_retries: times a failed request is repeated, for failures that may pass; 0 means never.
        retry_initial_wait_s: seconds before the first repetition; doubles from there, with jitter.
        retry_max_wait_s: longest wait in seconds, for a repetition or for capacity; a longer one ends the call.
        max_run_cost_usd: most a run may cost in US dollars; None means no limit.
        max_call_input_tokens: most tokens a prompt may have; longer context is shortened.
        rate_limit_calls: requests in `rate_limit_period_s` seconds for endpoints whose responses tell no limits; None
            means no limit of our own.
        prices: a file of prices that go before the list; it need not exist.
    """

    provider: str
    model: str | None = None
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict[str, Endpoint])
    max_tokens: int = 32_000
    timeout_s: float = 300.0
    max_retries: int = 4
    retry_initial_wait_s: float = 1.0
    retry_max_wait_s: float = 60.0
    max_run_cost_usd: float | None = None
    max_call_input_tokens: int = 150_000
    rate_limit_calls: int | None = None
    rate_limit_period_s: float = 60.0
    prices: Path | None = None

    def endpoint(self, provider: str) -> Endpoint:
        return self.endpoints.get(provider, Endpoint())
