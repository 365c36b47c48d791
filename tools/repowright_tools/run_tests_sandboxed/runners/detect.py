"""Which runner a command starts, and how it is made to report."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from repowright_tools.run_tests_sandboxed.runners.base import Reporting, is_table
from repowright_tools.run_tests_sandboxed.runners.cargo import cargo_reporting
from repowright_tools.run_tests_sandboxed.runners.declared import declared_reporting
from repowright_tools.run_tests_sandboxed.runners.go import go_reporting
from repowright_tools.run_tests_sandboxed.runners.javascript import javascript_reporting
from repowright_tools.run_tests_sandboxed.runners.jvm import jvm_reporting
from repowright_tools.run_tests_sandboxed.runners.unittest import unittest_reporting

_SHELL = re.compile(r"[;&|<>()$`\\\n*?#~{}!]")
_SETTING = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<value>.*)", re.DOTALL)
_ENVIRONMENTS = {("uv", "run"), ("poetry", "run"), ("pdm", "run"), ("pipenv", "run"), ("rye", "run"), ("hatch", "run")}
"""The environment is ours, so these are not needed."""
_MANAGERS = ("npm", "pnpm", "yarn")
_MOST_NESTED = 3
_RUNNERS = (unittest_reporting, go_reporting, cargo_reporting, javascript_reporting, jvm_reporting)


def reporting(command: str, files: Mapping[str, bytes]) -> Reporting:
    """How a command reports. `files` are those of the repository, of which `package.json` is looked at.

    Of commands joined by `&&` the last one counts. What is not known runs as it is, and may leave a JUnit file: where
    an option of it names one (`--junit... path.xml`), or where the variable JUNIT_OUTPUT says.
    """
    before, last = _last(_resolved(command, files, _MOST_NESTED))
    found = _known(last)
    if found is None:
        return declared_reporting(command)
    line = f"{before}{{ {found.line}\n}}" if before else found.line
    return replace(found, line=line)


def _last(command: str) -> tuple[str, str]:
    before, joint, last = command.rpartition("&&")
    return (f"{before}{joint} ", last.strip()) if joint else ("", command.strip())


def _resolved(command: str, files: Mapping[str, bytes], left: int) -> str:
    """The command with `npm test` and its like replaced by the script that they run."""
    before, last = _last(command)
    words = plain_words(last)
    if words is None or not left:
        return command
    match words:
        case [manager, "run" | "run-script", script, *more] if manager in _MANAGERS:
            pass
        case [manager, "test" | "t" as script, *more] if manager in _MANAGERS:
            script = "test"
        case _:
            return command
    text = _scripts(files).get(script)
    if not isinstance(text, str) or not text.strip():
        return command
    arguments = shlex.join(more[1:] if more[:1] == ["--"] else more)
    return _resolved(f"{before}{text} {arguments}".strip(), files, left - 1)


def _scripts(files: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        document = json.loads(files.get("package.json", b""))
    except (ValueError, RecursionError):
        return {}
    scripts = document.get("scripts") if is_table(document) else None
    return scripts if is_table(scripts) else {}


def plain_words(command: str) -> list[str] | None:
    """The words of one plain command, without the environment's manager; None for what only a shell understands."""
    if _SHELL.search(command):
        return None
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    return words[2:] if tuple(words[:2]) in _ENVIRONMENTS else words


def _known(command: str) -> Reporting | None:
    words = plain_words(command) or []
    settings = dict[str, str]()
    while words and (named := _SETTING.fullmatch(words[0])):
        settings[named["name"]] = named["value"]
        words = words[1:]
    if words[:1] == ["npx"]:
        words = [word for word in words[1:] if word not in ("--no-install", "--yes", "-y", "--")]
    found = next(filter(None, (recognise(words) for recognise in _RUNNERS)), None)
    return found and replace(found, variables={**found.variables, **settings})
