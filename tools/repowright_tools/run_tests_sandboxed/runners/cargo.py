"""`cargo test` by what it prints, and `cargo nextest` by its JUnit file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping

from repowright_tools.run_tests_sandboxed.junit import read_junit
from repowright_tools.run_tests_sandboxed.models import Case, CaseOutcome
from repowright_tools.run_tests_sandboxed.runners.base import MOST_BYTES, Cases, Reporting, kept
from repowright_tools.run_tests_sandboxed.runners.words import joined
from repowright_tools.sandbox.base import OUT

_REPORT = "cargo.txt"
_NEXTEST = "nextest.xml"
_CONFIGURATION = f'[profile.default.junit]\npath = "{OUT}/{_NEXTEST}"\n'
_TARGET = re.compile(r"\s*Running (?:unittests )?(?P<file>\S+) \(\S+\)|\s*Doc-tests (?P<docs>\S+)")
_COUNT = re.compile(r"running (\d+) tests?")
_TEST = re.compile(r"test (?P<name>\S.*?) \.\.\. (?P<outcome>ok|FAILED|ignored)(?P<rest>(?:[, <].*)?)")
_RESULT = re.compile(r"test result: ")
_SECTION = re.compile(r"---- (?P<name>\S.*?) (?:stdout|stderr) ----")
_LINE = re.compile(r" \(line \d+\)$")
"""Where a documentation test begins, which every change above it moves."""
_TIME = re.compile(r"<(\d+(?:\.\d+)?)s>")
_ENDS: dict[str, CaseOutcome] = {"ok": "passed", "FAILED": "failed", "ignored": "skipped"}
_MOST_LINE = 4_000
_KEPT = 4_000


def cargo_reporting(words: list[str]) -> Reporting | None:
    """How `cargo test` or `cargo nextest run` with these words reports; None when it is something else."""
    match [word for word in words if not word.startswith("+")]:
        case ["cargo", "test" | "t", *more]:
            return Reporting(kept(["cargo", "test", *_whole(more)], _REPORT), (_REPORT,), _read, foreign=True)
        case ["cargo", "nextest", "run" | "r", *more]:
            file = f"{OUT}/nextest.toml"
            run = joined(
                ["cargo", "nextest", "run", "--tool-config-file", f"repowright:{file}", "--no-fail-fast", *more]
            )
            return Reporting(
                f"printf %s {shlex.quote(_CONFIGURATION)} >{file}; {run}", (_NEXTEST,), _read_nextest, foreign=True
            )
        case _:
            return None


def _whole(arguments: list[str]) -> list[str]:
    """The arguments, with one failing target no reason to leave the others out."""
    return arguments if "--no-fail-fast" in arguments else ["--no-fail-fast", *arguments]


def _read_nextest(files: Mapping[str, bytes], paths: Collection[str]) -> list[Case] | None:
    data = files.get(_NEXTEST)
    return None if data is None else read_junit(data, paths)


def _read(files: Mapping[str, bytes], _paths: Collection[str]) -> list[Case] | None:
    return read_cargo(files.get(_REPORT, b""))


def read_cargo(data: bytes) -> list[Case] | None:
    """The tests as `target::module::test`. A target that announces more tests than end is an error by its own name."""
    reading = _Reading()
    for line in data[:MOST_BYTES].decode("utf-8", errors="replace").splitlines():
        reading.take(line[:_MOST_LINE])
    return reading.end()


class _Reading:
    def __init__(self) -> None:
        self._target = ""
        self._left = 0
        self._section: str | None = None
        self._outcomes: dict[str, tuple[CaseOutcome, float]] = {}
        self._said: dict[str, str] = {}
        self._broken: list[str] = []

    def take(self, line: str) -> None:
        if found := _TARGET.match(line):
            self._leave()
            self._target = found["file"] or f"doc-tests {found['docs']}"
        elif found := _COUNT.fullmatch(line):
            self._leave()
            self._left = int(found[1][:9])
        elif found := _TEST.fullmatch(line):
            took = _TIME.search(found["rest"])
            self._outcomes[self._id(found["name"])] = (_ENDS[found["outcome"]], float(took[1][:12]) if took else 0.0)
            self._left -= 1
        elif _RESULT.match(line):
            self._leave()
        elif found := _SECTION.fullmatch(line):
            self._section = self._id(found["name"])
        elif line == "failures:":
            self._section = None
        elif self._section is not None:
            self._said[self._section] = (self._said.get(self._section, "") + line + "\n")[:_KEPT]

    def _id(self, name: str) -> str:
        plain = _LINE.sub("", name.removesuffix(" - should panic"))
        return "::".join(part for part in (self._target, plain) if part)

    def _leave(self) -> None:
        if self._left > 0:
            self._broken.append(self._target)
        self._left, self._section = 0, None

    def end(self) -> list[Case] | None:
        self._leave()
        cases = Cases()
        for name, (outcome, duration) in self._outcomes.items():
            cases.add(name, outcome, duration, self._said.get(name, "") if outcome == "failed" else "")
        for target in self._broken:
            cases.add(target or "cargo test", "error", message="ended before all of its tests had")
        return cases.all() or None
