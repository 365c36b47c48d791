"""What run_tests_sandboxed says of runs that were narrowed, or that were not whole, with a real engine."""

from pathlib import Path

import pytest

from repowright_tools.run_tests_sandboxed.stage import RunTestsSandboxed
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.docker import DockerSandbox
from support.projects import Project

pytestmark = [pytest.mark.docker, pytest.mark.anyio]

UNREADABLE = "import nothing_of_this_name\ndef test_x(): pass\n"
GOOD = "def test_good(): pass\n"


@pytest.fixture
def project(tmp_path: Path, sandbox: DockerSandbox) -> Project:
    return Project(tmp_path, sandbox)


async def test_a_file_that_was_never_importable_leaves_the_other_tests_tested(project: Project) -> None:
    project.start({"test_old.py": UNREADABLE, "test_good.py": GOOD})
    project.change({"test_more.py": "def test_more(): pass\n"})
    report = await project.test()
    assert report.verdict == "passed", report.reason
    assert "1 not collected (import or syntax error), nor on the base: test_old.py" in report.reason
    assert {test.id: test.class_ for test in report.tests} == {
        "test_old.py": "pre_existing",
        "test_good.py::test_good": "unchanged",
        "test_more.py::test_more": "new",
    }
    assert RunTestsSandboxed().summarise(report).count("nothing_of_this_name") == 1
    project.change({"test_good.py": "def test_good(): assert False\n"})
    assert (await project.test()).verdict == "failed"


async def test_a_file_that_the_change_broke_is_a_collection_error_and_a_mended_one_is_not_gone(
    project: Project,
) -> None:
    project.start({"test_old.py": UNREADABLE, "test_good.py": GOOD})
    project.change({"test_old.py": GOOD, "test_good.py": "def test_good(:\n"})
    report = await project.test()
    assert report.verdict == "collection_error"
    assert report.reason == (
        "tests could not be collected (import or syntax error): test_good.py; run with the command `pytest`; "
        "restored from the base to judge the change: test_good.py, test_old.py"
    )
    project.change({"test_good.py": GOOD})
    mended = await project.test()
    assert mended.verdict == "passed"
    assert mended.reason == (
        "no test fails that passed before; run with the command `pytest`; "
        "restored from the base to judge the change: test_old.py"
    )
    assert {test.id: test.class_ for test in mended.tests} == {
        "test_good.py::test_good": "unchanged",
        "test_old.py::test_good": "new",
    }


async def test_where_nothing_can_be_imported_on_either_side_nothing_is_proven(project: Project) -> None:
    project.start({"test_old.py": UNREADABLE})
    report = await project.test()
    assert report.verdict == "collection_error"
    assert report.reason.count("test_old.py") == 1
    assert report.reason.endswith("it is the same on the base")
    assert [(test.id, test.class_) for test in report.tests] == [("test_old.py", "pre_existing")]


@pytest.mark.parametrize("selector", ["test_a.py::test_none", "no_such_name", "-k no_such_name", "-k x nothing.py"])
async def test_a_selector_that_matches_nothing_is_called_so(project: Project, selector: str) -> None:
    project.start({"test_a.py": GOOD})
    report = await project.test(selector=selector, baseline=False)
    assert report.verdict == "no_tests", report.output_tail
    assert report.reason.startswith(
        f"the selector matched no test; run with the selector `{selector}`, which may leave tests out"
    )
    [action] = RunTestsSandboxed().next_actions(report)
    assert action.tool == "run_tests_sandboxed"


async def test_a_pass_of_some_tests_says_which(project: Project) -> None:
    project.start({"test_a.py": GOOD, "test_b.py": "def test_b(): assert False\n"})
    report = await project.test(selector="test_a.py", command="python -m unittest")
    assert report.verdict == "passed"
    assert report.reason == (
        "no test fails that passed before; run with the selector `test_a.py`, which may leave tests out; "
        "run with the command `python -m unittest`; pytest ran the tests in place of unittest"
    )


async def test_the_named_image_is_the_one_that_the_tests_ran_in(
    project: Project, sandbox: DockerSandbox, docker_client: Client
) -> None:
    """The first part needs no network; the second needs the package index, to make an environment."""
    project.start({"test_a.py": GOOD})
    plain = (await project.test(baseline=False, setup_network=False, command="sh -c 'python3 -m pytest'")).environment
    assert docker_client.inspect_image(plain.image)["Id"] == plain.image_digest
    derived = (await project.test(baseline=False, setup_network=True)).environment
    assert derived.image != sandbox.image
    assert docker_client.inspect_image(derived.image)["Id"] == derived.image_digest
