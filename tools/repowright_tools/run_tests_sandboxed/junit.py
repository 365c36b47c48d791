"""Per-test results from a JUnit file that hostile code may have written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from repowright_tools.run_tests_sandboxed.models import Case, CaseOutcome
from repowright_tools.secrets import redact, strip_invisible

MAX_BYTES = 16 * 1024 * 1024
_MAX_MESSAGE = 2_000
_MAX_ID = 500
_MAX_PARTS = 100
_MAX_DURATION_S = 86_400.0
_DECLARATION = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_SEVERITY: dict[CaseOutcome, int] = {"passed": 0, "skipped": 1, "failed": 2, "error": 3}


def read_junit(data: bytes, paths: Collection[str]) -> list[Case] | None:
    """The tests of a JUnit file, one entry a test with its worst outcome; None when the file is no good.

    Args:
        data: the file. Too large, with a DTD or entities, or in an encoding other than UTF-8: it is no good.
        paths: files of the repository, by which dotted class names are turned into `path::Class::name`.
    """
    from junitparser import JUnitXml, JUnitXmlError

    if len(data) > MAX_BYTES or b"\0" in data or _DECLARATION.search(data) or not _is_utf8(data):
        return None
    try:
        suites = JUnitXml.fromstring(data)
        files = by_ending(paths)
        cases = [_case(case, files) for suite in _suites(suites) for case in suite]
    except (JUnitXmlError, SyntaxError, ValueError, TypeError, RecursionError):
        return None
    worst: dict[str, Case] = {}
    for case in cases:  # a failure in a test and one in its teardown are two entries
        known = worst.get(case.id)
        if known is None or _SEVERITY[case.outcome] > _SEVERITY[known.outcome]:
            worst[case.id] = case
    return list(worst.values())


def _is_utf8(data: bytes) -> bool:
    """Whether the bytes are UTF-8 and do not claim to be anything else."""
    declared = re.match(rb"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)", data)
    if declared and declared[1].lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _suites(suites: Iterable[Any]) -> Iterator[Any]:
    """All suites, those inside suites too."""
    for suite in suites:
        yield suite
        yield from _suites(suite.testsuites())


def _case(case: Any, paths: Mapping[str, str | None]) -> Case:
    outcome, message = _verdict(case)
    name = test_id((case.classname or "")[:_MAX_MESSAGE], (case.name or "")[:_MAX_MESSAGE], paths)
    return Case(
        id=redact(strip_invisible(name))[:_MAX_ID],
        outcome=outcome,
        duration_s=min(max(0.0, case.time or 0.0), _MAX_DURATION_S),
        message=redact(strip_invisible(message))[:_MAX_MESSAGE] if message else None,
    )


def _verdict(case: Any) -> tuple[CaseOutcome, str | None]:
    from junitparser import Error, Failure, Skipped

    kinds: dict[type, CaseOutcome] = {Error: "error", Failure: "failed", Skipped: "skipped"}
    found: list[tuple[CaseOutcome, Any]] = [
        (kinds[type(result)], result) for result in case.result if type(result) in kinds
    ]
    if not found:
        return "passed", None
    outcome, result = max(found, key=lambda pair: _SEVERITY[pair[0]])
    return outcome, "\n".join(text for text in (result.message, result.text) if text)


def test_id(classname: str, name: str, paths: Mapping[str, str | None]) -> str:
    """`path::Class::name`, as pytest calls a test, when the dotted class name starts with a known file's.

    The file is looked up in `by_ending` of the repository's files.
    """
    if not classname:  # what failed before it had tests: pytest names it by its dotted path alone
        classname, name = name, ""
    parts = classname.split(".", _MAX_PARTS)
    for count in range(len(parts), 0, -1):
        path = paths.get("/".join(parts[:count]) + ".py")
        if path is not None:
            return "::".join(part for part in (path, *parts[count:], name) if part)
    return "::".join(part for part in (classname, name) if part)


def by_ending(paths: Iterable[str]) -> dict[str, str | None]:
    """Each path by itself and, for tests that run from a folder below the root, by its endings; None for several."""
    known = [path for path in paths if path.endswith(".py")]
    found: dict[str, str | None] = {}
    for path in known:
        ending = path
        while ending:
            found[ending] = None if ending in found else path
            ending = ending.partition("/")[2]
    return {**found, **{path: path for path in known}}
