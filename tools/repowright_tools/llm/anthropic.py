"""Anthropic's Messages API. The SDK is imported at the first call, in a thread: it takes most of a second."""

from importlib import import_module

from repowright_tools.errors import NoApiKey
from repowright_tools.llm.policy import DEFAULT_MODEL, DEFAULT_MODEL_OF_ASK, ModelPolicy
from repowright_tools.llm.provider import ModelReply, ModelRequest, Room, tokens_beside_context
from repowright_tools.threads import in_thread
from repowright_tools.tokens import estimate_tokens


class AnthropicProvider:
    """Claude, with the first key of the policy."""

    name = "anthropic"
    price_list = "anthropic"

    def __init__(self, policy: ModelPolicy) -> None:
        self._policy = policy

    def model_for(self, ask: str) -> str:
        return self._policy.model or DEFAULT_MODEL_OF_ASK.get(ask, DEFAULT_MODEL)

    def room(self, request: ModelRequest) -> Room:
        return Room(self._policy.max_call_input_tokens - tokens_beside_context(request), estimate_tokens)

    async def reply(self, request: ModelRequest) -> ModelReply:
        if not self._policy.api_keys:
            raise NoApiKey("no API key is set for the provider anthropic")
        await in_thread(import_module, "repowright_tools.llm.anthropic_call")
        from repowright_tools.llm.anthropic_call import Call

        return await Call(self._policy, self.model_for(request.ask), request).run()
