"""The environment that a project's tests run in, and how the project itself is made importable there.

The dependencies are in an image that depends on requirement lines alone, so that the base and the change are tested in
the same one. The project is not: each execution makes the tree it tests importable, without network, in its own box.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from repowright_tools.run_tests_sandboxed.python_project import PythonProject
from repowright_tools.sandbox.base import OUT, REPOSITORY, EnvironmentSpec

METADATA = "METADATA"
"""The file in `OUT` that holds the project's metadata after `import_line`."""

_VENV = "/venv"
_SITE = "/work/site"
_TOOLS = ("pytest", "setuptools", "wheel", "editables")
"""pytest runs the tests; the others are what build systems take for granted when a project is made importable."""
_PIP = (
    f"{_VENV}/bin/python",
    "-m",
    "pip",
    "install",
    "-q",
    "--no-cache-dir",
    "--no-input",
    "--progress-bar",
    "off",
    "--retries",
    "2",
)
_LINK = (
    "import pathlib, sysconfig\n"
    f"line = \"import site, sys; site.addsitedir('{_SITE}/lib/python%d.%d/site-packages' % sys.version_info[:2])\\n\"\n"
    "pathlib.Path(sysconfig.get_path('purelib'), 'tested-project.pth').write_text(line)\n"
)
"""Run once in the environment: folders named in a .pth file have their own .pth files read, those of PYTHONPATH not."""


def environment_spec(project: PythonProject, more: Sequence[str] = ()) -> EnvironmentSpec:
    """How to make the environment; `more` are requirement lines that only the build system knew."""
    lines = [*_TOOLS, *project.requirements, *more]
    files = {
        **project.files,
        "project.in": "".join(f"{line}\n" for line in lines).encode(),
        "locked.in": "".join(f"{line}\n" for line in project.constraints).encode(),
    }
    as_written = [[*_PIP, *(word for path in project.install for word in ("-r", path))]] if project.install else []
    return EnvironmentSpec(
        files=files,
        commands=[
            ["python3", "-m", "venv", _VENV],
            *as_written,
            [*_PIP, "-r", "project.in", "-c", "locked.in"],
            [f"{_VENV}/bin/python", "-c", _LINK],
        ],
        writes=[_VENV],
    )


def import_line(project: PythonProject) -> str:
    """A line for `sh` that makes the project in the current folder importable, with its metadata and commands.

    It may fail, for want of a compiler for example; the project's sources are on the path all the same.
    """
    if not project.has_metadata:
        return ":"
    install = (
        "python3 -m pip install -q --no-index --no-deps --no-build-isolation --use-pep517 --ignore-installed"
        f" --no-cache-dir --disable-pip-version-check --prefix {_SITE} -e ."
    )
    keep = f"cp {_SITE}/lib/python3*/site-packages/*.dist-info/METADATA {OUT}/{METADATA}"
    return f"{{ {install} && {keep}; }} >{OUT}/import.txt 2>&1 || :"


def python_variables(paths: Collection[str]) -> dict[str, str]:
    """Environment variables for the tests of a Python project with these files."""
    sources = [f"{REPOSITORY}/src"] if any(path.startswith("src/") for path in paths) else []
    return {
        "PATH": f"{_SITE}/bin:{_VENV}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONPATH": ":".join([*sources, REPOSITORY]),
        "PYTHONUNBUFFERED": "1",  # what was printed before a timeout is kept
        # There is no .git in the box to take a version from. A high one passes checks for a minimum.
        "SETUPTOOLS_SCM_PRETEND_VERSION": "999.0.0",
        "PDM_BUILD_SCM_VERSION": "999.0.0",
    }
