"""Hiding secrets in whole JSON values."""

from typing import Any

from repowright_server.json_types import is_array, is_object
from repowright_tools.secrets import redact


def redact_values(value: Any) -> Any:
    """The same JSON value with `redact` applied to every text in it, and nothing in it that UTF-8 cannot hold."""
    if isinstance(value, str):
        return redact(value.encode("utf-8", "replace").decode())
    if is_array(value):
        return [redact_values(each) for each in value]
    if is_object(value):
        return {name: redact_values(each) for name, each in value.items()}
    return value
