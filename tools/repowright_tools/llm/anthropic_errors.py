"""Which failure of the Messages API is which. Imports the SDK: import this lazily."""

from typing import TYPE_CHECKING

import anthropic
import httpx2

from repowright_tools.errors import (
    AnswerMalformed,
    AnswerTruncated,
    ContextTooLarge,
    ModelError,
    ModelRefused,
    NoApiKey,
)
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.provider import Usage
from repowright_tools.llm.refusals import broken, message_in, refused
from repowright_tools.llm.transport import Heard, cited

if TYPE_CHECKING:
    from anthropic.types import RefusalStopDetails, StopReason

_SIGN_IN = "Sign in to the cloud again, or correct the credentials in the environment, then call again."


def failed(error: Exception, heard: Heard, billed: Usage | None) -> CallFailed:
    """What came out of the SDK, as data. `billed` is what is known of an answer that had begun."""
    if isinstance(error, anthropic.APIStatusError):
        # AWS has no error object around its message.
        reason = error.api_message or message_in(error.body) or error.type or type(error).__name__
        return refused(heard, str(reason), code=error.error_code, kind=error.type, billed=billed)
    if heard.status is None and not isinstance(error, anthropic.AnthropicError | httpx2.HTTPError):
        # Raised while the request was signed: nothing has left the machine. No key is to blame that could be replaced.
        failure = NoApiKey(f"the request cannot be signed ({type(error).__name__})", what_to_do=_SIGN_IN)
        return CallFailed(failure, blame="request", may_pass=False, billed=Usage())
    return broken(error, heard, billed)


def stop_failure(
    reason: "StopReason | None", details: "RefusalStopDetails | None", usage: Usage, *, empty: bool
) -> ModelError | None:
    """Why a complete answer is none; None when it is one. Looked at before the text is."""
    match reason:
        case "end_turn":
            return AnswerMalformed("the model answered nothing") if empty else None
        case "refusal":
            category = details.category if details else None
            return ModelRefused(f"the model declined the request ({cited(category or 'no category given')})")
        case "max_tokens":
            return AnswerTruncated(f"the answer was cut off after {usage.output_tokens} tokens")
        case "model_context_window_exceeded":
            return ContextTooLarge("prompt and answer together exceed the model's context window")
        case other:
            return AnswerMalformed(f"the model stopped with {cited(other)!r}, which this request cannot lead to")
