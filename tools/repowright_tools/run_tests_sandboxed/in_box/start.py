"""The beginning of the test process: everything that is trusted is imported before anything of the repository."""

from __future__ import annotations

import importlib
import os
import pkgutil
import site
import sys
from typing import Any

from repowright_tools.run_tests_sandboxed.in_box.probes import install_probes
from repowright_tools.run_tests_sandboxed.in_box.reporter import Reporter, sender

_LOADED_FIRST = ("unittest.case", "unittest.mock", "doctest", "json", "ast", "logging", "tempfile", "decimal")


def run_tests(order: dict[str, Any], pipe: int) -> int:
    """Run pytest as `order` says, telling the supervisor through `pipe`; the exit code."""
    import pytest

    os.set_inheritable(pipe, False)
    load_trusted()
    _open_project(order["site"])
    hits = install_probes(order["probes"]) if order["probes"] else None
    send = sender(pipe, bytes.fromhex(order.pop("key")))
    reporter = Reporter(send, order["hashes"], order["only"], hits)
    _hide()
    # as `python -m pytest` looks, to what prints a command line or starts itself again
    sys.argv = [pytest.__file__.replace("__init__", "__main__"), *order["arguments"]]
    code = int(pytest.main(list(order["arguments"]), plugins=[reporter]))
    send({"event": "end", "exit": code})
    return code


def load_trusted() -> None:
    """Import the runner whole, so that no file of the repository can take the place of one of its modules."""
    package = importlib.import_module("_pytest")
    for module in pkgutil.walk_packages(package.__path__, "_pytest."):
        try:
            importlib.import_module(module.name)
        except ImportError:  # needs what is not installed
            continue
    for name in _LOADED_FIRST:
        importlib.import_module(name)
    # A compiled test in the repository must never stand for its source
    rewrite: Any = importlib.import_module("_pytest.assertion.rewrite")
    if hasattr(rewrite, "_read_pyc"):
        rewrite._read_pyc = _nothing


def _hide() -> None:
    """Take our modules from where the code under test could change them, and a project of our name would find them."""
    for name in [name for name in sys.modules if name.partition(".")[0] == __name__.partition(".")[0]]:
        del sys.modules[name]


def _nothing(*_: object, **__: object) -> None:
    """What is in a cache."""


def _open_project(folder: str) -> None:
    """Make the project importable: its installed form, and its sources as `python -m pytest` would."""
    if os.path.isdir(f"{folder}.held"):  # noqa: PTH112
        os.rename(f"{folder}.held", folder)  # noqa: PTH104
        major, minor = sys.version_info[:2]
        site.addsitedir(f"{folder}/lib/python{major}.{minor}/site-packages")
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(":") if path]
    sys.path[0:0] = [os.getcwd(), *paths]  # noqa: PTH109
