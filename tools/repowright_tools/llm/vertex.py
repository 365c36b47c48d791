"""Claude on Google's Vertex AI. Region, project and credentials are found as every Google tool finds them."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from repowright_tools.errors import NoApiKey, ProviderMissing
from repowright_tools.llm.anthropic import MessagesProvider

if TYPE_CHECKING:
    from anthropic.lib.vertex import AsyncAnthropicVertex

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_WHAT_TO_DO = (
    "Set CLOUD_ML_REGION and ANTHROPIC_VERTEX_PROJECT_ID, and GOOGLE_APPLICATION_CREDENTIALS or run "
    "`gcloud auth application-default login`, then call again."
)


class VertexProvider(MessagesProvider):
    """Requests carry a token of Google's application default credentials."""

    name = "vertex"
    price_list: str | None = "google"

    def client(self, key: str) -> "AsyncAnthropicVertex":
        credentials, project = _credentials()
        from anthropic import NOT_GIVEN
        from anthropic.lib.vertex import AsyncAnthropicVertex

        try:
            return AsyncAnthropicVertex(
                # The SDK looks for the project only after it has put it into the address.
                project_id=os.environ.get("ANTHROPIC_VERTEX_PROJECT_ID") or project or NOT_GIVEN,
                credentials=credentials,
                base_url=self._endpoint.base_url,
                **self.options(),
            )
        except ValueError as error:
            raise NoApiKey("no region is set for the provider vertex", what_to_do=_WHAT_TO_DO) from error


def _credentials() -> tuple[Any, str | None]:
    try:
        auth = import_module("google.auth")
        import_module("google.auth.transport.requests")
    except ImportError as error:
        raise ProviderMissing(
            "the provider vertex needs google-auth", what_to_do="Install it: pip install 'repowright[vertex]'."
        ) from error
    try:
        found: tuple[Any, str | None] = auth.default(scopes=[_SCOPE])
    except auth.exceptions.GoogleAuthError as error:
        raise NoApiKey("there are no Google credentials for the provider vertex", what_to_do=_WHAT_TO_DO) from error
    return found
