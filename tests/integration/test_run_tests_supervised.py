"""What supervision shows and leaves alone, with a real engine; and what would get through without each part of it."""

from pathlib import Path
from typing import Any

import pytest

from repowright_tools.models import Coverage, TestReport
from repowright_tools.sandbox.docker import DockerSandbox
from support.cheats import CHEATS
from support.docker import boxes_of
from support.projects import Project
from support.shop import BASE, IN_A_BOX, WRONG

pytestmark = [pytest.mark.docker, pytest.mark.anyio]


@pytest.fixture
def project(tmp_path: Path, sandbox: DockerSandbox) -> Project:
    return Project(tmp_path, sandbox)


def cheat(name: str) -> dict[str, Any]:
    [found] = [change for change in CHEATS if change.name == name]
    return dict(found.files)


async def test_changed_lines_are_counted_whatever_the_project_says_of_coverage(project: Project) -> None:
    omit = "[run]\nomit = *\n"
    project.start(BASE)
    project.change(
        {
            ".coveragerc": omit,
            "shop/prices.py": BASE["shop/prices.py"].replace(
                "    return round", "    if discount > 1:\n        raise ValueError\n    # bounded\n    return round"
            ),
            "shop/unused.py": "ANSWER = 42\n",
        }
    )
    report = await project.test()
    assert report.verdict == "passed", report.reason
    assert report.coverage == Coverage(changed_lines=3, covered=1)


async def test_where_nothing_can_be_watched_coverage_is_open(project: Project) -> None:
    project.start({**BASE, "check.sh": "python3 -m pytest -q\n"})
    report = await project.test(command="sh check.sh && true", baseline=False)
    assert (report.verdict, report.coverage) == ("passed", None)


async def test_a_process_that_a_test_forks_says_nothing_in_its_name(project: Project) -> None:
    project.start(
        {
            "test_forks.py": IN_A_BOX
            + "def test_forks():\n    child = os.fork()\n    if child == 0:\n        raise SystemExit(3)\n"
            + "    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) in (1, 3)\n"
        }
    )
    report = await project.test(baseline=False)
    assert report.verdict == "passed", report.reason


async def test_a_failure_that_does_not_come_again_is_flaky_and_no_new_failure(project: Project) -> None:
    coin = "import random\ndef test_coin(): assert random.random() < 0.5\n"
    project.start({**BASE, **{f"tests/test_coin_{n}.py": coin for n in range(8)}})
    project.change({"shop/prices.py": WRONG})
    report = await project.test()
    classes = {test.id: test.class_ for test in report.tests}
    assert classes["tests/test_prices.py::test_discount"] == "new_failure"
    assert classes["tests/test_basket.py::TestBasket::test_discounted"] == "new_failure"
    assert "new_failure" not in {class_ for name, class_ in classes.items() if "coin" in name}


async def test_a_test_that_fails_only_after_others_is_broken_and_not_flaky(project: Project) -> None:
    project.start(
        {
            "state.py": "SEEN = []\ndef see(x):\n    return x\n",
            "test_a.py": "import state\ndef test_first(): assert state.see(1) == 1\n",
            "test_b.py": "import state\ndef test_after(): assert not state.SEEN\n",
        }
    )
    project.change({"state.py": "SEEN = []\ndef see(x):\n    SEEN.append(x)\n    return x\n"})
    report = await project.test()
    assert (report.verdict, report.tests[1].class_) == ("failed", "new_failure"), report.reason


# --- knock-outs: with the guard off, the cheat gets through --------------------------------------------------------


async def accepted(project: Project, files: dict[str, Any], **arguments: Any) -> TestReport:
    project.start(BASE)
    project.change(files)
    return await project.test(**arguments)


async def test_without_supervision_a_report_that_the_code_writes_itself_is_believed(project: Project) -> None:
    """The same change as in the corpus. A command that is not plain pytest is not supervised."""
    files = cheat("the code writes a report")
    assert (await accepted(project, files, command="sh -c 'python3 -m pytest'")).verdict == "passed"
    assert (await project.test()).verdict == "tampered"


async def test_without_the_bases_files_a_conftest_that_repairs_the_code_is_believed(project: Project) -> None:
    from integration.test_run_tests_cheats import planned

    files = cheat("a conftest repairs the code while it is tested")
    project.results["plan_feature"] = planned(["conftest.py"])
    assert (await accepted(project, files)).verdict == "passed"
    project.results.clear()
    assert (await project.test()).verdict == "tampered"


async def test_a_project_may_have_our_name_and_tests_of_every_kind(project: Project) -> None:
    files = {
        "repowright_tools/__init__.py": "",
        "repowright_tools/names.py": """
            def name():
                '''
                >>> name()
                'ours'
                '''
                return "ours"
            """,
        "test_names.py": """
            import unittest
            from repowright_tools.names import name

            def test_name():
                assert name() == "ours"

            class TestName(unittest.IsolatedAsyncioTestCase):
                async def test_later(self):
                    self.assertEqual(name(), "ours")
            """,
        "pytest.ini": "[pytest]\naddopts = --doctest-modules\n",
    }
    project.start(files)
    report = await project.test()
    assert (report.verdict, report.totals.passed, report.tamper) == ("passed", 3, [])


async def test_nothing_of_a_supervised_run_is_left(project: Project, docker_client: Any) -> None:
    await accepted(project, cheat("a process left behind writes the record"))
    assert boxes_of(docker_client, project.run_id) == []


async def test_the_usual_plugins_are_no_tampering(tmp_path: Path, sandbox: DockerSandbox) -> None:
    """Needs the package index: several plugins that change how tests are run, at once."""
    project = Project(tmp_path, sandbox)
    plugins = (
        "pytest-asyncio",
        "pytest-mock",
        "pytest-timeout",
        "pytest-rerunfailures",
        "pytest-randomly",
        "hypothesis",
    )
    project.start(
        {
            "requirements.txt": "\n".join(["pytest-xdist", "pytest-cov", "pytest-subtests", *plugins]),
            "product.py": "def double(x):\n    return x + x\n",
            "pytest.ini": "[pytest]\naddopts = --cov=product\nasyncio_mode = auto\n",
            "test_all.py": """
                import unittest
                import pytest
                from hypothesis import given, strategies
                from product import double
                TRIES = []
                async def test_async(): assert double(1) == 2
                def test_mock(mocker):
                    mocker.patch("product.double", return_value=5)
                @given(strategies.integers())
                def test_property(x): assert double(x) == 2 * x
                @pytest.mark.flaky(reruns=3)
                def test_again():
                    TRIES.append(1)
                    assert len(TRIES) > 1
                @pytest.mark.timeout(30)
                def test_in_time(): pass
                @pytest.mark.xfail(strict=True)
                def test_expected(): assert False
                class TestParts(unittest.TestCase):
                    def test_parts(self):
                        for part in range(3):
                            with self.subTest(part=part):
                                self.assertEqual(double(part), part + part)
            """,
        }
    )
    project.change({"product.py": "def double(x):\n    return 2 * x\n"})
    for command in ("pytest", "pytest -n 2"):
        report = await project.test(setup_network=True, command=command)
        assert (report.verdict, report.tamper) == ("passed", []), (command, report.reason, report.output_tail)
        assert {test.class_ for test in report.tests} == {"unchanged"}
        assert len(report.tests) == 7
        assert report.coverage == (Coverage(changed_lines=1, covered=1) if command == "pytest" else None)
