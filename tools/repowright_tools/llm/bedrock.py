"""Claude on Amazon Bedrock. Region and credentials are found as every AWS tool finds them."""

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING

from repowright_tools.errors import NoApiKey, ProviderMissing
from repowright_tools.llm.anthropic import MessagesProvider
from repowright_tools.llm.provider import ModelReply, ModelRequest, Opened

if TYPE_CHECKING:
    from anthropic.lib.bedrock import AsyncAnthropicBedrock


class BedrockProvider(MessagesProvider):
    """Requests are signed with the credentials of the environment, a profile or the machine's role."""

    name = "bedrock"
    price_list: str | None = "aws"
    media_type = "application/vnd.amazon.eventstream"
    model_prefix = "global.anthropic."

    def client(self, key: str) -> "AsyncAnthropicBedrock":
        try:
            import_module("boto3")
            import_module("botocore.eventstream")
            import_module("botocore.parsers")
        except ImportError as error:
            raise ProviderMissing(
                "the provider bedrock needs boto3", what_to_do="Install it: pip install 'repowright[bedrock]'."
            ) from error
        from anthropic.lib.bedrock import AsyncAnthropicBedrock

        try:
            return AsyncAnthropicBedrock(base_url=self._endpoint.base_url, **self.options())
        except ValueError as error:
            raise NoApiKey(
                "no AWS region is set for the provider bedrock", what_to_do="Set AWS_REGION, then call again."
            ) from error

    async def send(self, request: ModelRequest, model: str, key: str, opened: Opened) -> ModelReply:
        # Answers name the bare model; its price depends on the id that was asked for (global or regional).
        return replace(await super().send(request, model, key, opened), model=model)

    async def count(self, request: ModelRequest, model: str, key: str) -> int | None:
        return None  # the SDK cannot ask Bedrock
