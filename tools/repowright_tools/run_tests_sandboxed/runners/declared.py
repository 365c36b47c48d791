"""Commands that leave a JUnit file by themselves, or start a runner that does."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping

from repowright_tools.run_tests_sandboxed.junit import read_junit
from repowright_tools.run_tests_sandboxed.models import Case
from repowright_tools.run_tests_sandboxed.runners.base import Reporting
from repowright_tools.sandbox.base import OUT

REPORT = "junit.xml"
"""The file in `OUT` that per-test results are read from."""
PYTEST_OPTIONS = (
    f"--junitxml={OUT}/{REPORT} -o junit_family=xunit2 -p no:cacheprovider"
    " --continue-on-collection-errors"  # a file that never could be imported must not keep the others from being tested
)
REPORT_VARIABLES = {
    "PYTEST_ADDOPTS": PYTEST_OPTIONS,
    "JEST_JUNIT_OUTPUT_FILE": f"{OUT}/{REPORT}",
    "GOTESTSUM_JUNITFILE": f"{OUT}/{REPORT}",
    "JUNIT_OUTPUT": f"{OUT}/{REPORT}",
}
"""For a command that is not a runner itself, but may start one that reports. JUNIT_OUTPUT is for scripts to use."""

_DECLARED = re.compile(r"--?[\w-]*junit[\w-]*[= ](?P<path>[\w./-]+\.xml)\b", re.IGNORECASE)


def declared_reporting(command: str) -> Reporting:
    """How any command reports: to where an option of it says (`--junit... path.xml`), or to JUNIT_OUTPUT."""
    line = command
    if named := _DECLARED.search(command):
        path = shlex.quote(named["path"])
        # A report that lies in the repository is of another day
        line = f"rm -f {path}; ( {command}\n); code=$?; cp {path} {OUT}/{REPORT}; exit $code"
    return Reporting(line, (REPORT,), _read, REPORT_VARIABLES)


def _read(files: Mapping[str, bytes], paths: Collection[str]) -> list[Case] | None:
    data = files.get(REPORT)
    return None if data is None else read_junit(data, paths)
