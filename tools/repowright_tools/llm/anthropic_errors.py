"""Which failure of the Messages API is which error, and which may pass. Imports the SDK: import this lazily.

Errors are told apart by type: of the SDK's exception, of the API's error object, of the stop reason; never by the
wording of a message. The API can fail after it has begun an answer with status 200 (an SSE event `error`); the type in
the event then stands for the status it would have had (platform.claude.com, API errors).
"""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import anthropic
import httpx2

from repowright_tools.errors import (
    AnswerMalformed,
    AnswerTruncated,
    ContextTooLarge,
    KeyForbidden,
    KeyRejected,
    ModelError,
    ModelNotFound,
    ModelOverloaded,
    ModelRefused,
    ModelUnreachable,
    PaymentRequired,
    RateLimited,
    RequestRefused,
)
from repowright_tools.llm.context import clean
from repowright_tools.llm.retry import Transient, requested_wait

if TYPE_CHECKING:
    from anthropic.types import Message

_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_ERROR_OF_STATUS: dict[int, type[ModelError]] = {
    401: KeyRejected,
    402: PaymentRequired,
    403: KeyForbidden,
    404: ModelNotFound,
    413: ContextTooLarge,
    429: RateLimited,
}
_MAY_PASS = {408, 409, 429}
_SPEND_LIMITS = {
    "contract_spend_limit_reached",
    "enforced_spend_limit_reached",
    "linked_organization_spend_limit_reached",
}
"""Sent as 429, but no wait helps against them."""
_LONGEST_REASON = 500


def classify(error: Exception) -> Transient | ModelError:
    """The error to raise for whatever came out of the SDK: `Transient` around it when asking again may help."""
    if isinstance(error, anthropic.APIStatusError):
        return _of_status(error)
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
        return Transient(ModelUnreachable("the endpoint did not answer in time"))
    if isinstance(error, anthropic.APIConnectionError | httpx2.RequestError):
        # Mid-stream the SDK lets the transport's own exceptions through.
        return Transient(ModelUnreachable(f"the connection to the endpoint failed ({type(error).__name__})"))
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return Transient(AnswerMalformed("the endpoint sent an event that is not JSON"))
    # The SDK trusts the order and shape of events, and trips over others in many ways.
    return Transient(AnswerMalformed(f"the endpoint's answer makes no sense ({type(error).__name__})"))


def stop_failure(message: "Message", *, empty: bool) -> ModelError | None:
    """Why a complete message is no answer; None when it is one. Looked at before the text is."""
    match message.stop_reason:
        case "end_turn":
            return AnswerMalformed("the model answered nothing") if empty else None
        case "refusal":
            details = message.stop_details
            category = details.category if details else None
            return ModelRefused(f"the model declined the request ({category or 'no category given'})")
        case "max_tokens":
            return AnswerTruncated(f"the answer was cut off after {message.usage.output_tokens} tokens")
        case "model_context_window_exceeded":
            return ContextTooLarge("prompt and answer together exceed the model's context window")
        case other:
            return AnswerMalformed(f"the model stopped with {other!r}, which this request cannot lead to")


def _of_status(error: anthropic.APIStatusError) -> Transient | ModelError:
    status = error.status_code if error.status_code >= 300 else _STATUS_OF_TYPE.get(error.type or "", 500)
    headers = error.response.headers
    if error.error_code in _SPEND_LIMITS:
        return PaymentRequired(f"the provider's spend limit is reached: {_reason(error)}")
    failure_type = _ERROR_OF_STATUS.get(status) or (ModelOverloaded if _passes(status) else RequestRefused)
    failure = failure_type(f"the provider answered {status}: {_reason(error)}")
    passes = {"true": True, "false": False}.get(headers.get("x-should-retry", ""), _passes(status))
    return Transient(failure, requested_wait(headers, datetime.now(UTC))) if passes else failure


def _passes(status: int) -> bool:
    return status in _MAY_PASS or status >= 500


def _reason(error: anthropic.APIStatusError) -> str:
    said = error.api_message or error.type or type(error).__name__
    named = f" (request {error.request_id})" if error.request_id else ""
    return clean(str(said))[:_LONGEST_REASON] + named
