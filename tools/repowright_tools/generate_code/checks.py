"""What a change is held against before it is accepted: only what it brings in counts, not what was there before."""

import json
import subprocess
from collections import Counter
from collections.abc import Mapping
from typing import Any

import anyio

from repowright_tools.generate_code.edits import Changes
from repowright_tools.generate_code.syntax import DATA_FORMATS, ParserFailed, first_errors
from repowright_tools.index.languages import grammar_available, grammar_named, grammar_of
from repowright_tools.models import CheckRun, Finding
from repowright_tools.secrets import scan_text

_RUFF_DEADLINE_S = 20.0
_RUFF_RULES = "E9,F63,F7,F82"
"""Syntax errors, comparisons and statements that cannot be meant, and undefined names: no question of style."""

Before = Mapping[str, bytes | None]


async def run_checks(changes: Changes) -> list[CheckRun]:
    """Every check on the changed files; `failed` names what the change brings in."""
    after = {path: data for path, data in changes.files.items() if data is not None}
    return [
        await _syntax(changes.before, after),
        await _ruff(changes.before, after),
        _secrets(changes.before, after),
    ]


async def _syntax(before: Before, after: Mapping[str, bytes]) -> CheckRun:
    grammars = {path: grammar for path in after if (grammar := _grammar(path)) is not None}
    try:
        errors = await first_errors([(grammar, after[path]) for path, grammar in grammars.items()])
        broken = {path: line for path, line in zip(grammars, errors, strict=True) if line is not None}
        known = {path: data for path in broken if (data := before[path]) is not None}
        earlier = await first_errors([(grammars[path], data) for path, data in known.items()])
    except ParserFailed as error:
        return _not_run("syntax", str(error))
    was_broken = {path for path, line in zip(known, earlier, strict=True) if line is not None}
    findings = [
        Finding(path=path, line=line, code="syntax_error", message=f"the file does not parse as {grammars[path]}")
        for path, line in broken.items()
        if path not in was_broken
    ]
    return _outcome("syntax", findings, ran=bool(grammars))


def _grammar(path: str) -> str | None:
    suffix = path.rpartition(".")[2].lower()
    if suffix in DATA_FORMATS:
        return suffix
    grammar = grammar_of(path)
    # Macros and dialects make error nodes of sound C, C++, Shell and the like: those prove nothing.
    return grammar if grammar and grammar_named(grammar)[0].exact and grammar_available(grammar) else None


async def _ruff(before: Before, after: Mapping[str, bytes]) -> CheckRun:
    paths = [path for path in after if path.endswith((".py", ".pyi"))]
    findings: list[Finding] = []
    try:
        for path in paths:
            found = await _ruff_findings(path, after[path])
            known = Counter(
                (one.code, one.message) for one in (await _ruff_findings(path, before[path] or b"") if found else [])
            )
            for finding in found:
                known[finding.code, finding.message] -= 1
                if known[finding.code, finding.message] < 0:
                    findings.append(finding)
    except (TimeoutError, OSError, ValueError) as error:
        return _not_run("ruff", f"ruff gave no answer: {type(error).__name__}")
    return _outcome("ruff", findings, ran=bool(paths))


async def _ruff_findings(path: str, data: bytes) -> list[Finding]:
    """Ruff on bytes given by stdin, blind to any configuration of the repository or the machine."""
    from ruff.__main__ import find_ruff_bin  # type: ignore[import-untyped] # it ships none

    command = [find_ruff_bin(), "check", "--isolated", "--no-cache", "--exit-zero", f"--select={_RUFF_RULES}"]
    command += ["--ignore-noqa", "--output-format=json", f"--stdin-filename=/{path}", "-"]
    with anyio.fail_after(_RUFF_DEADLINE_S):
        done = await anyio.run_process(
            command, input=data, stderr=subprocess.DEVNULL, check=False, cwd="/", env={"HOME": "/nonexistent"}
        )
    reported: list[dict[str, Any]] = json.loads(done.stdout)
    return [
        Finding(path=path, line=one["location"]["row"], code=one["code"] or "syntax_error", message=one["message"])
        for one in reported
    ]


def _secrets(before: Before, after: Mapping[str, bytes]) -> CheckRun:
    findings: list[Finding] = []
    for path, data in after.items():
        known = Counter(found.kind for found in scan_text(path, (before[path] or b"").decode(errors="replace")))
        for found in scan_text(path, data.decode(errors="replace")):
            known[found.kind] -= 1
            if known[found.kind] < 0:
                message = f"looks like a secret ({found.kind}); use a placeholder or read it at run time"
                findings.append(Finding(path=path, line=found.line, code="secret", message=message))
    return _outcome("secrets", findings, ran=bool(after))


def _outcome(name: str, findings: list[Finding], *, ran: bool) -> CheckRun:
    return CheckRun(name=name, status="failed" if findings else "passed" if ran else "skipped", findings=findings)


def _not_run(name: str, message: str) -> CheckRun:
    finding = Finding(path="", line=0, code="check_unavailable", message=message)
    return CheckRun(name=name, status="skipped", findings=[finding])
