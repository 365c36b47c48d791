"""Which runner a command starts, and how it is made to report."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from repowright_tools.run_tests_sandboxed.runners.base import Reporting
from repowright_tools.run_tests_sandboxed.runners.cargo import cargo_reporting
from repowright_tools.run_tests_sandboxed.runners.combined import Part, in_folder, in_sequence, of_packages
from repowright_tools.run_tests_sandboxed.runners.declared import declared_reporting
from repowright_tools.run_tests_sandboxed.runners.go import go_reporting
from repowright_tools.run_tests_sandboxed.runners.javascript import javascript_reporting
from repowright_tools.run_tests_sandboxed.runners.jvm import jvm_reporting
from repowright_tools.run_tests_sandboxed.runners.packages import Notes, Packages, joined_folder
from repowright_tools.run_tests_sandboxed.runners.scripts import script_call, without_manager
from repowright_tools.run_tests_sandboxed.runners.unittest import unittest_reporting
from repowright_tools.run_tests_sandboxed.runners.words import command_words

_SETTING = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<value>.*)", re.DOTALL)
_MOST_NESTED = 4
_MOST_PARTS = 20
_RUNNERS = (unittest_reporting, go_reporting, cargo_reporting, javascript_reporting, jvm_reporting)


@dataclass(frozen=True)
class Found:
    """How a command reports.

    Attributes:
        reporting: how.
        known: a runner that it starts is known.
        doubts: what of it was not understood and so runs as it is, for a reader.
    """

    reporting: Reporting
    known: bool
    doubts: Sequence[str] = ()


def reporting(command: str, files: Mapping[str, bytes]) -> Found:
    """How a command reports. `files` are those of the repository, of which manifests of packages are looked at.

    Of commands joined by `&&`, and of scripts of several packages, each reports that can. What is not known runs as it
    is, and may leave a JUnit file: where an option of it names one (`--junit... path.xml`), or where the variable
    JUNIT_OUTPUT says.
    """
    notes = Notes()
    found = _sequence(command, Packages(files, notes=notes), _MOST_NESTED)
    return Found(found or declared_reporting(command), found is not None, tuple(dict.fromkeys(notes.doubts)))


def _sequence(command: str, packages: Packages, left: int) -> Reporting | None:
    """How commands joined by `&&` report; None when none of them is known."""
    parts: list[Part] = []
    for line in command.split("&&", _MOST_PARTS):
        words = command_words(line)
        if words is not None and len(words) == 2 and words[0] == "cd":
            packages = replace(packages, folder=joined_folder(packages.folder, words[1]))
        parts.append(Part(line.strip(), _single(words or [], packages, left)))
    return in_sequence(parts)


def _single(words: list[str], packages: Packages, left: int) -> Reporting | None:
    settings = dict[str, str]()
    while words and (words[0] == "cross-env" or _SETTING.fullmatch(words[0])):
        if named := _SETTING.fullmatch(words[0]):
            settings[named["name"]] = named["value"]
        words = words[1:]
    found = _of_script(words, packages, left) if left else None
    if found is None:
        program = without_manager(words)
        found = next(filter(None, (recognise(program) for recognise in _RUNNERS)), None)
    return found and replace(found, variables={**found.variables, **settings})


def _of_script(words: list[str], packages: Packages, left: int) -> Reporting | None:
    """How `npm test` and its like report: as the script does that they run."""
    call = script_call(words, packages)
    if call is None:
        return None
    parts: list[Part] = []
    for folder in call.folders:
        script = call.command(packages, folder)
        known = _sequence(script, replace(packages, folder=folder), left - 1)
        there = known or Reporting(script, (), lambda _files, _paths: None)
        if folder or packages.folder:
            there = in_folder(there, posixpath.relpath(folder or ".", packages.folder or "."))
        name = f"{folder}: {script}" if folder else script
        parts.append(Part(there.line, None if known is None else there, name))
    return of_packages(parts) if call.every else in_sequence(parts)
