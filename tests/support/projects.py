"""A repository whose tests run_tests_sandboxed runs in a real box, without network unless a test asks for it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import uuid4

from repowright_tools.index.index import Index
from repowright_tools.models import TestReport
from repowright_tools.run_tests_sandboxed.models import RunTestsArguments
from repowright_tools.run_tests_sandboxed.stage import RunTestsSandboxed
from repowright_tools.sandbox.docker import DockerSandbox
from support.ports import MemoryJournal, RecordedEvents, bound, stage_context
from support.repositories import make_repository, write_files


class Folder:
    """The one part of a workspace that the stage uses."""

    def __init__(self, root: Path) -> None:
        self.root = root


class Project:
    """A repository under test, and the stage on it."""

    def __init__(self, folder: Path, sandbox: DockerSandbox) -> None:
        self.root = folder / "project"
        self.sandbox = sandbox
        self._scratch = folder / "workspace"
        self.journal = MemoryJournal()
        self.events = RecordedEvents()
        self.results: dict[str, Any] = {}
        self.run_id = f"r_{uuid4().hex}"
        self.commit = ""

    def start(self, files: Mapping[str, str]) -> None:
        self.commit = make_repository(self.root, {name: dedent(text) for name, text in files.items()})

    def change(self, files: Mapping[str, str]) -> None:
        write_files(self.root, {name: dedent(text) for name, text in files.items()})

    async def test(self, **arguments: Any) -> TestReport:
        ctx = stage_context(
            bound(self.root, self.commit),
            results=self.results,
            sandbox=self.sandbox,
            workspace=Folder(self._scratch),
            index=Index(),
            journal=self.journal,
            events=self.events,
        )
        given = {"command": "pytest", "setup_network": False, "timeout_s": 60} | arguments
        ctx = replace(ctx, run_id=self.run_id)
        return await RunTestsSandboxed().run(ctx, RunTestsArguments.model_validate(given))
