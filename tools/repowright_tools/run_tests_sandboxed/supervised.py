"""The line that runs pytest under our own supervisor in the box, and what it needs to take along."""

from __future__ import annotations

import base64
import json
import shlex
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from repowright_tools.sandbox.base import OUT, REPOSITORY

RECORD = "record.json"
"""The file in `OUT` that the supervisor writes when nobody else is left to write it."""
SITE = "/work/site"
"""Where the project under test is installed to in the box; see `import_line`."""

_PACKAGE = "repowright_tools.run_tests_sandboxed.in_box"
_MODULES = ("probes", "integrity", "reporter", "start")
_LONGEST = 120_000
"""Characters of one argument: Linux takes 128 KiB (execve(2), MAX_ARG_STRLEN)."""
_BEGIN = f"""
import base64, json, os, sys, types, zlib
ask, say = int(sys.argv[1]), int(sys.argv[2])
with os.fdopen(ask, "rb") as order: order = json.load(order)
for parent in {_PACKAGE!r}.split("."):
    name = parent if "name" not in dir() else name + "." + parent
    sys.modules[name] = types.ModuleType(name)
for short, text in order.pop("sources").items():
    module = types.ModuleType(name + "." + short)
    sys.modules[module.__name__] = module
    exec(compile(text, "<in_box/" + short + ">", "exec"), module.__dict__)
sys.exit(module.run_tests(order, say))
"""


_UNPACK = """
import base64, sys, zlib
def unpack(text): return zlib.decompress(base64.b64decode(text)).decode()
"""


@dataclass(frozen=True)
class Selected:
    """The tests that are run of those that the command finds; neither files nor ids: all of them.

    Attributes:
        files: test files, all of whose tests are run.
        ids: single tests.
    """

    files: Sequence[str] = ()
    ids: Sequence[str] = ()


@dataclass(frozen=True)
class Supervision:
    """What is asked of the supervisor.

    Attributes:
        arguments: of pytest.
        prepare: a line for `sh` that makes the project importable. It runs the repository's code.
        selected: what to run of what is collected.
        probes: statements to watch, by the line that they start on, for each path.
    """

    arguments: Sequence[str]
    prepare: str = ""
    selected: Selected = field(default_factory=Selected)
    probes: Mapping[str, Sequence[int]] = field(default_factory=dict[str, Sequence[int]])


def supervised_line(what: Supervision) -> str | None:
    """A line for `sh` that runs pytest so; None when it would be longer than a command can be.

    What it stops, each with a test: results that a test or the code under test writes itself, events that it sends,
    the end of the process before the end of the tests (`os._exit`, `pytest.exit`), hooks and patches that turn a
    failure into a pass, modules that take the place of pytest's, compiled files that stand for a test, tests that are
    replaced once they are read, sources that the run itself writes anew, processes left behind to change the record.

    What it does not stop: code that runs in the test process can find the key by introspection (frames, the garbage
    collector) and then say what it likes in the right order; nothing in one process can be kept from that process. It
    cannot take a test of the base out of the comparison, nor speak after its process has ended.
    """
    only = {"files": list(what.selected.files), "ids": list(what.selected.ids)}
    child = {
        "arguments": list(what.arguments),
        "sources": _sources(),
        "only": only if any(only.values()) else None,
        "probes": {f"{REPOSITORY}/{path}": list(lines) for path, lines in what.probes.items()},
    }
    order = {
        "repository": REPOSITORY,
        "record": f"{OUT}/{RECORD}",
        "prepare": "" if what.prepare == ":" else what.prepare,
        "site": SITE,
        "start": _BEGIN,
        "child": child,
    }
    packed = base64.b64encode(zlib.compress(json.dumps(order).encode(), 9)).decode()
    program = f"{_UNPACK}sys.argv[1] = unpack(sys.argv[1])\nexec(unpack({_packed_supervisor()!r}))"
    line = f"exec python3 -I -S -c {shlex.quote(program)} {packed}"
    return line if len(line) <= _LONGEST else None


@cache
def _sources() -> dict[str, str]:
    return {name: (files(_PACKAGE) / f"{name}.py").read_text("utf-8") for name in _MODULES}


@cache
def _packed_supervisor() -> str:
    text = (files(_PACKAGE) / "supervisor.py").read_text("utf-8")
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()
