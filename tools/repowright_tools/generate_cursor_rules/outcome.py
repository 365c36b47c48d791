"""From rules to files: what would be written, what is, and what stands in the way."""

from collections.abc import Sequence
from pathlib import Path

from repowright_tools.generate_cursor_rules import tree
from repowright_tools.generate_cursor_rules.blocks import NotOurs, find, merged
from repowright_tools.generate_cursor_rules.drift import drifted
from repowright_tools.generate_cursor_rules.models import (
    Conflict,
    Drift,
    GenerateCursorRulesArguments,
    GenerateCursorRulesResult,
    RulesFile,
)
from repowright_tools.generate_cursor_rules.projects import Project
from repowright_tools.generate_cursor_rules.render import WantedFile, files_for
from repowright_tools.secrets import redact, strip_invisible
from repowright_tools.tokens import estimate_tokens


def outcome(root: Path, projects: Sequence[Project], args: GenerateCursorRulesArguments) -> GenerateCursorRulesResult:
    """Make the result, and in mode `write` the files. Blocks: to be called in a thread."""
    files: list[RulesFile] = []
    drift: list[Drift] = []
    conflicts: list[Conflict] = []
    for wanted in files_for(projects, args.targets, args.max_tokens):
        try:
            existing = tree.read(root, wanted.path)
            if wanted.block is not None:
                text = merged(existing, wanted.block, ours_alone=wanted.ours_alone)
                if args.mode == "write" and text != existing:
                    tree.replace(root, wanted.path, text)
                    existing = text
                files.append(_shown(wanted, text))
            drift += _drift(wanted, existing)
        except NotOurs as error:
            if wanted.block is None:  # there is nothing we want of it
                continue
            conflicts.append(Conflict(path=wanted.path, reason=str(error)))
    rules = [rule for project in projects for rule in project.rules_of_repository()]
    return GenerateCursorRulesResult(files=files, rules=rules, drift=drift, conflicts=conflicts)


def _drift(wanted: WantedFile, existing: str | None) -> list[Drift]:
    found = None if existing is None else find(existing, ours_alone=wanted.ours_alone)
    if found is None:
        return []
    drift = drifted(wanted.path, found, wanted.block.body if wanted.block else None)
    return [each.model_copy(update={"rule": wanted.project.path(each.rule)}) for each in drift]


def _shown(wanted: WantedFile, text: str) -> RulesFile:
    """The file as a result may have it: human text in it may hold secrets and bytes that are no text."""
    readable = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    content = redact(strip_invisible(readable))
    return RulesFile(path=wanted.path, content=content, tokens=estimate_tokens(content), rules=wanted.rules)
