"""From the arguments a client sent to validated ones: strict, with one indulgence for hosts that send JSON text."""

import json
import math
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import BaseModel, Field, ValidationError

from repowright_server.json_types import is_array, is_object
from repowright_server.runs.call import StageCall
from repowright_tools.errors import InvalidArguments, ReadOnly
from repowright_tools.models import Strict
from repowright_tools.stage import AnyStage

if TYPE_CHECKING:
    from repowright_server.engine import Engine

T = TypeVar("T", bound=BaseModel)

LONGEST_WAIT_S = 600


class Common(Strict):
    """Arguments that every tool takes beside its own."""

    run_id: str | None = Field(
        default=None, description="Run whose earlier stages this call builds on, or whose work it attaches to."
    )
    wait_s: int | float | None = Field(
        default=None, ge=0, le=LONGEST_WAIT_S,
        description="Seconds to wait for the result; then the answer is IN_PROGRESS, and the same call attaches again.",
    )  # fmt: skip


def split(raw: dict[str, Any], own: type[BaseModel]) -> tuple[Common, dict[str, Any]]:
    """The common arguments, validated, and the tool's own, still raw. A null is the same as leaving it out.

    Raises:
        InvalidArguments: an argument is unknown, or a common one is wrong.
    """
    given = {name: value for name, value in raw.items() if value is not None}
    known = set(schema_of(own)["properties"]) | set(Common.model_fields)
    unknown = sorted(set(given) - known)
    if unknown:
        raise InvalidArguments(f"unknown arguments: {', '.join(unknown)}; known are: {', '.join(sorted(known))}")
    common = validate(Common, {name: given[name] for name in Common.model_fields if name in given})
    return common, {name: value for name, value in given.items() if name not in Common.model_fields}


def validate(model: type[T], raw: dict[str, Any]) -> T:
    """Validate strictly, after parsing JSON text where only an array or an object can stand.

    Raises:
        InvalidArguments: naming each argument that is wrong, and why; values are not repeated.
    """
    structured = _structured(model)
    parsed = {name: _parse(name, value) if name in structured else value for name, value in raw.items()}
    odd = [name for name, value in parsed.items() if not _is_json(value)]
    if odd:
        raise InvalidArguments(f"{', '.join(odd)}: NaN and infinity are no JSON numbers")
    try:
        return model.model_validate(parsed)
    except ValidationError as error:
        findings = [f"{_place(each['loc'])}: {each['msg']}" for each in error.errors(include_input=False)]
        raise InvalidArguments("; ".join(findings[:20])) from error


def make_call(engine: "Engine", stage: AnyStage, run_id: str | None, own: dict[str, Any]) -> StageCall:
    """A validated call of a stage.

    Raises:
        RepowrightError: the arguments or the source are refused; nothing has happened then.
    """
    args = validate(stage.arguments, own)
    _refuse_secrets(own, "")
    if engine.read_only and stage.changes(args):
        raise ReadOnly(f"{stage.name} with these arguments writes, and the server is read-only")
    if run_id is None:
        stage.require(args, starts_run=True)
    dumped = args.model_dump(mode="json", by_alias=True)
    submission = dumped.pop("submission", None)
    source = engine.parse_source(own.get("source"), own.get("ref")) if run_id is None or "source" in own else None
    return StageCall(
        stage=stage,
        arguments=dumped,
        given=frozenset(own),
        submission=[] if submission is None else [submission],
        run_id=run_id,
        source=source,
        principal=engine.principal,
    )


def _refuse_secrets(value: Any, place: str) -> None:
    """Arguments are kept with the run and repeated in answers: a secret among them would be, too (InvalidArguments)."""
    from repowright_tools.secrets import redact, scan_text

    if isinstance(value, str) and scan_text(place, value):
        raise InvalidArguments(
            f"{redact(place)}: holds what looks like a secret, and nothing was kept of it. Leave it out; a change that "
            "removes a secret is tested with `source` or on a run that generated it"
        )
    if is_object(value):
        for name, each in value.items():
            _refuse_secrets(each, f"{place}.{name}".removeprefix("."))
    elif is_array(value):
        for number, each in enumerate(value):
            _refuse_secrets(each, f"{place}.{number}")


@cache
def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model of arguments, made once."""
    schema: dict[str, Any] = model.model_json_schema(by_alias=True)
    schema.setdefault("properties", {})
    return schema


@cache
def _structured(model: type[BaseModel]) -> frozenset[str]:
    """Names of the arguments that are arrays or objects and cannot be text."""

    def kinds(schema: dict[str, Any]) -> set[str]:
        options = cast("list[dict[str, Any]]", schema.get("anyOf", []))
        found = {kind for option in options for kind in kinds(option)}
        return found | {"object" if "$ref" in schema else schema.get("type", "")} - {""}

    properties = schema_of(model)["properties"]
    return frozenset(
        name
        for name, schema in properties.items()
        if "string" not in kinds(schema) and kinds(schema) & {"array", "object"}
    )


def _parse(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise InvalidArguments(f"{name}: neither an array or object nor JSON text of one") from error


def _is_json(value: Any) -> bool:
    """Whether all numbers are ones that JSON has; parsers let others pass, and a NaN is above and below every bound."""
    if isinstance(value, float):
        return math.isfinite(value)
    if is_array(value):
        return all(map(_is_json, value))
    return not is_object(value) or all(map(_is_json, value.values()))


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "arguments"
