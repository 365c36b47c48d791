"""Node's own runner through a reporter of ours; Jest, Vitest and Mocha through their JSON."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

from repowright_tools.run_tests_sandboxed.models import Case, CaseOutcome
from repowright_tools.run_tests_sandboxed.runners.base import (
    MOST_BYTES,
    Cases,
    Reader,
    Reporting,
    is_list,
    is_table,
    relative,
)
from repowright_tools.sandbox.base import OUT

_NODE, _JEST, _MOCHA = "node.jsonl", "jest.json", "mocha.json"
_MOST_DEPTH = 50
_REPORTER = """
export default async function* (source) {
  for await (const {type, data} of source) {
    if (!['test:start', 'test:pass', 'test:fail'].includes(type)) continue;
    const {name, nesting, file, skip, todo, details} = data;
    const error = details?.error;
    yield JSON.stringify({
      type: type.slice(5), name, nesting, file: file ?? '',
      skip: skip !== undefined && skip !== false, todo: todo !== undefined && todo !== false,
      suite: details?.type === 'suite', ms: details?.duration_ms ?? 0,
      inner: error?.failureType === 'subtestsFailed',
      message: error ? String(error.cause?.stack ?? error.cause ?? error.message) : '',
    }) + '\\n';
  }
}
"""
_STATES: dict[str, CaseOutcome] = {
    "passed": "passed",
    "failed": "failed",
    "pending": "skipped",
    "skipped": "skipped",
    "todo": "skipped",
    "disabled": "skipped",
}


def javascript_reporting(words: list[str]) -> Reporting | None:
    """How a JavaScript runner with these words reports; None when it is something else."""
    match words:
        case ["node", *more] if "--test" in more:
            reporters = [
                "--test-reporter=spec",
                "--test-reporter-destination=stdout",
                # Given as an address of itself, so that it lies nowhere in the repository
                f"--test-reporter=data:text/javascript,{quote(_REPORTER)}",
                f"--test-reporter-destination={OUT}/{_NODE}",
            ]
            return _reporting(["node", *reporters, *_without(more, "--test-reporter")], _NODE, _read_node)
        case ["jest", *more]:
            options = ["--ci", "--json", f"--outputFile={OUT}/{_JEST}"]
            return _reporting(["jest", *options, *_without(more, "--outputFile")], _JEST, _read_jest)
        case ["vitest", *more]:
            options = ["--reporter=default", "--reporter=json", f"--outputFile={OUT}/{_JEST}"]
            rest = [word for word in more if word not in ("run", "watch", "--run", "--watch")]
            return _reporting(["vitest", "run", *options, *_without(rest, "--reporter")], _JEST, _read_jest)
        case ["mocha", *more]:
            options = ["--reporter", "json", "--reporter-option", f"output={OUT}/{_MOCHA}"]
            return _reporting(["mocha", *options, *_without(more, "--reporter", "-R")], _MOCHA, _read_mocha)
        case _:
            return None


def _reporting(words: list[str], file: str, read: Reader) -> Reporting:
    return Reporting(shlex.join(words), (file,), read, foreign=True)


def _without(words: list[str], *options: str) -> list[str]:
    """The words without options that we set, whose value is the next word where there is no `=`."""
    found: list[str] = []
    value = False
    for word in words:
        if value:
            value = False
        elif word.startswith(options):
            value = "=" not in word
        else:
            found.append(word)
    return found


def _load(data: bytes | None) -> dict[str, Any]:
    try:
        document = json.loads((data or b"")[:MOST_BYTES])
    except (ValueError, RecursionError):
        return {}
    return document if is_table(document) else {}


def _list(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if is_table(entry)] if is_list(value) else []


def _texts(value: Any) -> list[str]:
    return [str(entry)[:2_000] for entry in value[:_MOST_DEPTH]] if is_list(value) else []


def _seconds(milliseconds: Any) -> float:
    return float(milliseconds) / 1000 if isinstance(milliseconds, int | float) else 0.0


def _read_node(files: Mapping[str, bytes], paths: Collection[str]) -> list[Case] | None:
    return read_node(files[_NODE], paths) if _NODE in files else None


def read_node(data: bytes, paths: Collection[str]) -> list[Case] | None:
    """The tests as `path::suite::test`; a file that could not be read is an error by its own name.

    A test around others counts by itself only when it fails by itself, and a file without tests is none.
    """
    cases = Cases()
    open_: list[str] = []
    depth = -1
    for line in data[:MOST_BYTES].splitlines():
        event = _load(line)
        nesting, name = event.get("nesting"), str(event.get("name", ""))[:2_000]
        if not isinstance(nesting, int) or not 0 <= nesting < _MOST_DEPTH:
            continue
        if event.get("type") == "start":
            open_[nesting:] = [name]
            depth = nesting
            continue
        leaf = depth <= nesting
        depth = nesting
        _end(cases, event, "::".join([*open_[:nesting], name]), paths, leaf=leaf)
    return cases.all()


def _end(cases: Cases, event: dict[str, Any], name: str, paths: Collection[str], *, leaf: bool) -> None:
    file, failed = relative(str(event.get("file", ""))), event.get("type") == "fail"
    message, took = str(event.get("message", "")), _seconds(event.get("ms"))
    if relative(name) in paths:  # a process of its own for each file: the file itself is told of like a test
        if failed and leaf:
            cases.add(relative(name), "error", took, message)
        return
    if event.get("inner") or (not leaf and not failed) or (event.get("suite") and not failed):
        return
    outcome: CaseOutcome = "failed" if failed else "passed"
    if event.get("skip") or event.get("todo"):
        outcome = "skipped"
    cases.add("::".join(part for part in (file, name) if part), outcome, took, message)


def _read_jest(files: Mapping[str, bytes], _paths: Collection[str]) -> list[Case] | None:
    return read_jest(files[_JEST]) if _JEST in files else None


def read_jest(data: bytes) -> list[Case] | None:
    """The tests as `path::suite::test`, of Jest or Vitest; a file that could not be run is an error by its own name."""
    document = _load(data)
    if "testResults" not in document:
        return None
    cases = Cases()
    for suite in _list(document["testResults"]):
        path = relative(str(suite.get("name", "")))
        tests = _list(suite.get("assertionResults"))
        for test in tests:
            name = "::".join([path, *filter(None, _texts(test.get("ancestorTitles"))), str(test.get("title", ""))])
            said = "\n".join(_texts(test.get("failureMessages")))
            outcome = _STATES.get(str(test.get("status")), "error")
            cases.add(name, outcome, _seconds(test.get("duration")), said)
        if not tests and suite.get("status") == "failed":
            cases.add(path, "error", message=str(suite.get("message", "")))
    return cases.all()


def _read_mocha(files: Mapping[str, bytes], _paths: Collection[str]) -> list[Case] | None:
    return read_mocha(files[_MOCHA]) if _MOCHA in files else None


def read_mocha(data: bytes) -> list[Case] | None:
    """The tests as `path::suites and test`."""
    document = _load(data)
    if "tests" not in document:
        return None
    cases = Cases()
    lists: dict[str, CaseOutcome] = {"passes": "passed", "pending": "skipped", "failures": "failed"}
    for name, outcome in lists.items():
        for test in _list(document.get(name)):
            error = test.get("err")
            said = str(error.get("stack", "")) if is_table(error) else ""
            id_ = "::".join(
                part for part in (relative(str(test.get("file", ""))), str(test.get("fullTitle", ""))) if part
            )
            cases.add(id_, outcome, _seconds(test.get("duration")), said)
    return cases.all()
