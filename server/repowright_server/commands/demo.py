"""repowright demo: the whole pipeline on the sample repository, through a real MCP client over stdio."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import anyio

from repowright_server.commands.exits import DONE, NO

SAMPLE = Path(__file__).parents[1] / "demo" / "sample"
RECORDING = Path(__file__).parents[1] / "demo" / "recording.json"
REQUEST = "Add a --top N option that prints the N most frequent words"
_NO_ENGINE = ("sandbox_unreachable", "sandbox_stalled", "image_missing")


def run(args: argparse.Namespace) -> int:
    del args
    with tempfile.TemporaryDirectory(prefix="repowright-demo-") as folder:
        return anyio.run(_demonstrate, Path(folder))


async def _demonstrate(folder: Path) -> int:
    from mcp import Client, StdioServerParameters
    from mcp.types import ElicitResult

    repository, remote = await anyio.to_thread.run_sync(_make_repository, folder)

    async def operator(context: Any, params: Any) -> ElicitResult:
        del context
        shown = _indent(params.message, most_lines=12)
        _say(f"\n? The server asks before anything leaves the machine:\n{shown}\n> yes\n")
        return ElicitResult(action="accept", content={})

    server = StdioServerParameters(
        command=sys.executable, args=["-I", "-m", "repowright_server", "serve"], env=_environment(folder, remote)
    )
    _say(f"request: {REQUEST}\nmodel:   scripted (a recording; no key, no network)\n")
    async with Client(server, elicitation_callback=operator) as client:
        return await Demo(client, str(repository), remote).run()


class Demo:
    """One run of the six stages."""

    def __init__(self, client: Any, source: str, remote: Path) -> None:
        self._client = client
        self._source = source
        self._remote = remote
        self._run_id: str | None = None

    async def run(self) -> int:
        analysis = await self._stage("analyse_repo", source=self._source, focus=REQUEST)
        if analysis["status"] != "COMPLETE":
            return NO
        result = analysis["result"]
        _say(f"  {result['files']['analysed']} files; test with: {result['commands']['test'][0]['command']}")
        for name, arguments in (("plan_feature", {"request": REQUEST}), ("generate_code", {})):
            answer = await self._stage(name, **arguments)
            if answer["status"] != "COMPLETE":
                return NO
        code = answer["result"]
        tests = await self._stage("run_tests_sandboxed", setup_network=False)
        if tests["status"] == "COMPLETE" and tests["result"]["verdict"] != "passed":
            _say("  The image has no pytest of its own; once more, with the network to install it.")
            tests = await self._stage("run_tests_sandboxed")
        verified = tests["status"] == "COMPLETE"
        if not verified and tests["error"]["code"] not in _NO_ENGINE:
            return NO
        pull = await self._stage("open_pr", **({} if verified else {"dry_run": True}))
        rules = await self._stage("generate_cursor_rules")
        if pull["status"] != "COMPLETE" or rules["status"] != "COMPLETE":
            return NO
        self._report(code, tests, pull["result"], rules["result"])
        return DONE if not verified or tests["result"]["verdict"] == "passed" else NO

    async def _stage(self, name: str, **arguments: Any) -> dict[str, Any]:
        _say(f"\n== {name}")
        said: list[str] = []

        async def progress(_done: float, _total: float | None, message: str | None) -> None:
            text = (message or "").split(": ", 1)[-1]
            if text not in said:
                said.append(text)
                _say(f"  .. {text}")

        own = arguments if self._run_id is None else {**arguments, "run_id": self._run_id}
        while True:
            reply = await self._client.call_tool(name, own, progress_callback=progress)
            answer: dict[str, Any] = reply.structured_content
            self._run_id = answer["run_id"]
            if answer["status"] not in ("QUEUED", "IN_PROGRESS"):
                break
            own = {**arguments, "run_id": self._run_id}
        _say(f"  {answer['status']}: {answer['status_message']}")
        if answer["error"] is not None:
            _say(f"  {answer['error']['code']}: {answer['error']['what_to_do']}")
        return answer

    def _report(self, code: dict[str, Any], tests: dict[str, Any], pull: dict[str, Any], rules: dict[str, Any]) -> None:
        _say(f"\n== The branch\n  {code['branch']} at {code['head_commit'][:12]}\n  {code['fetch']}")
        for file in code["files"]:
            _say(f"  {file['change']:<9} {file['path']} (+{file['additions']} -{file['deletions']})")
        if tests["status"] == "COMPLETE":
            report = tests["result"]
            _say(f"\n== The tests: {report['verdict']} ({report['reason']})")
            for test in report["tests"]:
                _say(f"  {test['outcome']:<8} {test['class'] or '':<12} {test['id']}")
            _say(f"\n== The pull request ({pull['action']} to {self._remote.name}, branch {pull['head']})")
        else:
            _say("\n== NOT VERIFIED: no Docker engine has the sandbox image, so no test ran; nothing was pushed.")
            _say(f"  {tests['error']['message']}\n  {tests['error']['what_to_do']}")
            _say("\n== The pull request, as it would be opened (dry run)")
        _say(f"  {pull['title']}\n\n{_indent(pull['body'], most_lines=60)}")
        for file in rules["files"]:
            _say(f"\n== Rules: {file['path']}\n{_indent(file['content'], most_lines=40)}")


def _make_repository(folder: Path) -> tuple[Path, Path]:
    """A fresh repository of the sample, with a bare repository on disk as its origin."""
    repository, remote = folder / "tally", folder / "tally.git"
    shutil.copytree(SAMPLE, repository, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    identity = ["-c", "user.name=Demo", "-c", "user.email=demo@example.org"]
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        [*identity, "commit", "-q", "-m", "A small library that counts words"],
        ["clone", "-q", "--bare", ".", str(remote)],
        ["remote", "add", "origin", str(remote)],
    ):
        subprocess.run(["git", *command], cwd=repository, check=True, capture_output=True)
    return repository, remote


def _environment(folder: Path, remote: Path) -> dict[str, str]:
    """The server's settings: only what the demo needs, and of the caller's own only how to reach the engine."""
    import os

    kept = ("PATH", "HOME", "LANG", "DOCKER_HOST", "SANDBOX_IMAGE", "SANDBOX_CA_BUNDLE")
    own = {
        "LOG_LEVEL": "ERROR",  # the demo shows the progress itself
        "LLM_PROVIDER": "scripted",
        "LLM_MODEL": str(RECORDING),
        "REPOWRIGHT_HOME": str(folder / "home"),
        "ALLOWED_ROOTS": str(folder),
        "ALLOWED_REPOSITORIES": str(remote),
    }
    return {name: os.environ[name] for name in kept if name in os.environ} | own


def _indent(text: str, *, most_lines: int) -> str:
    lines = text.splitlines()
    shown = [f"  | {line}" for line in lines[:most_lines]]
    return "\n".join([*shown, *([f"  | ... {len(lines) - most_lines} more lines"] if len(lines) > most_lines else [])])


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
