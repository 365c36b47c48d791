"""Node's own runner through a reporter of ours; Jest, Vitest and Mocha through their JSON."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from urllib.parse import quote

from repowright_tools.run_tests_sandboxed.models import Case
from repowright_tools.run_tests_sandboxed.runners.base import Reader, Reporting
from repowright_tools.run_tests_sandboxed.runners.javascript_results import read_jest, read_mocha, read_node
from repowright_tools.run_tests_sandboxed.runners.words import joined
from repowright_tools.sandbox.base import OUT

_NODE, _JEST, _MOCHA = "node.jsonl", "jest.json", "mocha.json"
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
_LAUNCHERS = ("node", "c8", "nyc", "tsx")
"""They take a runner and its words behind their own."""
_MOST_BEFORE = 12
_WATCHES = ("--watch", "--watchAll", "--watchAll=true")


def javascript_reporting(words: list[str]) -> Reporting | None:
    """How a JavaScript runner with these words reports, with what launches it; None when it is something else."""
    for at, word in enumerate(words[:_MOST_BEFORE]):
        if at and words[0] not in _LAUNCHERS:
            return None
        if word and (found := _reporting(word, words[: at + 1], words[at + 1 :])):
            return found
    return None


def _reporting(runner: str, before: list[str], more: list[str]) -> Reporting | None:
    """How `before`, which ends with the runner, reports with `more` behind it."""
    match posixpath.basename(runner).partition(".")[0]:
        case "node" | "tsx" if "--test" in more:
            reporters = [
                "--test-reporter=spec",
                "--test-reporter-destination=stdout",
                # Given as an address of itself, so that it lies nowhere in the repository
                f"--test-reporter=data:text/javascript,{quote(_REPORTER)}",
                f"--test-reporter-destination={OUT}/{_NODE}",
            ]
            return _made([*before, *reporters, *_without(more, "--test-reporter")], _NODE, _read_node)
        case "jest":
            options = ["--ci", "--json", f"--outputFile={OUT}/{_JEST}"]
            return _made([*before, *options, *_without(more, "--outputFile", left_out=_WATCHES)], _JEST, _read_jest)
        case "react-scripts" if more[:1] == ["test"]:
            return _reporting("jest", [*before, "test"], more[1:])
        case "vitest":
            options = ["run", "--reporter=default", "--reporter=json", f"--outputFile={OUT}/{_JEST}"]
            rest = _without(more, "--reporter", "--outputFile", left_out=("run", "watch", "--run", "--watch"))
            return _made([*before, *options, *rest], _JEST, _read_jest)
        case "mocha" | "_mocha":
            options = ["--reporter", "json", "--reporter-option", f"output={OUT}/{_MOCHA}"]
            return _made(
                [*before, *options, *_without(more, "--reporter", "-R", left_out=_WATCHES)], _MOCHA, _read_mocha
            )
        case _:
            return None


def _made(words: list[str], file: str, read: Reader) -> Reporting:
    return Reporting(joined(words), (file,), read, foreign=True)


def _without(words: list[str], *options: str, left_out: tuple[str, ...] = ()) -> list[str]:
    """The words without `left_out`, and options that we set, whose value is the next word if there is no `=`."""
    found: list[str] = []
    value = False
    for word in words:
        if value:
            value = False
        elif word.startswith(options):
            value = "=" not in word
        elif word not in left_out:
            found.append(word)
    return found


def _read_node(files: Mapping[str, bytes], paths: Collection[str]) -> list[Case] | None:
    return read_node(files[_NODE], paths) if _NODE in files else None


def _read_jest(files: Mapping[str, bytes], _paths: Collection[str]) -> list[Case] | None:
    return read_jest(files[_JEST]) if _JEST in files else None


def _read_mocha(files: Mapping[str, bytes], _paths: Collection[str]) -> list[Case] | None:
    return read_mocha(files[_MOCHA]) if _MOCHA in files else None
