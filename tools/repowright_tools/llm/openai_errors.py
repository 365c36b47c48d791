"""Which failure of a chat completion is which. Imports the SDK: import this lazily."""

import openai

from repowright_tools.errors import AnswerMalformed, AnswerTruncated, ModelError, ModelRefused
from repowright_tools.llm.failure import CallFailed
from repowright_tools.llm.provider import Usage
from repowright_tools.llm.refusals import broken, message_in, refused
from repowright_tools.llm.transport import Heard, cited


def failed(error: Exception, heard: Heard, billed: Usage | None, *, begun: bool) -> CallFailed:
    """What came out of the SDK, as data.

    Args:
        error: the SDK's, or the transport's.
        heard: the response, if any.
        billed: as far as known.
        begun: whether an answer had: then it may be billed even where nobody can say how much.
    """
    if not isinstance(error, openai.APIError) or error.body is None:
        return broken(error, heard, billed)
    reason = message_in(error.body) or error.type or type(error).__name__
    code = error.code or ""
    # OpenRouter's errors inside a stream have the HTTP status for a code.
    status = int(code) if code.isdecimal() and 400 <= int(code) < 600 else None
    call = refused(heard, str(reason), code=code, kind=error.type, status=status)
    call.billed = billed if begun else Usage()
    return call


def stop_failure(reason: str | None, usage: Usage, *, refused: bool, empty: bool) -> ModelError | None:
    """Why a complete answer is none; None when it is one. Looked at before the text is."""
    match reason:
        case "stop" if refused:
            return ModelRefused("the model declined the request")
        case "stop":
            return AnswerMalformed("the model answered nothing") if empty else None
        case "length":
            return AnswerTruncated(f"the answer was cut off after {usage.output_tokens} tokens")
        case "content_filter":
            return ModelRefused("the provider's filter withheld the answer")
        case other:
            return AnswerMalformed(f"the model stopped with {cited(other)!r}, which this request cannot lead to")
