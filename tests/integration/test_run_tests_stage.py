"""run_tests_sandboxed on real repositories with a real engine. No network: the image's own pytest runs the tests."""

import json
from pathlib import Path

import anyio
import pytest

from repowright_tools.errors import CommandUnknown, InstallFailed, InvalidArguments, PatchRejected
from repowright_tools.events import TaskEvent
from repowright_tools.models import GeneratedCode, TestReport
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.docker import DockerSandbox
from support.docker import boxes_of
from support.projects import Project
from support.repositories import commit_all, git, make_repository, write_files

pytestmark = [pytest.mark.docker, pytest.mark.anyio]

ADD = {"calc.py": "def add(a, b):\n    return a + b\n"}
TEST_ADD = {"test_calc.py": "from calc import add\n\ndef test_add():\n    assert add(1, 2) == 3\n"}
CONFTEST_OF_A_PART_OF_PYTEST = "import sys\nsys.modules.pop('iniconfig', 0), sys.modules.pop('iniconfig._parse', 0)\n"
ONLY_IN_A_BOX = "import os\nif not os.path.exists('/.dockerenv'):\n    os._exit(99)\n"


@pytest.fixture
def project(tmp_path: Path, sandbox: DockerSandbox) -> Project:
    return Project(tmp_path, sandbox)


def classes(report: TestReport) -> dict[str, str | None]:
    return {test.id: test.class_ for test in report.tests}


async def test_each_test_is_classified_against_the_base_commit(project: Project) -> None:
    project.start(
        ADD
        | {
            "test_calc.py": """
                from calc import add
                def test_kept(): assert add(1, 1) == 2
                def test_broken(): assert add(2, 2) == 4
                def test_mended(): assert add(0, 0) == 1
                def test_old_failure(): assert False
                def test_removed(): pass
            """
        }
    )
    project.change(
        {
            "calc.py": "def add(a, b):\n    return 5 if (a, b) == (2, 2) else 1 if (a, b) == (0, 0) else a + b\n",
            "test_calc.py": """
                from calc import add
                def test_kept(): assert add(1, 1) == 2
                def test_broken(): assert add(2, 2) == 4
                def test_mended(): assert add(0, 0) == 1
                def test_old_failure(): assert False
                class TestMore:
                    def test_added(self): pass
            """,
        }
    )
    report = await project.test()
    assert report.verdict == "failed"
    assert "test_calc.py::test_broken" in report.reason
    assert classes(report) == {
        "test_calc.py::test_kept": "unchanged",
        "test_calc.py::test_broken": "new_failure",
        "test_calc.py::test_mended": "fixed",
        "test_calc.py::test_old_failure": "pre_existing",
        "test_calc.py::TestMore::test_added": "new",
        "test_calc.py::test_removed": "vanished",
    }
    assert report.totals.model_dump() == {"passed": 3, "failed": 2, "skipped": 0, "errors": 0}
    assert report.environment.backend == "docker"
    assert report.environment.image_digest.startswith("sha256:")
    assert set(report.environment.limits) == {"memory_bytes", "cpus", "pids", "timeout_s", "workspace_bytes"}
    done = [(event.task, event.status) for event in project.events.events if isinstance(event, TaskEvent)]
    assert done == [(name, how) for name in ("install", "baseline", "candidate") for how in ("STARTED", "COMPLETE")]


async def test_old_failures_alone_pass_and_are_named_and_without_a_baseline_they_fail(project: Project) -> None:
    project.start(ADD | {"test_calc.py": "def test_old(): assert False\ndef test_good(): pass\n"})
    compared = await project.test()
    assert compared.verdict == "passed"
    assert "test_calc.py::test_old" in compared.reason
    alone = await project.test(baseline=False)
    assert alone.verdict == "failed"
    assert set(classes(alone).values()) == {None}


async def test_a_failing_test_that_the_base_does_not_have_is_a_new_failure(project: Project) -> None:
    project.start(ADD | TEST_ADD)
    project.change({"test_more.py": "def test_more(): assert False\n"})
    report = await project.test()
    assert (report.verdict, classes(report)["test_more.py::test_more"]) == ("failed", "new_failure")


