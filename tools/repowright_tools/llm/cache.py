"""Answers that were paid for, kept for the same request: the port, and what makes two requests the same."""

import json
from dataclasses import asdict
from hashlib import sha256
from typing import Any, Protocol

from repowright_tools.llm.provider import ModelRequest


class ResponseCache(Protocol):
    """Keeps records of accepted answers by the key of their request. It may forget any of them, and never raises."""

    async def get(self, key: str) -> dict[str, Any] | None:
        """The record that was put under this key; None when there is none, or none any more."""
        ...

    async def put(self, key: str, record: dict[str, Any]) -> None:
        """Keep a record, a JSON object, in the place of an earlier one.

        Only for complete answers that their check accepted: a truncated, refused or failed one would be repeated for
        as long as it is kept.
        """
        ...


def cache_key(provider: str, model: str, base_url: str | None, request: ModelRequest, max_tokens: int) -> str:
    """SHA-256, in hex, of everything that decides the answer. Which key pays for it does not.

    The names in the JSON are not sorted: a schema whose fields come in another order is another request, since models
    write an answer in the order of its schema.

    Args:
        provider: name of the provider.
        model: as the provider calls it.
        base_url: where the API is; None for its usual place. The same name may be another model elsewhere.
        request: the request, whole, as it would be sent.
        max_tokens: most tokens that the answer may have.
    """
    decides = {
        "provider": provider,
        "model": model,
        "base_url": base_url,
        "max_tokens": max_tokens,
        "request": asdict(request),
    }
    return sha256(json.dumps(decides, separators=(",", ":")).encode()).hexdigest()
