"""Runners other than pytest, for real: each test of a small project by its id, from a box without network."""

import os
import shlex
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from uuid import uuid4

import pytest

from repowright_tools.git.tree import TreeFile
from repowright_tools.run_tests_sandboxed.command import test_command as command_for
from repowright_tools.run_tests_sandboxed.deciding import Deciding
from repowright_tools.run_tests_sandboxed.languages import find_language
from repowright_tools.run_tests_sandboxed.node_modules import collect_links, place_links
from repowright_tools.sandbox.base import Execution
from repowright_tools.sandbox.client import Client
from repowright_tools.sandbox.docker import DockerSandbox
from repowright_tools.sandbox.policy import SandboxPolicy
from support.docker import usual_gateway
from support.go_proxy import MODULE, VERSION, GoProxy, go_sum
from support.http_server import serving
from support.projects import Project

pytestmark = [pytest.mark.docker, pytest.mark.anyio]

POLYGLOT = os.environ.get("SANDBOX_POLYGLOT_IMAGE", "repowright-polyglot:local")


@pytest.fixture
async def polyglot(sandbox_policy: SandboxPolicy, docker_client: Client) -> AsyncIterator[DockerSandbox]:
    """A sandbox whose base image has Node and Go beside Python."""
    from docker.errors import ImageNotFound

    try:
        docker_client.inspect_image(POLYGLOT)
    except ImageNotFound:
        missing = f"no image {POLYGLOT} (run `.ci/base-image {POLYGLOT} nodejs golang-go`)"
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    policy = replace(sandbox_policy, image=POLYGLOT, memory=1024 * 2**20, workspace=512 * 2**20)
    async with aclosing(DockerSandbox(policy)) as box:
        yield box


async def outcomes(box: DockerSandbox, command: str, files: Mapping[str, str]) -> tuple[dict[str, str], int | None]:
    """What became of each test, and the exit code."""
    held = {path: dedent(text).encode() for path, text in files.items()}
    made = command_for(command, None, held, by_caller=True, files=Deciding(held, held)).single
    tree = [TreeFile(path, 0o100644, data) for path, data in held.items()]
    language = find_language(held)
    variables = {**(language.variables if language else {}), **made.variables}
    done = await box.execute(
        Execution(f"r_{uuid4().hex}", tree, made.line, 120, variables=variables, collect=made.collect)
    )
    cases = made.read(done.files, held)
    assert cases is not None, done.output
    return {case.id: case.outcome for case in cases}, done.exit_code


async def test_unittest_reports_by_file_class_and_test(sandbox: DockerSandbox) -> None:
    files = {
        "test_calc.py": """
            import unittest

            class Calc(unittest.TestCase):
                def test_adds(self): self.assertEqual(1 + 1, 2)
                def test_fails(self): self.assertEqual(1, 2)
                def test_breaks(self): raise ValueError("said why")
                @unittest.skip("why")
                def test_skipped(self): pass
                def test_parts(self):
                    for number in (1, 2):
                        with self.subTest(number): self.assertEqual(number, 1)

            class Unready(unittest.TestCase):
                @classmethod
                def setUpClass(cls): raise OSError("not ready")
                def test_never(self): pass
            """,
        "test_broken.py": "import there_is_no_such_module\n",
        "json.py": "raise RuntimeError('the reporter must not load this')\n",
    }
    found, code = await outcomes(sandbox, "python -m unittest -v test_calc test_broken", files)
    assert found == {
        "test_calc.py::Calc::test_adds": "passed",
        "test_calc.py::Calc::test_fails": "failed",
        "test_calc.py::Calc::test_breaks": "error",
        "test_calc.py::Calc::test_skipped": "skipped",
        "test_calc.py::Calc::test_parts": "failed",
        "test_calc.py::Unready": "error",
        "test_broken.py": "error",
    }
    assert code == 1


async def test_node_reports_by_file_suite_and_test(polyglot: DockerSandbox) -> None:
    files = {
        "package.json": '{"scripts": {"test": "node --test ./test/*.js"}}',
        "test/calc.test.js": """
            const {test, describe, it} = require('node:test');
            const assert = require('node:assert');
            test('adds', () => {});
            test('fails', () => assert.equal(1, 2));
            test('skipped', {skip: 'why'}, () => {});
            test('open', {todo: true}, () => assert.ok(0));
            describe('suite', () => {
              it('inner', () => {});
              describe('deep', () => { it('bad', () => { throw new Error('said why') }) });
            });
            test('outer', async t => { await t.test('sub', () => {}); });
            test('adds', () => assert.equal(1, 2));
            describe('breaks', () => { throw new Error('said why') });
            """,
        "test/broken.test.js": "this is no javascript(\n",
        "test/empty.test.js": "",
    }
    found, code = await outcomes(polyglot, "npm test", files)
    path = "test/calc.test.js"
    assert found == {
        f"{path}::adds": "passed",
        f"{path}::fails": "failed",
        f"{path}::skipped": "skipped",
        f"{path}::open": "skipped",
        f"{path}::suite::inner": "passed",
        f"{path}::suite::deep::bad": "failed",
        f"{path}::outer::sub": "passed",
        f"{path}::outer": "passed",
        f"{path}::adds #2": "failed",
        f"{path}::breaks": "error",
        "test/broken.test.js": "error",
        "test/empty.test.js": "passed",
    }
    assert code == 1