async def test_a_flaky_test_never_passes_silently(project: Project) -> None:
    # forty coins: that none of them shows both sides in six throws happens once in 10^60
    coins = """
        import random, pytest
        @pytest.mark.parametrize("n", range(40))
        def test_coin(n): assert random.random() < 0.5
    """
    project.start({"test_coins.py": coins})
    report = await project.test(repeat=6, baseline=False)
    assert report.verdict == "failed"
    assert "flaky: test_coins.py::test_coin[" in report.reason
    assert len([name for name in project.journal.effects if name.startswith("tests:candidate:")]) == 6
    compared = await project.test(repeat=6)
    assert "flaky" in compared.reason
    assert "flaky" in classes(compared).values()


@pytest.mark.parametrize(
    ("test_file", "verdict", "said"),
    [
        ("def helper(): pass\n", "no_tests", "no tests"),
        ("import nothing_of_this_name\ndef test_x(): pass\n", "collection_error", "test_case.py"),
        ("def test_x(:\n", "collection_error", "test_case.py"),
        ("def test_x():\n    import ctypes\n    ctypes.string_at(0)\n", "crashed", "segmentation fault"),
        ("def test_x():\n    x = bytearray(400 * 2**20)\n", "out_of_memory", "memory"),
        ("def test_x():\n    import time\n    print('before', flush=True)\n    time.sleep(60)\n", "timeout", "2 s"),
        ("def test_x():\n    import os\n    os._exit(0)\n", "tampered", "report is missing"),
        ("import pytest\n@pytest.mark.skip\ndef test_x(): pass\n", "no_tests", "skipped"),
    ],
)
async def test_ends_of_a_test_run_are_told_apart(project: Project, test_file: str, verdict: str, said: str) -> None:
    """S08, S13"""
    project.start({"test_case.py": ONLY_IN_A_BOX + test_file})
    report = await project.test(baseline=False, timeout_s=2 if verdict == "timeout" else 60, command="pytest -s")
    assert (report.verdict, said in report.reason) == (verdict, True), report.reason
    if verdict == "timeout":
        assert "before" in report.output_tail
        assert report.limits_hit == ["timeout"]
    if verdict == "tampered":
        assert [entry.kind for entry in report.tamper] == ["results_contradict"]


async def test_a_conftest_that_hides_failures_is_called_tampering_and_named(project: Project) -> None:
    project.start(ADD | TEST_ADD)
    project.change(
        {
            "calc.py": "def add(a, b):\n    return 0\n",
            "conftest.py": "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n",
        }
    )
    report = await project.test()
    assert report.verdict == "tampered"
    assert ("steering_changed", "conftest.py") in [(entry.kind, entry.path) for entry in report.tamper]


async def test_tests_that_write_everywhere_leave_the_work_tree_as_it_was(project: Project) -> None:
    """S14, G03. A test that rewrites test files while they run is called what it is."""
    project.start(
        ADD
        | {
            "test_writes.py": ONLY_IN_A_BOX
            + "from pathlib import Path\n"
            + "def test_writes():\n"
            + "    Path('test_writes.py').write_text('changed')\n"
            + "    Path('calc.py').write_text('changed')\n"
            + "    Path('new.txt').write_text('new')\n"
            + "    Path('.git/hooks').mkdir(parents=True)\n"
            + "    Path('.git/hooks/pre-commit').write_text('#!/bin/sh')\n"
        }
    )
    before = {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()}
    report = await project.test(baseline=False)
    assert (report.verdict, report.totals.passed) == ("tampered", 1), report.output_tail
    assert "test_writes.py" in {tamper.path for tamper in report.tamper}
    assert {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()} == before


async def test_uncommitted_changes_are_tested_but_private_settings_stay_out(project: Project) -> None:
    """K01"""
    project.start(TEST_ADD | ADD)
    look = """
        from pathlib import Path
        def test_look(): assert [path.name for path in Path(".").glob(".env*")] == [".env.example"]
    """
    project.change({".env": "TOKEN=canary\n", ".env.local": "TOKEN=canary\n", ".env.example": "", "test_look.py": look})
    report = await project.test()
    assert report.verdict == "passed", report.output_tail
    assert classes(report)["test_look.py::test_look"] == "new"


async def test_a_patch_is_applied_to_the_base_commit_and_not_to_the_work_tree(project: Project, tmp_path: Path) -> None:
    project.start(ADD | TEST_ADD | {"run.sh": "echo\n"})
    project.change({"calc.py": "def add(a, b):\n    return 0\n"})  # uncommitted: no part of what the patch is against
    other = tmp_path / "other"
    make_repository(other, ADD | TEST_ADD | {"run.sh": "echo\n"})
    write_files(other, {"test_new.py": "def test_new(): pass\n", "with space.txt": "x\n"})
    (other / "run.sh").unlink()
    git(other, "add", "-A")
    patch = git(other, "diff", "--cached")
    report = await project.test(patch=patch)
    assert report.verdict == "passed", report.output_tail
    assert classes(report) == {"test_calc.py::test_add": "unchanged", "test_new.py::test_new": "new"}
    assert (project.root / "calc.py").read_text() == "def add(a, b):\n    return 0\n"
    assert list((tmp_path / "workspace").iterdir()) == []


