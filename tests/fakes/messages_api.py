"""Anthropic's Messages API as a real HTTP server on loopback, with scripted answers, faults, limits and a ledger.

    with MessagesApi() as api:
        api.answers["Plan"] += [plan, Refuse(529), other_plan]   # by title of the response schema, in order
        api.then(Refuse(429, headers={"retry-after": "1"}))      # the very next request, whatever it asks
        api.reply = lambda asked: Say({"seen": asked.text})      # everything that nothing else answers
        api.organisations = {"key-1": "org-a", "key-2": "org-a"}
        api.limit("org-a", requests_per_minute=6000)             # real token buckets, answered with 429 when empty
        ...                                                      # ANTHROPIC_BASE_URL = api.url
        assert [entry.key for entry in api.ledger] == ["key-1", "key-1"]
        assert api.billed_usd(price) <= 0.05

An answer is a `Step` of `messages_script`, or any JSON value, which stands for `Say(value)`. A request that nothing
answers gets status 400, so that a test that asks once too often fails at once. Steps are taken when a request arrives
and no limit refuses it; requests are served in parallel threads. `wait_for(n)` returns when the n-th request has
arrived: a test can kill or cancel with it instead of sleeping.

Amazon Bedrock and Google Vertex are served too, at their own paths (Vertex's base URL is `api.url + "/v1"`).
"""

import re
from typing import Any
from urllib.parse import unquote

from fakes.bedrock_events import BedrockDialect
from fakes.messages_dialects import Dialect, MessagesDialect, VertexDialect
from fakes.messages_ledger import Asked
from fakes.messages_server import ORGANIZATION, FakeApi

__all__ = ["ORGANIZATION", "Asked", "MessagesApi"]

_BEDROCK = re.compile(r"/model/(?P<model>[^/]+)/invoke(?P<stream>-with-response-stream)?")
_VERTEX = re.compile(
    r"/v1/projects/[^/]+/locations/[^/]+/publishers/anthropic/models/(?P<model>[^/]+):(?P<stream>streamR|r)awPredict"
)
_SIGNATURE = re.compile(r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/.*")


class MessagesApi(FakeApi):
    """See the module."""

    def recognise(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[Dialect, Asked] | None:
        asked = Asked(path, _key(headers), headers, body, model=body.get("model", ""), stream=body.get("stream", False))
        if found := _BEDROCK.fullmatch(path):
            asked.model, asked.stream = unquote(found["model"]), found["stream"] is not None
            return BedrockDialect(), asked
        if found := _VERTEX.fullmatch(path):
            asked.stream = found["stream"] == "streamR"
            asked.kind = "count" if found["model"] == "count-tokens" else "ask"
            asked.model = unquote(found["model"]) if asked.kind == "ask" else asked.model
            return VertexDialect(), asked
        match path:
            case "/v1/messages":
                pass
            case "/v1/messages/count_tokens":
                asked.kind = "count"
            case "/v1/models":
                asked.kind = "list"
            case _:
                return None
        return MessagesDialect(), asked

    def aside(self, asked: Asked) -> Any:
        if asked.kind == "count":
            return {"input_tokens": asked.prompt_tokens}
        models = [{"type": "model", "id": name, "display_name": name} for name in self.models]
        return {"data": models, "has_more": False, "first_id": None, "last_id": None}


def _key(headers: dict[str, str]) -> str:
    if "x-api-key" in headers:
        return headers["x-api-key"]
    authorization = headers.get("authorization", "")
    signed = _SIGNATURE.fullmatch(authorization)
    return signed["key"] if signed else authorization.removeprefix("Bearer ")
