"""Whose manifests say what a test command starts: the base's, unless the plan owns them."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from repowright_tools.run_tests_sandboxed.json_objects import is_table
from repowright_tools.run_tests_sandboxed.runners.packages import MANIFESTS, listed, listed_by_pnpm, read_manifest

if TYPE_CHECKING:
    from repowright_tools.run_tests_sandboxed.sources import Sources


@dataclass(frozen=True)
class Deciding:
    """The files that say which scripts and packages a command starts, by path.

    Attributes:
        known: as the base has them, those that the plan owns as the change has them.
        extended: the same with the scripts and packages besides that only the change has. They come last, so that they
            run after what the base tests.
    """

    known: Mapping[str, bytes]
    extended: Mapping[str, bytes]


def deciding_files(sources: Sources, owned: Collection[str]) -> Deciding:
    """The manifests of both trees as they count.

    A script that replaces or surrounds one of the base's never counts: it could leave out the test that would fail.
    """
    before, after = _manifests(sources.base_data), _manifests(sources.candidate_data)
    known = {path: after[path] if path in owned and path in after else data for path, data in before.items()}
    known |= {path: data for path, data in after.items() if path in owned}
    there = {file.path for file in sources.base}
    extended = {path: _with_new(path, data, after.get(path, b"")) for path, data in known.items()}
    same = {path: data for path, data in extended.items() if data == known[path]}
    new = {path: data for path, data in after.items() if path not in there}
    return Deciding(known, same | {path: data for path, data in (extended | new).items() if path not in same})


def _manifests(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path: files[path] for path in sorted(files) if posixpath.basename(path) in MANIFESTS}


def _with_new(path: str, base: bytes, change: bytes) -> bytes:
    """The base's manifest with the scripts and packages that only the change's has; the base's if there are none."""
    if path.endswith(".yaml"):
        return _with_new_packages(base, change)
    before, after = read_manifest(base), read_manifest(change)
    scripts, packages = _new_scripts(_scripts(before), _scripts(after)), _more(listed(before), listed(after))
    if not scripts and not packages:
        return base
    whole = {**before, "scripts": {**_scripts(before), **scripts}, "workspaces": [*listed(before), *packages]}
    return json.dumps(whole).encode()


def _with_new_packages(base: bytes, change: bytes) -> bytes:
    """The same for a pnpm-workspace.yaml."""
    before, after = listed_by_pnpm(base), listed_by_pnpm(change)
    more = [] if before is None or after is None else _more(before, after)
    lines = ["packages:", *(f'  - "{entry}"' for entry in [*(before or []), *more])]
    return "\n".join(lines).encode() if more else base


def _more(before: list[str], after: list[str]) -> list[str]:
    return [entry for entry in after if entry not in before and not entry.startswith("!")]


def _scripts(manifest: Mapping[str, Any]) -> dict[str, str]:
    found = manifest.get("scripts")
    return {name: text for name, text in found.items() if isinstance(text, str)} if is_table(found) else {}


def _new_scripts(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Scripts that the base has not, without those that would run beside one of the base's."""
    optional = {word for text in before.values() if "--if-present" in text for word in text.split()}
    beside = {f"{when}{name}" for when in ("pre", "post") for name in before} | optional
    return {name: text for name, text in after.items() if name not in before and name not in beside}
