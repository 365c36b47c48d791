"""Any endpoint that speaks OpenAI's chat completions, as a real HTTP server on loopback.

    with OpenAiApi() as api:
        api.answers["Plan"] += [plan, Refuse(503)]               # by title of the response schema, in order
        ...                                                      # OPENAI_BASE_URL = api.base_url

Steps, ledger, limits and everything else are those of the fake Messages API. As with a local server, any key will do.
"""

from typing import Any

from fakes.messages_dialects import Dialect
from fakes.messages_ledger import Asked
from fakes.messages_server import FakeApi
from fakes.openai_dialect import ChatAsked, ChatDialect


class OpenAiApi(FakeApi):
    """See the module."""

    @property
    def base_url(self) -> str:
        """What clients have in `OPENAI_BASE_URL`."""
        return f"{self.url}/v1"

    def recognise(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> tuple[Dialect, Asked] | None:
        key = headers.get("authorization", "").removeprefix("Bearer ")
        model, stream = body.get("model", ""), body.get("stream", False)
        match path:
            case "/v1/chat/completions":
                return ChatDialect(), ChatAsked(path, key, headers, body, model=model, stream=stream)
            case "/v1/models":
                return ChatDialect(), ChatAsked(path, key, headers, body, kind="list")
            case _:
                return None

    def aside(self, asked: Asked) -> Any:
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "fake"} for name in self.models]
        return {"object": "list", "data": models}
