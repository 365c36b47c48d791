"""Which model answers which stage, and which one stands in for it: how `LLM_MODEL` is read.

claude-sonnet-5-5                                  one model for everything
claude-sonnet-5-5,plan_feature=claude-opus-5-5     another one for a stage
claude-opus-5-5|claude-sonnet-5-5                  the second stands in while the first cannot answer
claude-opus-5-5|openai:qwen3-coder                 also of another provider
"""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """A model of a provider; None: the provider's default."""

    provider: str
    model: str | None


def choices(spec: str | None, provider: str, stage: str, providers: Collection[str]) -> list[Choice]:
    """The models for a stage, the first one first.

    Args:
        spec: as above; None for the provider's defaults.
        provider: who is meant by a model without a provider's name.
        stage: name of the stage that asks.
        providers: names that a model may begin with, followed by a colon; a colon after anything else belongs to the
            model's own name.

    Raises:
        ValueError: the text cannot be read; the message says why.
    """
    table = parse(spec) if spec else {}
    chain = table.get(stage) or table.get("")
    return [_choice(each, provider, providers) for each in chain] if chain else [Choice(provider, None)]


def parse(spec: str) -> dict[str, list[str]]:
    """Models by stage; the one for everything else has the key "".

    Raises:
        ValueError: an entry is empty or stands twice.
    """
    table: dict[str, list[str]] = {}
    for entry in spec.split(","):
        stage, separator, models = entry.partition("=")
        if not separator:
            stage, models = "", entry
        chain = [model.strip() for model in models.split("|")]
        if not all(chain):
            raise ValueError(f"{entry.strip()!r} names no model")
        if stage.strip() in table:
            raise ValueError(f"two entries for {stage.strip() or 'every stage'}")
        table[stage.strip()] = chain
    return table


def _choice(text: str, provider: str, providers: Collection[str]) -> Choice:
    named, separator, model = text.partition(":")
    return Choice(named, model) if separator and model and named in providers else Choice(provider, text)
