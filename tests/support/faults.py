"""Everything a model API can do to a call, and what was seen to become of it: the README's table comes from here.

`python -m support.faults`, part of `make generate`, runs every fault against the fake API and writes the table anew.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import anyio

from fakes.messages_api import MessagesApi
from fakes.messages_asks import Thinker, quick_policy, word_ask
from fakes.messages_script import Break, Hang, Raw, Refuse, Say, StreamError
from repowright_tools.errors import ModelError

README = Path(__file__).parents[2] / "README.md"
RETRIES = 3
_PART = re.compile(r"(<!-- faults:begin -->\n).*?(<!-- faults:end -->)", re.DOTALL)
_WORD = {"word": "yes"}
_CUT_TOOL = [{"type": "tool_use", "id": "toolu_1", "name": "edit", "input": {"path": "a.py"}}]


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        name: for people.
        step: what the API does.
        changes: settings that differ from those of the other faults.
    """

    name: str
    step: Any
    changes: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Seen:
    """What became of a call: "answered" or the error's code with what it offers, and the requests it took."""

    outcome: str
    requests: int


def _limited(**headers: str) -> Refuse:
    return Refuse(429, "rate_limit_error", headers={name.replace("_", "-"): value for name, value in headers.items()})


def _in_a_second() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)


def _events(*data: bytes) -> Raw:
    return Raw(b"".join(b"event: message_start\ndata: " + each + b"\n\n" for each in data), "text/event-stream")


_STALL = {"timeout_s": 0.2}


def faults() -> list[Fault]:
    """All of them. Made anew each time, since one of them is a date."""
    return [
        Fault("400 invalid request", Refuse(400, "invalid_request_error")),
        Fault("401 key refused", Refuse(401, "authentication_error")),
        Fault("402 billing", Refuse(402, "billing_error")),
        Fault("403 not permitted", Refuse(403, "permission_error")),
        Fault("404 no such model", Refuse(404, "not_found_error")),
        Fault("408 timeout", Refuse(408, "timeout_error")),
        Fault("409 conflict", Refuse(409, "conflict_error")),
        Fault("413 too large", Refuse(413, "request_too_large")),
        Fault("429 without `retry-after`", _limited()),
        Fault("429, `retry-after` in seconds", _limited(retry_after="1")),
        Fault("429, `retry-after` as a date", _limited(retry_after=_in_a_second())),
        Fault("429, `retry-after-ms`", _limited(retry_after_ms="20")),
        Fault("429, `retry-after` of a day", _limited(retry_after="86400")),
        Fault("429, `retry-after` is nonsense", _limited(retry_after="soon")),
        Fault("429, spend limit reached", Refuse(429, "rate_limit_error", error_code="enforced_spend_limit_reached")),
        Fault("500 error of the API", Refuse(500, "api_error")),
        Fault("502, HTML of a proxy", Raw(b"<html>bad gateway</html>", status=502)),
        Fault("503 unavailable", Refuse(503, "api_error")),
        Fault("504 timeout of a gateway", Refuse(504, "timeout_error")),
        Fault("529 overloaded", Refuse(529, "overloaded_error")),
        Fault("reset before the answer", Break("reset", after=None)),
        Fault("silence before the answer", Hang(), _STALL),
        Fault("reset in mid-answer", Break("reset")),
        Fault("silence in mid-answer", Hang(after='{"word": '), _STALL),
        Fault("200, then `overloaded_error` in the stream", StreamError("overloaded_error", after='{"word": "n')),
        Fault("200, then `api_error` in the stream", StreamError("api_error")),
        Fault("200, then `rate_limit_error` in the stream", StreamError("rate_limit_error")),
        Fault("200, then `authentication_error` in the stream", StreamError("authentication_error")),
        Fault("200, stream ends in mid-answer", Break("eof")),
        Fault("200, all but `message_stop`", Break("eof", after=json.dumps(_WORD), before_stop=True)),
        Fault("200, HTML of a captive portal", Raw(b"<html>log in</html>")),
        Fault("200, an event that is not JSON", _events(b'{"type": ')),
        Fault("200, an empty answer", Say(text="")),
        Fault("stop reason `max_tokens`", Say(text='{"word": "ye', stop_reason="max_tokens")),
        Fault("`tool_use` cut by `max_tokens`", Say(content=_CUT_TOOL, text="", stop_reason="max_tokens")),
        Fault("stop reason `tool_use`", Say(_WORD, stop_reason="tool_use")),
        Fault("stop reason `refusal`", Say(text="No.", stop_reason="refusal")),
        Fault("stop reason `pause_turn`", Say(_WORD, stop_reason="pause_turn")),
        Fault("context window exceeded", Say(_WORD, stop_reason="model_context_window_exceeded")),
        Fault("a stop reason of tomorrow", Say(_WORD, stop_reason="tomorrow")),
        Fault("an answer that is not JSON", Say(text="Yes!")),
    ]


async def see(api: MessagesApi, fault: Fault, *, stays: bool) -> Seen:
    """What becomes of a call when the fault occurs once, or every time."""
    began = len(api.calls)
    api.answers["Word"] = [] if stays else [fault.step]
    api.reply = lambda asked: fault.step if stays else _WORD
    thinker = Thinker(quick_policy(api.url, **{"max_retries": RETRIES, "retry_max_wait_s": 3.0} | fault.changes))
    try:
        with anyio.fail_after(20):
            await thinker.think(word_ask())
        outcome = "answered"
    except ModelError as error:
        more = ", `retry_at`" if error.retry_at else ""
        outcome = f"`{error.code}`{', retryable' if error.retryable else ''}{more}"
    return Seen(outcome, len(api.calls) - began)


def row(fault: Fault, once: Seen, always: Seen) -> str:
    return f"| {fault.name} | {once.outcome} | {once.requests} | {always.outcome} | {always.requests} |"


def table(rows: list[str]) -> str:
    """The whole table."""
    head = ["| Fault | Once | Requests | Every time | Requests |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows]) + "\n"


async def seen_rows() -> list[str]:
    """Run everything, each against an API of its own."""
    rows: list[str] = []
    for fault in faults():
        with MessagesApi() as api:
            rows.append(row(fault, await see(api, fault, stays=False), await see(api, fault, stays=True)))
    return rows


async def main() -> None:
    fresh = table(await seen_rows())
    text = README.read_text(encoding="utf-8")
    README.write_text(_PART.sub(lambda found: f"{found[1]}{fresh}{found[2]}", text), encoding="utf-8")


if __name__ == "__main__":
    anyio.run(main)