async def test_scripts_of_several_packages_report_each_and_a_failing_one_does_not_hold_up_the_others(
    polyglot: DockerSandbox,
) -> None:
    script = '{"scripts": {"pretest": "test -e ready || touch ready", "test": "node --test"}}'
    files = {
        "package.json": '{"workspaces": ["packages/*"], "scripts": {"test": "npm test --workspaces"}}',
        "packages/a/package.json": script,
        "packages/a/a.test.js": "require('node:test')('one', () => { throw new Error('said why') });\n",
        "packages/b/package.json": script,
        "packages/b/b.test.js": "require('node:test')('one', () => require('fs').readFileSync('ready'));\n",
    }
    found, code = await outcomes(polyglot, "npm test", files)
    assert found == {"packages/a/a.test.js::one": "failed", "packages/b/b.test.js::one": "passed"}
    assert code == 1


async def test_go_reports_by_package_test_and_subtest(polyglot: DockerSandbox) -> None:
    files = {
        "go.mod": "module example.org/calc\n\ngo 1.18\n",
        "calc.go": "package calc\n\nfunc Add(a, b int) int { return a + b }\n",
        "calc_test.go": """
            package calc

            import "testing"

            func TestAdds(t *testing.T) { if Add(1, 1) != 2 { t.Fatal("no") } }
            func TestFails(t *testing.T) { t.Fatal("said why") }
            func TestSkipped(t *testing.T) { t.Skip("why") }
            func TestTable(t *testing.T) {
                t.Run("one", func(t *testing.T) {})
                t.Run("two", func(t *testing.T) { t.Fail() })
            }
            """,
        "broken/broken.go": 'package broken\n\nvar x int = "text"\n',
        "broken/broken_test.go": 'package broken\n\nimport "testing"\n\nfunc TestNever(t *testing.T) {}\n',
        "panics/panics_test.go": """
            package panics

            import "testing"

            func TestFine(t *testing.T) {}
            func TestPanics(t *testing.T) { panic("said why") }
            """,
    }
    found, code = await outcomes(polyglot, "go test ./...", files)
    package = "example.org/calc"
    assert found == {
        f"{package}::TestAdds": "passed",
        f"{package}::TestFails": "failed",
        f"{package}::TestSkipped": "skipped",
        f"{package}::TestTable": "failed",
        f"{package}::TestTable/one": "passed",
        f"{package}::TestTable/two": "failed",
        f"{package}/broken": "error",
        f"{package}/panics::TestFine": "passed",
        f"{package}/panics::TestPanics": "failed",
    }
    assert code in (1, 2)  # by version


async def test_any_command_reports_through_the_file_that_it_names(sandbox: DockerSandbox) -> None:
    script = """
        mkdir -p out
        echo '<testsuite><testcase classname="a" name="one"/></testsuite>' > out/results.xml
        exit 3
        """
    stale = '<testsuite><testcase classname="old" name="one"/></testsuite>'
    command = "sh run.sh --junit-xml=out/results.xml"
    assert await outcomes(sandbox, command, {"run.sh": script, "out/results.xml": stale}) == ({"a::one": "passed"}, 3)
    assert await outcomes(
        sandbox, "sh run.sh", {"run.sh": "echo '<testsuite><testcase name=\"two\"/></testsuite>' > $JUNIT_OUTPUT"}
    ) == ({"two": "passed"}, 0)


async def test_the_stage_classifies_tests_of_another_language(tmp_path: Path, polyglot: DockerSandbox) -> None:
    project = Project(tmp_path, polyglot)
    test = "const {test} = require('node:test'); const {add} = require('./calc.js'); const a = require('assert');\n"
    project.start(
        {
            "package.json": '{"scripts": {"test": "node --test"}}',
            "calc.js": "exports.add = (a, b) => a + b;\n",
            "calc.test.js": test + "test('adds', () => a.equal(add(1, 1), 2)); test('old', () => a.equal(1, 2));\n",
            "helper.py": "",
        }
    )
    project.change({"calc.js": "exports.add = (a, b) => a - b;\n"})
    report = await project.test(command="npm test")
    assert {entry.id: entry.class_ for entry in report.tests} == {
        "calc.test.js::adds": "new_failure",
        "calc.test.js::old": "pre_existing",
    }
    assert report.verdict == "failed"
    project.change({"calc.js": "exports.add = (a, b) => b + a;\n"})
    assert (await project.test(command="npm test")).verdict == "passed"


CALC = {
    "package.json": '{"scripts": {"test": "node --test"}}',
    "calc.js": "exports.add = (a, b) => a + b;\n",
    "calc.test.js": "require('node:test')('adds', () => require('assert').equal(require('./calc.js').add(1, 1), 2));\n",
}
WRONG = {"calc.js": "exports.add = (a, b) => a - b;\n"}
FAKE_NODE = """#!/bin/sh
test -e /.dockerenv || exit 99
for file in /work/out/*; do : >"$file"; done
for name in calc new; do
  printf '{"type":"pass","name":"adds","nesting":0,"file":"/work/repo/%s.test.js"}\\n' $name
done >/work/out/node.jsonl
"""


