"""Python's unittest, through a result class of ours that is loaded before anything of the repository."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import get_args

from repowright_tools.run_tests_sandboxed.json_objects import is_list
from repowright_tools.run_tests_sandboxed.junit import by_ending, test_id
from repowright_tools.run_tests_sandboxed.models import Case, CaseOutcome
from repowright_tools.run_tests_sandboxed.runners.base import MOST_BYTES, Cases, Reporting
from repowright_tools.run_tests_sandboxed.runners.words import PYTHON, joined
from repowright_tools.sandbox.base import OUT

_REPORT = "unittest.json"
_PROGRAM = f"""
import json, os, sys, time, unittest
report = open({OUT + "/" + _REPORT!r}, "w")
class Result(unittest.TextTestResult):
    def tell(self, test, outcome, error=None):
        message = self._exc_info_to_string(error, test) if isinstance(error, tuple) else str(error or "")
        took = time.perf_counter() - getattr(self, "began", time.perf_counter())
        report.write(json.dumps([test.id(), outcome, took, message]) + "\\n")
        report.flush()
    def startTest(self, test):
        self.began = time.perf_counter()
        super().startTest(test)
    def addSuccess(self, test):
        super().addSuccess(test); self.tell(test, "passed")
    def addError(self, test, error):
        super().addError(test, error); self.tell(test, "error", error)
    def addFailure(self, test, error):
        super().addFailure(test, error); self.tell(test, "failed", error)
    def addSkip(self, test, reason):
        super().addSkip(test, reason); self.tell(test, "skipped", reason)
    def addExpectedFailure(self, test, error):
        super().addExpectedFailure(test, error); self.tell(test, "skipped", error)
    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test); self.tell(test, "failed", "passed, but was expected to fail")
    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None: self.tell(test, "failed", error)
class Runner(unittest.TextTestRunner):
    resultclass = Result
sys.path[0:0] = [os.getcwd(), *filter(None, os.environ.get("PYTHONPATH", "").split(":"))]
sys.argv[0] = "python3 -m unittest"
unittest.main(module=None, testRunner=Runner)
"""
_MAIN = re.compile(r"(?P<kind>setUpClass|tearDownClass|setUpModule|tearDownModule) \((?P<where>[\w.]+)\)")
_UNLOADED = ("unittest.loader._FailedTest.", "unittest.loader.ModuleImportFailure.")


def unittest_reporting(words: list[str]) -> Reporting | None:
    """How `python -m unittest` with these words reports; None when it is something else."""
    if len(words) < 3 or not PYTHON.fullmatch(words[0]) or words[1:3] != ["-m", "unittest"]:
        return None
    line = joined(["python3", "-I", "-u", "-c", _PROGRAM, *words[3:]])
    return Reporting(line, (_REPORT,), _read)


def _read(files: Mapping[str, bytes], paths: Collection[str]) -> list[Case] | None:
    return read_unittest(files[_REPORT], paths) if _REPORT in files else None


def read_unittest(data: bytes, paths: Collection[str]) -> list[Case] | None:
    """The tests as `path::Class::test`; what could not be imported, or set up, is an error of its file or class."""
    cases, files = Cases(), by_ending(paths)
    for line in data[:MOST_BYTES].splitlines():
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not is_list(told) or [type(part) for part in told] != [str, str, float, str]:
            continue
        name, outcome, took, message = told
        if outcome in get_args(CaseOutcome):
            cases.add(_id(name[:2_000], files), outcome, took, message)
    return cases.all()


def _id(name: str, files: Mapping[str, str | None]) -> str:
    if around := _MAIN.fullmatch(name):
        return test_id(around["where"], "", files)
    for prefix in _UNLOADED:
        if name.startswith(prefix):
            return test_id(name.removeprefix(prefix), "", files)
    owner, _, test = name.rpartition(".")
    return test_id(owner, test, files)
