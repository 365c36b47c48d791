"""JSON that somebody else wrote: read without trust in its shape."""

from __future__ import annotations

import json
from typing import Any, TypeGuard


def read_object(data: bytes | str) -> dict[str, Any] | None:
    """The object that a JSON document is; None for anything else, and for what is no JSON."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return document if is_table(document) else None


def is_table(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether a value of a JSON document is an object."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """Whether a value of a JSON document is an array."""
    return isinstance(value, list)
