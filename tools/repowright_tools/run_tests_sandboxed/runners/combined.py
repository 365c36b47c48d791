"""Several commands that report, run as one: those joined by `&&`, and those of a repository's packages.

Each command's exit code is kept, so that one that fails without a test of its own saying so is a failure all the same.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from repowright_tools.run_tests_sandboxed.models import FAILING, Case, CaseOutcome
from repowright_tools.run_tests_sandboxed.runners.base import Cases, Reporting
from repowright_tools.run_tests_sandboxed.runners.words import command_words
from repowright_tools.sandbox.base import OUT

_CODES = "codes.txt"
"""A line for each command that ended: its number and its exit code."""
_CODE = re.compile(rb"^(\d{1,3}) (\d{1,3})$", re.MULTILINE)
_MOST_CODES = 64 * 1024
_MISSED = "not run: a command before it failed"
_MOST_FILES = 130
"""Result files of one run: those of 64 commands, and their exit codes."""
_MOST_LINE = 120_000
"""Bytes; Linux starts nothing with an argument of more than 128 KiB, and a line of the environment comes before it."""
_GRAMMAR = {"if", "then", "elif", "else", "fi", "while", "until", "for", "do", "done", "case", "esac", "{", "}"}
_SETTINGS = [["cd"], ["export"], ["unset"], ["set"], ["."], ["source"], ["umask"], ["alias"]]
"""What fails only together with what comes after it, and is no check by itself."""
_OPEN = re.compile(r"[;()#`{}\\\n]|<<|\|\||(?<!>)&")
"""What may reach beyond the command that it stands in."""
_Ended = tuple[str, CaseOutcome, str]
"""Name, outcome and message."""


@dataclass(frozen=True)
class Part:
    """One of the commands.

    Attributes:
        line: as it is written.
        reporting: how it reports; None when it does not.
        name: what it is called where it does not report; of a line that is sure to be whole. Empty: `line`.
    """

    line: str
    reporting: Reporting | None
    name: str = ""


def in_sequence(parts: Sequence[Part]) -> Reporting | None:
    """Commands joined by `&&`: how all of them report; None when none does."""
    return _combined(parts, together=False)


def of_packages(parts: Sequence[Part]) -> Reporting | None:
    """One command for each package: a failing one does not keep the others from being tested."""
    return _combined(parts, together=True)


def in_folder(reporting: Reporting, folder: str) -> Reporting:
    """The same in another folder, with the programs that were installed for it."""
    line = f'( cd {shlex.quote(folder)} && PATH="$PWD/node_modules/.bin:$PATH" && {{ {reporting.line}\n}} )'
    return replace(reporting, line=line)


def _combined(parts: Sequence[Part], *, together: bool) -> Reporting | None:
    known = [part.reporting for part in parts if part.reporting is not None]
    if not known or len(parts) == 1:
        return _within_bounds(known[0] if known else None)
    watched = _watched(parts, together=together)
    before = ""
    while any(name.endswith(f"{before}{_CODES}") for one in known for name in one.collect):
        before += "all-"  # files of commands that are several themselves are in the way until they are moved
    lines = [_watch(part, number, before) if number in watched else part.line for number, part in enumerate(parts)]
    if together:
        line = "\n".join(["code=0", *(f"( {line}\n) || code=$?" for line in lines), "(exit $code)"])
    else:
        line = " && ".join(lines)
    reading = _Reading({number: parts[number] for number in watched}, before, together)
    reports = {number: part.reporting.collect for number, part in reading.parts.items() if part.reporting is not None}
    collect = [f"{before}{number}-{name}" for number, names in reports.items() for name in names]
    foreign = any(one.foreign for one in known)
    return _within_bounds(Reporting(line, (*collect, before + _CODES), reading.read, foreign=foreign))


def _within_bounds(reporting: Reporting | None) -> Reporting | None:
    """None too for what would be too much for one run."""
    if reporting is None or len(reporting.line.encode(errors="replace")) > _MOST_LINE:
        return None
    return reporting if len(reporting.collect) <= _MOST_FILES else None


def _watched(parts: Sequence[Part], *, together: bool) -> list[int]:
    """Numbers of the commands whose end is looked at: all but those that may be half of something else."""
    found, alone = list[int](), True
    for number, part in enumerate(parts):
        alone = alone and (part.reporting is not None or bool(part.name) or _stands_alone(part.line))
        changes = not part.name and part.line.split(None, 1)[:1] in _SETTINGS
        if part.reporting is not None or together or (alone and not changes):
            found.append(number)
    return found


def _stands_alone(line: str) -> bool:
    """Whether a piece between two `&&` is a command by itself, and not half of a text or of a larger one."""
    words = line.split(None, 1)
    if not words or words[0] in _GRAMMAR:
        return False
    if command_words(line) is not None:
        return True
    try:
        shlex.split(line)
    except ValueError:
        return False
    return _OPEN.search(line) is None


def _watch(part: Part, number: int, before: str) -> str:
    """The command with its variables, its exit code told of, and its results under names that begin with `before`."""
    own, moves = part.line, ""
    if (reporting := part.reporting) is not None:
        settings = "".join(f"export {name}={shlex.quote(value)}; " for name, value in reporting.variables.items())
        moves = "".join(f"mv {OUT}/{name} {OUT}/{before}{number}-{name} 2>/dev/null; " for name in reporting.collect)
        own = f"( {settings}{reporting.line}\n)"
    told = f"echo {number} $code_{number} >>{OUT}/{before}{_CODES}"
    return f"{{ {own}\ncode_{number}=$?; {moves}{told}; (exit $code_{number})\n}}"


@dataclass(frozen=True)
class _Reading:
    """Makes tests of what the watched commands, by number, left in files whose names begin with `before`."""

    parts: Mapping[int, Part]
    before: str
    together: bool

    def read(self, files: Mapping[str, bytes], paths: Collection[str]) -> list[Case] | None:
        """The tests of all, and a case for each command that reports none, or fails without a failing test.

        None when there is no test: commands that end well prove nothing by themselves.
        """
        cases, codes = Cases(), _codes(files.get(self.before + _CODES, b""))
        tests, beside, ended = list[Case](), list[_Ended](), False
        for number, part in self.parts.items():
            code, found = codes.get(number), self._tests(number, part, files, paths)
            if ended and code is None and found is None and not self.together:
                if part.reporting is None:
                    beside.append((part.name or part.line, "skipped", _MISSED))
                continue
            tests += found or []
            beside += _by_itself(number, part, code, found)
            ended = ended or code != 0
        for case in tests:
            cases.add_apart(case.id, case.outcome, case.duration_s, case.message or "")
        some_ran = any(case.outcome != "skipped" for case in tests)
        for name, outcome, message in beside:
            if some_ran or outcome in FAILING:  # nothing else makes up for tests that are all skipped
                cases.add_apart(name, outcome, message=message)
        return cases.all() if tests else None

    def _tests(self, number: int, part: Part, files: Mapping[str, bytes], paths: Collection[str]) -> list[Case] | None:
        if part.reporting is None:
            return None
        names = {name: f"{self.before}{number}-{name}" for name in part.reporting.collect}
        return part.reporting.read({name: files[kept] for name, kept in names.items() if kept in files}, paths)


def _by_itself(number: int, part: Part, code: int | None, found: list[Case] | None) -> list[_Ended]:
    """What the end of a command that should have run says beside its tests; nothing when they say it all."""
    ended = "it did not end" if code is None else f"it ended with exit code {code}"
    if part.reporting is None:
        name = part.name or part.line
        return [(name, "passed", "") if code == 0 else (name, "failed", f"{ended}; see the output")]
    name = f"test command {number + 1}"
    if found is None:
        return [(name, "error", "it reported no tests; see the output")]
    if code != 0 and not any(case.outcome in FAILING for case in found):
        return [(name, "error", f"{ended} although no test of it failed; see the output")]
    return []


def _codes(data: bytes) -> dict[int, int]:
    """Exit codes by the command's number; the worst of what is said of one."""
    found: dict[int, int] = {}
    for number, code in _CODE.findall(data[:_MOST_CODES]):
        found[int(number)] = max(int(code), found.get(int(number), 0))
    return found
