"""What each refusal and each broken answer becomes: one table for every provider. Imports httpx2: import this lazily.

Failures are told apart by the provider's error code, by HTTP status, and inside a stream that began with status 200 by
the type of the error, which stands for the status it would have had; never by the wording of a message. Sources:
platform.claude.com, API errors; AWS API reference, InvokeModelWithResponseStream; platform.openai.com, error codes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import httpx2

from repowright_tools.errors import (
    AnswerMalformed,
    ContextTooLarge,
    KeyForbidden,
    KeyRejected,
    ModelError,
    ModelNotFound,
    ModelOverloaded,
    ModelUnreachable,
    PaymentRequired,
    RateLimited,
    RequestRefused,
)
from repowright_tools.llm.failure import Blame, CallFailed
from repowright_tools.llm.provider import Usage
from repowright_tools.llm.retry import requested_wait
from repowright_tools.llm.transport import Heard, cited


@dataclass(frozen=True)
class Rule:
    """What a refusal means.

    Attributes:
        status: the HTTP status, or the one that an error in a stream stands for.
        error: what to raise in the end.
        blame: who is at fault.
        may_pass: whether to try again, unless the response says otherwise.
        types: names of it where there is no status.
        codes: names that go before the status, since they are more exact.
    """

    status: int
    error: type[ModelError]
    blame: Blame
    may_pass: bool
    types: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()


RULES = (
    Rule(400, RequestRefused, "request", False, ("invalid_request_error", "validationException")),
    Rule(401, KeyRejected, "key", False, ("authentication_error",), ("invalid_api_key",)),
    Rule(
        402,
        PaymentRequired,
        "organisation",
        False,
        ("billing_error",),
        (
            # Sent as 429, but no wait helps against them.
            "contract_spend_limit_reached",
            "enforced_spend_limit_reached",
            "linked_organization_spend_limit_reached",
            "insufficient_quota",
            "billing_hard_limit_reached",
        ),
    ),
    Rule(403, KeyForbidden, "key", False, ("permission_error",)),
    Rule(404, ModelNotFound, "request", False, ("not_found_error",), ("model_not_found",)),
    Rule(408, ModelOverloaded, "service", True, ("modelTimeoutException",)),
    Rule(409, ModelOverloaded, "request", True, ("conflict_error",)),
    Rule(
        413,
        ContextTooLarge,
        "request",
        False,
        ("request_too_large",),
        ("context_length_exceeded", "request_body_too_large_after_decoding"),
    ),
    Rule(424, ModelOverloaded, "service", True, ("modelStreamErrorException",)),
    Rule(
        429,
        RateLimited,
        "organisation",
        True,
        ("rate_limit_error", "rate_limit_exceeded", "throttlingException"),
    ),
    Rule(500, ModelOverloaded, "service", True, ("api_error", "server_error", "internalServerException")),
    Rule(503, ModelOverloaded, "service", True, ("serviceUnavailableException",)),
    Rule(504, ModelOverloaded, "service", True, ("timeout_error",)),
    Rule(529, ModelOverloaded, "service", True, ("overloaded_error",)),
)
_BY_STATUS = {rule.status: rule for rule in RULES}
_BY_TYPE = {name: rule for rule in RULES for name in rule.types}
_BY_CODE = {name: rule for rule in RULES for name in rule.codes}


def refused(
    heard: Heard,
    reason: str,
    *,
    code: str | None = None,
    kind: str | None = None,
    status: int | None = None,
    billed: Usage | None = None,
) -> CallFailed:
    """The provider said no: with a status, or after it had begun to answer.

    Args:
        heard: the response.
        reason: why, in the provider's words.
        code: its exact name of the failure.
        kind: its name of the sort of failure.
        status: what the failure says its status is, where the response's own tells nothing.
        billed: what of an answer was begun; None when none was, and nothing is charged.
    """
    status = heard.status if heard.status is not None and heard.status >= 300 else status
    rule = _rule(status, code, kind)
    status = status or rule.status
    named = f" (request {heard.request_id})" if heard.request_id else ""
    may_pass = rule.may_pass
    if rule.error is not PaymentRequired:
        may_pass = {"true": True, "false": False}.get(heard.headers.get("x-should-retry", ""), may_pass)
    return CallFailed(
        rule.error(f"the provider answered {status}: {cited(reason)}{named}"),
        blame=rule.blame,
        may_pass=may_pass,
        wait_s=requested_wait(heard.headers, datetime.now(UTC)),
        billed=billed or Usage(),
        request_id=heard.request_id,
        status=status,
    )


def broken(error: Exception, heard: Heard, billed: Usage | None) -> CallFailed:
    """No answer came out of the connection, or one that makes no sense.

    Args:
        error: what the SDK or the transport raised.
        heard: the response, if any.
        billed: as far as known; None when nobody can say.
    """
    if heard.status is not None and heard.status >= 300:
        return refused(heard, f"its reason did not arrive ({type(error).__name__})")
    # SDKs wrap what the transport raises, or let it through.
    cause = error.__cause__ if isinstance(error.__cause__, httpx2.RequestError) else error
    failure: ModelError
    if isinstance(cause, httpx2.TimeoutException):
        failure = ModelUnreachable("the endpoint did not answer in time")
    elif isinstance(cause, httpx2.RequestError):
        failure = ModelUnreachable(f"the connection to the endpoint failed ({type(cause).__name__})")
    elif isinstance(cause, json.JSONDecodeError | UnicodeDecodeError):
        failure = AnswerMalformed("the endpoint sent an event that is not JSON")
    else:
        # SDKs trust the order and shape of events, and trip over others in many ways.
        failure = AnswerMalformed(f"the endpoint's answer makes no sense ({type(cause).__name__})")
    if isinstance(cause, _NEVER_SENT):
        billed = Usage()
    return service_failed(failure, heard, billed)


_NEVER_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)
"""Nobody heard the request, so nobody charges for it."""


def service_failed(failure: ModelError, heard: Heard, billed: Usage | None, *, may_pass: bool = True) -> CallFailed:
    """The service, or what stands in its place, did not do its part."""
    return CallFailed(
        failure,
        blame="service",
        may_pass=may_pass,
        billed=billed,
        request_id=heard.request_id,
        status=heard.status,
    )


def useless(failure: ModelError, heard: Heard, billed: Usage) -> CallFailed:
    """The answer is complete and paid for, and no answer to the request."""
    return CallFailed(
        failure, blame="request", may_pass=False, billed=billed, request_id=heard.request_id, status=heard.status
    )


def message_in(body: Any) -> str | None:
    """The message that an error's body has beside whatever else; None when there is none."""
    message = cast("Mapping[str, object]", body).get("message") if isinstance(body, Mapping) else None
    return str(message) if message else None


def _rule(status: int | None, code: str | None, kind: str | None) -> Rule:
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status is None:
        return _BY_TYPE.get(str(kind), _BY_STATUS[500])  # SDKs check no types: it may be anything
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Rule(status, *((ModelOverloaded, "service", True) if status >= 500 else (RequestRefused, "request", False)))
