"""How the model layer behaves; built by the server from its settings."""

from dataclasses import dataclass, field

DEFAULT_MODEL = "claude-sonnet-5-5"
DEFAULT_MODEL_OF_ASK = {"plan": "claude-opus-5-5"}
"""A plan is a small answer on which everything after it rests: the stronger model pays there."""


@dataclass(frozen=True)
class ModelPolicy:
    """What a provider needs to know.

    Attributes:
        provider: a name that `factory.PROVIDERS` knows.
        model: the provider's model, for every ask; None: a default for each. For `scripted`, the recording's path.
        max_tokens: most tokens one answer may have, thinking included.
        timeout_s: seconds without a byte after which a call is given up.
        api_keys: the provider's keys; empty where it needs none.
        base_url: where the provider's API is; None means its usual place.
        max_retries: times a failed request is repeated, for failures that may pass; 0 means never.
        retry_initial_wait_s: seconds before the first repetition; doubles from there, with jitter.
        retry_max_wait_s: longest wait in seconds; a provider that asks for more ends the call instead.
        max_run_cost_usd: most a run may cost in US dollars; None means no limit.
        max_call_input_tokens: most tokens a prompt may have, as estimated; longer context is shortened.
    """

    provider: str
    model: str | None = None
    max_tokens: int = 32_000
    timeout_s: float = 300.0
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    base_url: str | None = None
    max_retries: int = 4
    retry_initial_wait_s: float = 1.0
    retry_max_wait_s: float = 60.0
    max_run_cost_usd: float | None = None
    max_call_input_tokens: int = 150_000
