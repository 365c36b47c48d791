"""Amazon Bedrock's dialect: the events of the Messages API in AWS event stream frames, and AWS's errors.

Frame: https://smithy.io/2.0/aws/amazon-eventstream.html. Errors:
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModelWithResponseStream.html.
"""

import base64
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

from fakes.messages_dialects import MessagesDialect
from fakes.messages_ledger import Asked
from fakes.messages_script import Refuse, StreamError

_STRING = 7
_ERRORS = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
_STREAM_ERRORS = {
    "api_error": "internalServerException",
    "invalid_request_error": "validationException",
    "overloaded_error": "serviceUnavailableException",
    "rate_limit_error": "throttlingException",
    "timeout_error": "modelTimeoutException",
}


class BedrockDialect(MessagesDialect):
    """See the module."""

    stream_type = "application/vnd.amazon.eventstream"

    def head(self, asked: Asked, limits: Mapping[str, str]) -> dict[str, str]:
        return {"x-amzn-requestid": f"00000000-0000-4000-8000-{asked.number:012d}"}

    def error(self, step: Refuse) -> tuple[dict[str, str], Any]:
        name = _ERRORS.get(step.status, "ServiceUnavailableException" if step.status >= 500 else "ValidationException")
        return {"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/"}, {"message": step.message}

    def failure(self, step: StreamError) -> bytes:
        name = _STREAM_ERRORS.get(step.type, "modelStreamErrorException")
        headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
        return frame(headers, {"message": step.message})

    def frame(self, event: dict[str, Any]) -> bytes:
        headers = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
        return frame(headers, {"bytes": base64.b64encode(json.dumps(event).encode()).decode()})


def frame(headers: Mapping[str, str], payload: Any) -> bytes:
    """One message: lengths and their checksum, headers, payload, and the checksum of it all."""
    head = b"".join(_header(name.encode(), value.encode()) for name, value in headers.items())
    body = json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(head) + len(body), len(head))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + body
    return message + struct.pack("!I", zlib.crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    return struct.pack("!B", len(name)) + name + struct.pack("!BH", _STRING, len(value)) + value