@pytest.mark.parametrize(
    "patch",
    [
        "no diff at all",
        "--- a/calc.py\n+++ b/calc.py\n@@ -1 +1 @@\n-not there\n+new\n",
        "--- /dev/null\n+++ b/../outside.txt\n@@ -0,0 +1 @@\n+x\n",
        "--- /dev/null\n+++ b/.git/config\n@@ -0,0 +1 @@\n+[core]\n",
    ],
)
async def test_a_patch_that_does_not_apply_is_refused_before_anything_runs(
    project: Project, patch: str, tmp_path: Path
) -> None:
    """G06"""
    project.start(ADD | TEST_ADD)
    with pytest.raises(PatchRejected):
        await project.test(patch=patch)
    assert project.journal.effects == []
    assert not (tmp_path / "outside.txt").exists()


async def test_what_generate_code_made_is_what_is_tested(project: Project, tmp_path: Path) -> None:
    project.start(ADD | TEST_ADD)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(project.root), str(clone))
    write_files(clone, {"test_generated.py": "def test_generated(): pass\n"})
    head = commit_all(clone)
    project.results["generate_code"] = GeneratedCode(
        branch="repowright/x",
        base_commit=project.commit,
        head_commit=head,
        repository=str(clone),
        fetch="",
        diff="",
    )
    report = await project.test()
    assert classes(report)["test_generated.py::test_generated"] == "new"


async def test_a_resumed_attempt_runs_only_what_is_not_in_the_journal(project: Project) -> None:
    project.start(ADD | TEST_ADD)
    first = await project.test(repeat=2)
    order = ["tests:baseline:1", "tests:candidate:1", "tests:baseline:2", "tests:candidate:2"]
    assert project.journal.effects == order
    again = await project.test(repeat=2)
    assert project.journal.effects == order
    assert again == first
    json.dumps(again.model_dump(mode="json", by_alias=True))


async def test_a_selector_chooses_tests_by_path_by_node_and_by_expression(project: Project) -> None:
    project.start(
        ADD | {"test_a.py": "def test_one(): pass\ndef test_two(): pass\n", "test_b.py": "def test_one(): pass\n"}
    )
    by_path = await project.test(selector="test_b.py", baseline=False)
    by_node = await project.test(selector="test_a.py::test_two", baseline=False)
    by_expression = await project.test(selector="one", baseline=False)
    assert list(classes(by_path)) == ["test_b.py::test_one"]
    assert list(classes(by_node)) == ["test_a.py::test_two"]
    assert list(classes(by_expression)) == ["test_a.py::test_one", "test_b.py::test_one"]
    with pytest.raises(InvalidArguments):
        await project.test(selector="one", command="make test")


async def test_a_command_without_single_results_is_judged_by_its_exit_code_and_never_passes(project: Project) -> None:
    project.start({"README.md": "x"})
    assert (await project.test(command="true", baseline=False)).verdict == "no_tests"
    failed = await project.test(command="exit 3", baseline=False)
    assert (failed.verdict, "exit code 3" in failed.reason) == ("failed", True)
    assert (await project.test(command="no-such-program", baseline=False)).verdict == "collection_error"


async def test_a_script_that_starts_pytest_reports_its_tests_all_the_same(project: Project) -> None:
    project.start(ADD | TEST_ADD | {"check.sh": "echo checking\npython3 -m pytest -q\n"})
    report = await project.test(command="sh check.sh && true", baseline=False)
    assert (report.verdict, list(classes(report))) == ("passed", ["test_calc.py::test_add"])


async def test_secrets_and_terminal_sequences_are_not_in_the_result(project: Project) -> None:
    """S22, K01"""
    token = "ghp_" + "a1B2" * 9
    project.start({"test_says.py": f"def test_says():\n    print('\\x1b]0;title\\x07{token}')\n    assert False\n"})
    report = await project.test(baseline=False)
    whole = report.model_dump_json()
    assert token not in whole
    assert "redacted" in report.output_tail
    assert not {"\x1b", "\x07"} & set(report.output_tail + (report.tests[0].message or ""))


