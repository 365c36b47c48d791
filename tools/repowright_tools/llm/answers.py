"""From what somebody answered to a value or to findings that help to mend it."""

import json
from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError

from repowright_tools.llm.context import clean
from repowright_tools.secrets import redact
from repowright_tools.stage import Ask, Json

T = TypeVar("T", bound=BaseModel)

MAX_FINDINGS = 20
MAX_FINDING_CHARACTERS = 600
LEAK_FINDING = (
    "The answer contains what looks like a secret or has the shape of one. Leave it out, or write a placeholder that "
    "does not look like a token, such as <token>."
)


def without_secrets(answer: Json) -> tuple[Json, bool]:
    """The answer with every secret in it hidden, and whether there was one."""
    if isinstance(answer, str):
        hidden = redact(answer)
        return hidden, hidden != answer
    if isinstance(answer, list):
        pairs = [without_secrets(item) for item in cast("Sequence[Json]", answer)]
        return [item for item, _ in pairs], any(found for _, found in pairs)
    if isinstance(answer, dict):
        fields = cast("Mapping[str, Json]", answer)
        named = [(without_secrets(name), without_secrets(item)) for name, item in fields.items()]
        return {name: item for (name, _), (item, _) in named}, any(a or b for (_, a), (_, b) in named)
    return answer, False


async def judge(ask: Ask[T], answer: Json) -> tuple[T | None, list[str]]:
    """The answer as the ask's schema has it (None when it does not fit), and what is wrong with it."""
    if isinstance(answer, str):
        return None, ["The answer is not valid JSON. Answer with one JSON object that fits the schema."]
    try:
        value = ask.schema.model_validate_json(json.dumps(answer))
    except ValidationError as error:
        return None, bounded([f"{_place(one['loc'])}: {one['msg']}" for one in error.errors(include_url=False)])
    return value, bounded(await ask.check(value))


def bounded(findings: Sequence[str]) -> list[str]:
    """Findings as they leave the machine: clean, not too long and not too many."""
    kept = [clean(finding)[:MAX_FINDING_CHARACTERS] for finding in findings[:MAX_FINDINGS]]
    rest = len(findings) - len(kept)
    return [*kept, f"... and {rest} more findings"] if rest else kept


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "the answer"
