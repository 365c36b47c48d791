"""Projects that try to get a better verdict than they deserve, or at what the user never committed."""

from pathlib import Path
from textwrap import dedent

import pytest

from repowright_tools.index.index import Index
from repowright_tools.models import TestReport
from repowright_tools.run_tests_sandboxed.models import RunTestsArguments
from repowright_tools.run_tests_sandboxed.stage import RunTestsSandboxed
from repowright_tools.sandbox.docker import DockerSandbox
from support.ports import MemoryJournal, RecordedEvents, bound, stage_context
from support.repositories import make_repository, write_files

pytestmark = pytest.mark.anyio
ONLY_IN_A_BOX = "import os\nif not os.path.exists('/.dockerenv'):\n    os._exit(99)\n"
FORGE = (
    "open('/work/out/junit.xml', 'w').write('<testsuites><testsuite>"
    '<testcase classname="test_a" name="test_x" time="inf"/></testsuite></testsuites>\')\n'
)
HIDE = dedent("""
    import pytest
    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(item, call):
        report = (yield).get_result()
        report.outcome, report.longrepr = "passed", None
    """)


class Scratch:
    def __init__(self, root: Path) -> None:
        self.root = root


async def report_of(root: Path, commit: str, sandbox: DockerSandbox) -> TestReport:
    ctx = stage_context(
        bound(root, commit),
        results={},
        sandbox=sandbox,
        workspace=Scratch(root.parent / "scratch"),
        index=Index(),
        journal=MemoryJournal(),
        events=RecordedEvents(),
    )
    arguments = {"command": "pytest", "setup_network": False, "timeout_s": 60}
    return await RunTestsSandboxed().run(ctx, RunTestsArguments.model_validate(arguments))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("conftest.py", ONLY_IN_A_BOX + HIDE),
        ("sitecustomize.py", f"{ONLY_IN_A_BOX}import sys\nif 'pytest' in sys.orig_argv:\n    {FORGE}    os._exit(0)\n"),
        ("pytest.py", ONLY_IN_A_BOX + FORGE),
    ],
)
async def test_what_can_forge_results_is_named_whatever_the_verdict(
    tmp_path: Path, sandbox: DockerSandbox, path: str, text: str
) -> None:
    """I02: a result made by the code under test is no better than that code; who reads it is told where to look."""
    commit = make_repository(tmp_path / "project", {"test_a.py": "def test_x(): assert True\n"})
    write_files(tmp_path / "project", {"test_a.py": "def test_x(): assert False\n", path: text})
    report = await report_of(tmp_path / "project", commit, sandbox)
    assert ("steering_changed", path) in [(found.kind, found.path) for found in report.tamper]
    assert path in report.reason
    assert report.verdict in ("failed", "tampered")
    assert all(test.duration_s < 1e6 for test in report.tests)


async def test_a_key_in_a_committed_settings_file_stays_out_until_it_is_committed(
    tmp_path: Path, sandbox: DockerSandbox
) -> None:
    """K01."""
    look = "def test_look():\n    assert open('.env').read() == 'KEY=\\n'\n"
    commit = make_repository(tmp_path / "project", {".env": "KEY=\n", "test_a.py": look})
    write_files(tmp_path / "project", {".env": "KEY=canary\n"})
    report = await report_of(tmp_path / "project", commit, sandbox)
    assert report.verdict == "passed"
