"""Per-test results from a JUnit file that hostile code may have written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from repowright_tools.run_tests_sandboxed.models import Case, CaseOutcome
from repowright_tools.secrets import redact, strip_invisible

MAX_BYTES = 16 * 1024 * 1024
_MAX_MESSAGE = 2_000
_MAX_ID = 500
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
        cases = [_case(case, paths) for suite in _suites(suites) for case in suite]
    except (JUnitXmlError, SyntaxError, ValueError, TypeError):
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


def _case(case: Any, paths: Collection[str]) -> Case:
    outcome, message = _verdict(case)
    return Case(
        id=strip_invisible(test_id(case.classname or "", case.name or "", paths))[:_MAX_ID],
        outcome=outcome,
        duration_s=max(0.0, case.time or 0.0),
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


def test_id(classname: str, name: str, paths: Collection[str]) -> str:
    """`path::Class::name`, as pytest calls a test, when the dotted class name starts with a known file's.

    The file is looked up as it is and, when tests run from a folder below the root, by its end, if only one fits.
    """
    if not classname:  # what failed before it had tests: pytest names it by its dotted path alone
        classname, name = name, ""
    parts = classname.split(".")
    for count in range(len(parts), 0, -1):
        path = _known("/".join(parts[:count]) + ".py", paths)
        if path is not None:
            return "::".join(part for part in (path, *parts[count:], name) if part)
    return "::".join(part for part in (classname, name) if part)


def _known(path: str, paths: Collection[str]) -> str | None:
    if path in paths:
        return path
    ending = [known for known in paths if known.endswith(f"/{path}")]
    return ending[0] if len(ending) == 1 else None
