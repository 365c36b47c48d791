"""A run as a document that stands alone, and its answers as a recording that the provider `scripted` replays."""

import json
import re
from typing import Any

from repowright_server.observability.redaction import redact_values
from repowright_server.runs.journal import first_break
from repowright_server.runs.schema import SCHEMA_VERSION
from repowright_server.runs.state import RunState
from repowright_tools.llm.scripted import RecordedUsage

_ANSWER_STEP = re.compile(r"ask:(.+):(\d+)")


def document_of(state: RunState) -> dict[str, Any]:
    """Everything that is known of a run, redacted, as JSON.

    The entries of `journal` are as they were hashed, so that whoever has the document can check them: the `hash` of
    an entry is the SHA-256 of the JSON array of the hash before it (the first time "") and the entry without its
    `hash`, with names sorted, no white space, and nothing but ASCII. `journal_broken_at` is the `seq` of the first
    entry that does not follow from the one before it, or null. Redaction breaks the chain, too, at an entry with a
    secret that nobody knew to be one when it was written.
    """
    document: dict[str, Any] = redact_values(
        {
            "schema_version": SCHEMA_VERSION,
            "run": state.run.model_dump(mode="json"),
            "attempts": [each.model_dump(mode="json") for each in state.attempts],
            "results": state.results,
            "journal": state.journal,
            "approvals": state.approvals,
            "events": state.events,
        }
    )
    return document | {"journal_broken_at": first_break(document["journal"])}


def recording_of(state: RunState) -> list[dict[str, Any]]:
    """The answers of a run in the order in which a new run of the same calls asks for them.

    These are the answers that the latest attempts of its stages rest on, refused ones included, whoever gave them: a
    provider, the response cache, or the host's assistant. Where a question was asked again, the answers to the last
    time stand for it, also when they were refused to the end.

    What cannot be replayed: a call whose result a later call of the same stage replaced, since a recording has one
    answer to a round of an ask; calls that failed and were repeated, and how long anything took; questions that have
    no answer yet. An answer with a secret is recorded as the text that redaction left, which every check refuses as
    it refused the secret; the finding reads differently. Another repository or other arguments ask other questions,
    and get the same answers all the same.
    """
    journal = redact_values(state.journal)
    return [answer for attempt in state.latest for answer in _answers(journal, attempt.scope)]


def _answers(journal: list[dict[str, Any]], scope: str) -> list[dict[str, Any]]:
    rounds: dict[str, list[dict[str, Any]]] = {}
    for entry in journal:
        step = _ANSWER_STEP.fullmatch(entry["name"])
        if step is not None and entry["kind"] == "result" and entry["scope"] == scope:
            ask, number = step[1], int(step[2])
            rounds.setdefault(ask, [])[number - 1 :] = [_answer(ask, entry["payload"])]  # later rounds were before it
    return [answer for answers in rounds.values() for answer in answers]


def _answer(ask: str, payload: dict[str, Any]) -> dict[str, Any]:
    answer, usage = payload["answer"], payload["usage"]
    return {
        "ask": ask,
        "answer": json.dumps(answer) if payload["secret"] else answer,
        "usage": {name: usage[name] for name in RecordedUsage.model_fields if name in usage},
    }
