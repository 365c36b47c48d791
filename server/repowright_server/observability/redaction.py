"""Hiding secrets in whole JSON values."""

from typing import Any

from repowright_tools.secrets import redact


def redact_values(value: Any) -> Any:
    """The same JSON value with `redact` applied to every text in it."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        items: list[Any] = value
        return [redact_values(each) for each in items]
    if isinstance(value, dict):
        fields: dict[str, Any] = value
        return {name: redact_values(each) for name, each in fields.items()}
    return value