@pytest.mark.parametrize("where", ["node_modules", "tools"])
async def test_no_change_brings_its_own_runner_among_installed_packages(
    where: str, tmp_path: Path, polyglot: DockerSandbox
) -> None:
    """I02"""
    project = Project(tmp_path, polyglot)
    project.start(CALC)
    project.change({**WRONG, "new.test.js": CALC["calc.test.js"], f"{where}/.bin/node": FAKE_NODE})
    (project.root / where / ".bin/node").chmod(0o755)
    if where != "node_modules":
        (project.root / "node_modules").symlink_to(where)
    report = await project.test(command="npm test")
    assert report.verdict != "passed", report.reason
    assert {entry.id: entry.outcome for entry in report.tests} == {
        "calc.test.js::adds": "failed",
        "new.test.js::adds": "failed",
    }
    path = "node_modules/.bin/node" if where == "node_modules" else None
    assert path is None or ("steering_changed", path) in {(entry.kind, entry.path) for entry in report.tamper}


async def test_what_failed_on_the_base_too_may_have_failed_for_the_changes_dependencies(
    tmp_path: Path, polyglot: DockerSandbox
) -> None:
    project = Project(tmp_path, polyglot)
    uses = "const a = require('a'); " + CALC["calc.test.js"]
    needs = '{"scripts": {"test": "node --test"}, "dependencies": {"a": "1.0.0"}}'
    project.start({**CALC, "package.json": needs, "calc.test.js": uses})
    project.change({"package.json": CALC["package.json"]})
    report = await project.test(command="npm test")
    assert {entry.class_ for entry in report.tests} == {"pre_existing"}
    assert "tested with the change's dependencies, which differ from its own" in report.reason


async def test_installed_packages_are_linked_into_a_tree_and_its_own_packages_to_themselves(
    polyglot: DockerSandbox,
) -> None:
    installed = """
        mkdir -p a/node_modules/@x b node_modules/dep node_modules/.bin
        echo 'exports.is = "installed"' > node_modules/dep/index.js
        echo 'exports.is = "stale"' > b/index.js
        ln -s ../../../b a/node_modules/@x/b
        """
    collect, place = shlex.join(collect_links("/work/deps")), place_links("/work/deps")
    script = f"mkdir /work/deps && cd /work/deps && {dedent(installed)}\n{collect} && cd /work/repo && {place} && "
    files = {
        "b/index.js": "exports.is = 'ours';\n",
        "a/index.js": "console.log(require('@x/b').is, require('dep').is);\n",
    }
    tree = [TreeFile(path, 0o100644, text.encode()) for path, text in files.items()]
    done = await polyglot.execute(
        Execution(f"r_{uuid4().hex}", tree, f"{script} touch node_modules/.cache && node a/index.js", 60)
    )
    assert done.output.strip() == "ours installed"


async def test_python_tests_that_nothing_but_their_names_tell_of_are_found(
    tmp_path: Path, sandbox: DockerSandbox
) -> None:
    project = Project(tmp_path, sandbox)
    project.start({"test_a.py": "def test(): pass\n\nclass TestB:\n    def test_b(self): pass\n"})
    report = await project.test(command=None, baseline=False)
    assert [entry.id for entry in report.tests] == ["test_a.py::test", "test_a.py::TestB::test_b"]


@pytest.fixture
def go_proxy(docker_client: Client) -> Iterator[str]:
    """The address of a module proxy on the host."""
    with serving(GoProxy, usual_gateway(docker_client)) as host:
        yield f"http://{host}"


async def test_dependencies_of_another_language_are_installed_once_and_tested_without_network(
    tmp_path: Path, sandbox_policy: SandboxPolicy, polyglot: DockerSandbox, docker_client: Client, go_proxy: str
) -> None:
    policy = replace(
        sandbox_policy, image=polyglot.image, memory=1024 * 2**20, workspace=512 * 2**20, indexes={"go": go_proxy}
    )
    test = f"""
        package uses

        import "testing"
        import "{MODULE}"

        func TestWord(t *testing.T) {{ if greeting.Word() != "hello" {{ t.Fatal("no") }} }}
        """
    async with aclosing(DockerSandbox(policy)) as box:
        project = Project(tmp_path, box)
        required = f"module example.org/uses\n\ngo 1.18\n\nrequire {MODULE} {VERSION}\n"
        project.start({"go.mod": required, "go.sum": go_sum(), "uses_test.go": test})
        report = await project.test(command="go test ./...", setup_network=True, baseline=False, timeout_s=120)
        try:
            assert report.verdict == "passed", report.output_tail
            assert [entry.id for entry in report.tests] == ["example.org/uses::TestWord"]
            again = await project.test(command="go test ./...", setup_network=False, baseline=False, timeout_s=120)
            assert again.environment.image_digest == report.environment.image_digest
        finally:
            docker_client.remove_image(report.environment.image_digest, force=True)
