"""Several commands that report, run as one: those joined by `&&`, and those of a repository's packages."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from repowright_tools.run_tests_sandboxed.models import Case
from repowright_tools.run_tests_sandboxed.runners.base import Cases, Reporting
from repowright_tools.sandbox.base import OUT

_BAD = ("failed", "error")


@dataclass(frozen=True)
class Part:
    """One of the commands.

    Attributes:
        line: as it is written.
        reporting: how it reports; None when it does not.
    """

    line: str
    reporting: Reporting | None


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
        return known[0] if known else None
    if len(known) == 1 and not together:
        lines = [part.line if part.reporting is None else f"( {part.reporting.line}\n)" for part in parts]
        return replace(known[0], line=" && ".join(lines))
    numbers = count()
    lines = [part.line if part.reporting is None else _kept_apart(part.reporting, next(numbers)) for part in parts]
    if together:
        line = "\n".join(["code=0", *(f"( {line}\n) || code=$?" for line in lines), "(exit $code)"])
    else:
        line = " && ".join(lines)
    return Reporting(
        line,
        tuple(_name(number, name) for number, one in enumerate(known) for name in one.collect),
        lambda files, paths: _read(known, files, paths, together=together),
        foreign=any(one.foreign for one in known),
    )


def _name(number: int, name: str) -> str:
    return f"{number}-{name}"


def _kept_apart(reporting: Reporting, number: int) -> str:
    """The command with its variables, and its results under names of their own."""
    settings = "".join(f"export {name}={shlex.quote(value)}; " for name, value in reporting.variables.items())
    moves = "".join(f"mv {OUT}/{name} {OUT}/{_name(number, name)} 2>/dev/null; " for name in reporting.collect)
    return f"{{ ( {settings}{reporting.line}\n); code_{number}=$?; {moves}(exit $code_{number})\n}}"


def _read(
    known: Sequence[Reporting], files: Mapping[str, bytes], paths: Collection[str], *, together: bool
) -> list[Case] | None:
    """The tests of all; a command that must have run and reports none is an error by its number."""
    cases, ended, any_ = Cases(), False, False
    for number, reporting in enumerate(known):
        own = {name: files[_name(number, name)] for name in reporting.collect if _name(number, name) in files}
        found = reporting.read(own, paths)
        if found is None and (together or not ended):
            cases.add(f"test command {number + 1}", "error", message="it reported no tests; see the output")
        for case in found or []:
            any_ = True
            cases.add_apart(case.id, case.outcome, case.duration_s, case.message or "")
        ended = ended or found is None or any(case.outcome in _BAD for case in found)
    return cases.all() if any_ else None