async def test_a_project_is_importable_with_its_version_and_its_commands(
    tmp_path: Path, sandbox: DockerSandbox
) -> None:
    """Needs the package index: the dependencies, pytest among them, are installed in an environment of their own."""
    project = Project(tmp_path, sandbox)
    project.start(
        {
            "pyproject.toml": """
                [build-system]
                requires = ["setuptools>=64"]
                build-backend = "setuptools.build_meta"
                [project]
                name = "greeter"
                version = "3.2.1"
                dependencies = ["iniconfig"]
                [project.scripts]
                greet = "greeter:main"
                [dependency-groups]
                test = ["pytest"]
            """,
            "src/greeter/__init__.py": "def main():\n    print('hello')\n",
            "tests/test_greeter.py": """
                import importlib.metadata, subprocess
                import greeter, iniconfig
                def test_version(): assert importlib.metadata.version("greeter") == "3.2.1"
                def test_command():
                    assert subprocess.run(["greet"], capture_output=True, text=True).stdout == "hello\\n"
                def test_sources(): assert greeter.__file__.startswith("/work/repo/src/")
            """,
        }
    )
    project.change({"src/greeter/__init__.py": "def main():\n    print('hello')\n\nMORE = 1\n"})
    report = await project.test(setup_network=True)
    assert report.verdict == "passed", report.output_tail
    assert set(classes(report).values()) == {"unchanged"}
    with anyio.fail_after(30):  # the same dependencies: nothing is installed, so no network is needed
        project.change({"src/greeter/more.py": ""})
        again = await project.test(setup_network=False)
    assert again.environment.image_digest == report.environment.image_digest


async def test_dependencies_that_only_a_build_script_knows_are_installed(
    tmp_path: Path, sandbox: DockerSandbox
) -> None:
    """Needs the package index. The script runs in a box without network: what it says is data."""
    project = Project(tmp_path, sandbox)
    project.start(
        {
            "setup.py": ONLY_IN_A_BOX
            + "from setuptools import setup\n"
            + "import socket\n"
            + "try:\n    socket.create_connection(('192.0.2.1', 53), 2)\n"
            + "except OSError as error:\n    required = 'iniconfig' if error.errno == 101 else 'there-is-a-network'\n"
            + "setup(name='dynamic', version='1', py_modules=['dynamic'], install_requires=[required])\n",
            "dynamic.py": "import iniconfig\n",
            "test_dynamic.py": "import dynamic\ndef test_imported(): assert dynamic.iniconfig\n",
        }
    )
    report = await project.test(setup_network=True, baseline=False)
    assert report.verdict == "passed", report.output_tail


async def test_dependencies_that_cannot_be_installed_are_an_error_and_not_a_verdict(
    project: Project, docker_client: Client
) -> None:
    project.start(ADD | TEST_ADD | {"requirements.txt": "./local-folder-is-left-out\nnot a requirement !\n"})
    with pytest.raises(InstallFailed, match="requirements"):
        await project.test(setup_network=True)
    assert boxes_of(docker_client, project.run_id) == []


async def test_the_repositorys_own_command_is_used_when_none_is_given(project: Project) -> None:
    project.start(ADD | TEST_ADD | {"pyproject.toml": "[tool.pytest.ini_options]\ntestpaths = ['.']\n"})
    report = await project.test(command=None, baseline=False)
    assert (report.verdict, list(classes(report))) == ("passed", ["test_calc.py::test_add"])


async def test_a_repository_that_says_nothing_of_tests_needs_a_command(project: Project) -> None:
    project.start({"README.md": "nothing\n"})
    with pytest.raises(CommandUnknown):
        await project.test(command=None)


async def test_a_project_that_pytest_is_made_of_is_tested_itself_and_not_the_copy_that_pytest_has(
    project: Project,
) -> None:
    """The supervisor would load pytest, and with it the installed release, before the project."""
    project.start(
        {
            "src/iniconfig/__init__.py": "from iniconfig._parse import IniConfig\n",
            "src/iniconfig/_parse.py": "class IniConfig:\n    ours = True\n",
            "conftest.py": CONFTEST_OF_A_PART_OF_PYTEST,
            "test_ours.py": "import iniconfig\n\ndef test_ours(): assert iniconfig.IniConfig.ours\n",
        }
    )
    project.change({"src/iniconfig/_parse.py": "class IniConfig:\n    ours = False\n"})

    report = await project.test(command="env PYTHONPATH=src python -m pytest")

    assert report.verdict == "failed"
