"""The pytest plugin that tells the supervisor what happens, as it happens.

It shares its process with the code under test, so what it says is made hard to forge, not impossible: it is loaded
before anything of the repository, signs each event with a key that is nowhere but in its closure, by compiled functions
that it got hold of before, looks at what a test really raised and not at the report alone, and notices when a test, or
a function of pytest or unittest, is replaced.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import posixpath
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from repowright_tools.run_tests_sandboxed.in_box.integrity import (
    Seal,
    TestFunctions,
    equal_to_everything,
    foreign_asserts,
    foreign_checks,
    foreign_hooks,
)

_MOST_TEXT = 4_000
_SHORT_TEXT = 200
_MOST_TEXT_OF_ALL = 16_000_000
_AT_ONCE = 500
Send = Callable[[dict[str, Any]], None]


def sender(pipe: int, key: bytes) -> Send:
    """What signs and sends an event; silent in a process that was forked from this one.

    The functions that see the key or word the event are bound here and written in C: a module's attribute can be
    replaced by the code under test, and a replacement of `hmac.new` would be handed the key.
    """
    count = 0
    owner = os.getpid()
    lock = threading.Lock()
    getpid, write, encode, sign = os.getpid, os.write, _encoder(), _signer()

    def send(event: dict[str, Any]) -> None:
        nonlocal count
        if getpid() != owner:
            return
        text = "".join(encode(event, 0)).encode()
        with lock:
            mac = sign(key, b"%d " % count + text, "sha256").hex().encode()
            count += 1
            left = mac + b" " + text + b"\n"
            while left:
                left = left[write(pipe, left) :]

    return send


def _encoder() -> Callable[[Any, int], Any]:
    """What json.dumps uses in the end; its own where that is not compiled."""
    module = cast(Any, json.encoder)
    if module.c_make_encoder is None:
        return lambda event, _: json.dumps(event)
    text = module.encode_basestring_ascii
    return cast(
        "Callable[[Any, int], Any]", module.c_make_encoder({}, None, text, None, ": ", ", ", False, False, True)
    )


def _signer() -> Callable[[bytes, bytes, str], bytes]:
    try:
        from _hashlib import hmac_digest
    except ImportError:  # a Python without OpenSSL
        return hmac.digest
    return hmac_digest


class Reporter:
    """Sends these events.

    collected: ids of the tests that will run, in pieces; sent once all are known. `elsewhere`: in other processes.
    unreadable: a file whose tests could not be found out, or that skips itself.
    changed: a test file that is not what it was before anything ran.
    start, report: of each test and phase, but for what surrounds a test and went well; `raised` says
        what its own code raised.
    altered: a test, or a function of the runner, that was replaced.
    equal: a class of the repository whose objects are equal to anything.
    finish: the end of the session, with the hooks of the repository that could decide results, and the lines that ran.
    """

    def __init__(
        self, send: Send, hashes: dict[str, str], only: dict[str, list[str]] | None, hits: dict[str, set[int]] | None
    ) -> None:
        self._send = send
        self._hashes = hashes
        self._only = only
        self._hits = hits
        self._seal: Seal | None = None
        self._functions = TestFunctions()
        self._asserts: set[str] = set()
        self._raised: dict[str, str | None] = {}
        self._around = 0.0
        self._text_left = _MOST_TEXT_OF_ALL
        self._prefix = ""
        self._home = os.getcwd()  # noqa: PTH109

    # --- before the tests ---------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_load_initial_conftests(self) -> None:
        self._seal = Seal()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        root = posixpath.relpath(str(session.config.rootpath), self._home)
        self._prefix = "" if root == "." else f"{root}/"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectstart(self, collector: pytest.Collector) -> None:
        path = str(getattr(collector, "path", None) or getattr(collector, "fspath", ""))
        known = self._hashes.get(path)
        if known is None or not isinstance(collector, pytest.Module):
            return
        with open(path, "rb") as file:  # noqa: PTH123
            if hashlib.sha256(file.read()).hexdigest() != known:
                self._send({"event": "changed", "path": posixpath.relpath(path, self._home)})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if not report.passed and not hasattr(report, "node"):
            event = {"event": "unreadable", "id": self._id(report.nodeid), "skipped": report.skipped}
            self._send({**event, "message": _text(report)})

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Iterator[None]:
        yield
        if self._only is not None:
            files, ids = set(self._only["files"]), set(self._only["ids"])
            names = [(item, self._id(item.nodeid)) for item in items]
            items[:] = [item for item, name in names if name in ids or name.partition("::")[0] in files]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._functions.remember(session.items)
        option = session.config.option
        ids = [] if option.collectonly else [self._id(item.nodeid) for item in session.items]
        self._collected(ids, elsewhere=bool(getattr(option, "forked", False)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        self._hits = None  # the lines ran in other processes
        if node.gateway.id == "gw0":
            self._collected([self._id(name) for name in ids], elsewhere=True)

    def _collected(self, ids: list[str], *, elsewhere: bool) -> None:
        for at in range(0, max(len(ids), 1), _AT_ONCE):
            self._send({"event": "collected", "ids": ids[at : at + _AT_ONCE], "elsewhere": elsewhere})

    # --- the tests ----------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._around = 0.0
        self._send({"event": "start", "id": self._id(nodeid)})

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._raised.pop(item.nodeid, None)
        own = item.runtest

        def runtest() -> None:
            self._raised[item.nodeid] = None
            if self._functions.is_replaced(item):
                self._send({"event": "altered", "name": f"the test function of {self._id(item.nodeid)}"})
            try:
                own()
            except BaseException as error:
                self._raised[item.nodeid] = type(error).__name__
                raise
            if getattr(item, "_excinfo", None):  # how unittest's failures come
                self._raised[item.nodeid] = item._excinfo[0].typename  # type: ignore[attr-defined]  # pyright: ignore

        item.runtest = runtest  # type: ignore[method-assign]
        yield
        item.runtest = own  # type: ignore[method-assign]
        self._asserts |= foreign_asserts(item, self._home)
        self._look_at_runner()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._around += report.duration if report.when != "call" else 0.0
        if report.when != "call" and report.outcome == "passed":
            return  # it says nothing that the test itself does not say
        event: dict[str, Any] = {"event": "report", "id": self._id(report.nodeid), "when": report.when}
        took = report.duration + (self._around if report.when == "call" else 0.0)
        event.update(outcome=report.outcome, duration=took, xfail=hasattr(report, "wasxfail"))
        if report.when == "call" and report.nodeid in self._raised:
            event["raised"] = self._raised[report.nodeid] or ""
        if report.outcome != "passed":
            event["message"] = _text(report)[: _MOST_TEXT if self._text_left > 0 else _SHORT_TEXT]
            self._text_left -= len(event["message"])
        self._send(event)

    def _look_at_runner(self) -> None:
        for name in self._seal.broken() if self._seal else ():
            self._send({"event": "altered", "name": name})

    # --- after the tests ----------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        self._look_at_runner()
        hooks = sorted(
            {*foreign_hooks(session.config.pluginmanager, self._home), *foreign_checks(self._home), *self._asserts}
        )
        for path, name in equal_to_everything(self._home):
            self._send({"event": "equal", "path": path, "name": name})
        event: dict[str, Any] = {"event": "finish", "hooks": hooks, "stopped": str(session.shouldstop or "")[:200]}
        if self._hits is not None:
            event["ran"] = {path: sorted(lines) for path, lines in self._hits.items()}
        self._send(event)

    def _id(self, nodeid: str) -> str:
        return posixpath.normpath(self._prefix + nodeid) if self._prefix and nodeid else nodeid


def _text(report: Any) -> str:
    """As a JUnit file would have it: what was raised, then where."""
    try:
        whole = str(report.longreprtext)
        shown: Any = report.longrepr
        crash = getattr(shown, "reprcrash", None)
        if type(shown) is tuple:  # of a skip: where, and why
            return str(cast("tuple[str, int, str]", shown)[2])[:_MOST_TEXT]
        if not isinstance(report, pytest.TestReport):
            return f"{'collection skipped' if report.skipped else 'collection failure'}\n{whole}"[:_MOST_TEXT]
        said = str(crash.message) if crash is not None else ""
        head = f"failed on {report.when} with " if report.when != "call" and report.failed else ""
        return f"{head}{said}\n{whole}".strip()[:_MOST_TEXT]
    except Exception:
        return f"not printable ({sys.exc_info()[0]})"
